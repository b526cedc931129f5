"""Remove secrets and terminal escape sequences from text before it is displayed.

URLs contain passwords and tokens. Manifests, mirrors, servers, files and file names can contain
arbitrary text. All errors and all output of the command line pass through this module.
"""

import codecs
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

HIDDEN = "…"
LINES = 15  # maximum lines of an error in a notebook
MESSAGE_LINES = 6  # maximum lines of its message
SHOWN = 80  # maximum length of a value in a message, in characters

_BREAKS = re.compile(r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# control characters (ECMA-48), Unicode line breaks, and characters that reorder text (UAX #9)
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# a complete host name, so that an `@` after it belongs to the path, as in package@1.0
_HOST = re.compile(r"(?:localhost|(?:[\w-]+\.)+[\w-]+)(?:[/?#\s]|$)")
_SCHEME = re.compile("(?<!file)://", re.IGNORECASE)
_PATH = re.compile(r"[/\\~.]|[a-z]:[/\\]", re.IGNORECASE)
_PUNCTUATION = ":.,;)]}'\""  # belongs to the sentence if it follows a URL


def harmless(text: str) -> str:
    """Replace control characters except line breaks and tabs."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """Return text on one line, without control characters."""
    return harmless(flat(text))


def flat(text: str) -> str:
    """Replace tabs and line breaks with spaces, and strip the spaces around line breaks."""
    if text.isprintable():  # a fast path for most strings
        return text
    text = text.replace("\t", " ")
    if not _BREAKS.search(text):
        return text
    return " ".join(filter(None, (part.strip() for part in _BREAKS.split(text))))


def is_utf8() -> bool:
    """Return True if the encoding of standard output is UTF-8."""
    return codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"


def in_notebook() -> bool:
    """Return True in a Jupyter kernel, whose output can show images and HTML.

    Importing ipykernel is not enough: libraries such as Lightning do so in plain processes, too.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def notebook_lines(error: BaseException, hint: str) -> list[str]:
    """Return an error for a notebook: message and hint, then the caller's lines of code.

    Lines of this package are left out. If a function of the caller failed, its lines are shown as
    the cause.
    """
    message = f"{type(error).__name__}: {error.args[0]}".splitlines()
    lines = [*message[:MESSAGE_LINES], *([f"hint: {hint}"] if hint else [])]
    frames = traceback.extract_tb(error.__traceback__)
    lines += ["", *_places(list(takewhile(_is_foreign, frames))[-2:])]
    frames = traceback.extract_tb(error.__cause__.__traceback__ if error.__cause__ else None)
    called = [i for i, frame in enumerate(frames) if not _is_foreign(frame)]
    if frames and called and frames[called[-1] + 1 :]:
        cause = one_line(redacted(f"{type(error.__cause__).__name__}: {error.__cause__}"))
        lines += ["", f"cause: {cause}", *_places(frames[called[-1] + 1 :][:1])]
    return lines[:LINES]


def _is_foreign(frame: traceback.FrameSummary) -> bool:
    return not Path(frame.filename).is_relative_to(Path(__file__).parent)


def _places(frames: Iterable[traceback.FrameSummary]) -> Iterator[str]:
    """Yield file and line of each frame, and then its code."""
    for frame in frames:
        path = Path(frame.filename)
        if "IPython" not in path.parts:
            is_cell = path.parent.name.startswith("ipykernel_")
            yield f"  {'cell' if is_cell else path}, line {frame.lineno}, in {frame.name}"
            yield f"    {frame.line}"


def shown_url(address: str) -> str:
    """Hide the user name, password and query values of a URL, even if it is malformed.

    Everything up to the last `@` counts as a password, because users forget to escape `/`, `@` and
    spaces in passwords.
    """
    secret = _find_user(address)
    if secret:
        start, end = secret
        address = f"{address[:start]}{HIDDEN}{address[end:]}"
    return _hide_query(address)


def redacted(text: str, *, queries: bool = True) -> str:
    """Hide the secrets of all URLs in text.

    Args:
        text: text to search for URLs.
        queries: also hide the values of queries.
    """
    if "://" not in text and "?" not in text:
        return text
    return re.sub(r"\S+", lambda word: _redact_word(word[0], queries=queries), text)


def without_secrets(text: str, address: str) -> str:
    """Hide the secrets of a URL in text that quotes all or part of the URL."""
    for secret in sorted(_secrets(address), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return redacted(text)


def cause(error: Exception, address: str) -> Exception | None:
    """Return the error to use as `__cause__`, or None if its traceback would show a secret."""
    seen: list[BaseException] = [error]
    for item in seen:
        if without_secrets(str(item), address) != str(item):
            return None
        inner = [item.__cause__, item.__context__]
        seen += [new for new in inner if new is not None and new not in seen]
    return error


def shown_value(value: object) -> str:
    """Format the value of a setting for a message, without secrets."""
    match value:
        case str():
            return short(shown_url(value))
        case Mapping():
            return f"{{{', '.join(f'{key!r}: {HIDDEN}' for key in value)}}}"
        case list():
            return f"[{', '.join(map(shown_value, value))}]"
        case tuple():
            comma = "," if len(value) == 1 else ""
            return f"({', '.join(map(shown_value, value))}{comma})"
        case _:
            return short(value)


def short(value: object) -> str:
    """Format a value on one line of at most `SHOWN` characters."""
    try:
        text = repr(value)
    except (
        ValueError,
        RecursionError,
    ):  # for example, for an int of 5,000 digits or a deeply nested list
        return f"a value of type {type(value).__name__} that is too long to show"
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} …"


def _find_user(address: str) -> tuple[int, int] | None:
    """Return the start and end of the user name and password in a URL."""
    end = address.rfind("@")
    for scheme in _SCHEME.finditer(address, 0, max(end, 0)):
        if not _HOST.match(address, scheme.end()):
            return scheme.end(), end
    bare = "://" not in address and ":" in address[: max(end, 0)] and not _PATH.match(address)
    return (0, end) if bare else None


def _redact_word(word: str, *, queries: bool) -> str:
    if "://" in word:
        secret = _find_user(word)
        word = f"{word[: secret[0]]}{HIDDEN}{word[secret[1] :]}" if secret else word
        return _hide_query(word) if queries else word
    # urllib3 messages contain request targets without scheme and host.
    is_target = queries and word.startswith("/") and "=" in word
    return _hide_query(f"://{word}")[3:] if is_target else word


def _hide_query(address: str) -> str:
    scheme, mark, remainder = address.partition("://")
    path, question, query = remainder.partition("?")
    if not mark or not query:
        return address
    return f"{scheme}{mark}{path}{question}{'&'.join(map(_hide_value, query.split('&')))}"


def _hide_value(part: str) -> str:
    name, equals, value = part.partition("=") if "=" in part else ("", "", part)
    kept = value[len(value.rstrip(_PUNCTUATION)) :]
    return f"{name}{equals}{HIDDEN if value != kept else ''}{kept}"


def _secrets(address: str) -> Iterator[str]:
    """Yield the secrets of a URL in the forms that messages can contain, raw and decoded."""
    secret = _find_user(address)
    texts = [part.partition("=")[2] for part in address.partition("?")[2].split("&")]
    if secret:
        user = address[secret[0] : secret[1]]
        texts += [user, user.partition(":")[2]]
    for text in texts:
        yield from {item for item in (text, unquote(text)) if len(item) > 2}


@dataclass(frozen=True)
class Address:
    """A path or URL with a `str` form that hides passwords.

    Attributes:
        text: path or URL with its secrets.
    """

    text: str

    def __str__(self) -> str:
        return shown_url(self.text)

    @property
    def is_url(self) -> bool:
        """True if the address has a scheme."""
        return "://" in self.text or self._is_file_url

    @property
    def is_local(self) -> bool:
        """True if the address is a path or a `file:` URL."""
        return "://" not in self.text or self._is_file_url

    @property
    def _is_file_url(self) -> bool:
        return self.text[:5].lower() == "file:"

    @property
    def path(self) -> Path:
        """Path of a local address."""
        if not self._is_file_url:
            return Path(self.text)
        from urllib.request import url2pathname  # slow to import

        return Path(url2pathname(urlsplit(self.text).path))

    def join(self, relative: object) -> str:
        """Return the address with a relative path appended."""
        return f"{self.text.rstrip('/')}/{relative}"
