"""Make text from outside safe to show: no secrets, no terminal commands.

Addresses contain passwords and tokens. Manifests, mirrors, servers, files and file names can
contain anything. Every error and every line of the command line passes through this module.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

HIDDEN = "…"
SHOWN = 80  # characters of a value in a message

_BREAKS = re.compile(r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# terminal commands (ECMA-48), other line breaks, and characters that reorder text (UAX #9)
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# a host that is not a user name: an `@` after it belongs to the path, as in package@1.0
_HOST = re.compile(r"(?:localhost|(?:[\w-]+\.)+[\w-]+)(?:[/?#\s]|$)")
_SCHEME = re.compile("(?<!file)://", re.IGNORECASE)
_PATH = re.compile(r"[/\\~.]|[a-z]:[/\\]", re.IGNORECASE)
_PUNCTUATION = ":.,;)]}'\""  # after an address, it belongs to the sentence


def harmless(text: str) -> str:
    """Replace terminal commands; keep line breaks and tabs."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """Put text on one line, without terminal commands."""
    return harmless(flat(text))


def flat(text: str) -> str:
    """Replace each tab, and each line break with the blanks around it, by one blank."""
    if text.isprintable():  # the common case, four times faster
        return text
    text = text.replace("\t", " ")
    if not _BREAKS.search(text):
        return text
    return " ".join(filter(None, (part.strip() for part in _BREAKS.split(text))))


def shown_url(address: str) -> str:
    """Hide user name, password and query values of an address, however malformed it is.

    Everything up to the last `@` counts as a password, because people put `/`, `@` and blanks
    into passwords.
    """
    secret = _find_user(address)
    if secret:
        start, end = secret
        address = f"{address[:start]}{HIDDEN}{address[end:]}"
    return _hide_query(address)


def redacted(text: str, *, queries: bool = True) -> str:
    """Hide the secrets of all addresses in a text.

    Args:
        text: any text, such as a message.
        queries: also hide the values of queries.
    """
    if "://" not in text and "?" not in text:
        return text
    return re.sub(r"\S+", lambda word: _redact_word(word[0], queries=queries), text)


def without_secrets(text: str, address: str) -> str:
    """Hide the secrets of an address in a text that quotes it, in full or in part."""
    for secret in sorted(_secrets(address), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return redacted(text)


def cause(error: Exception, address: str) -> Exception | None:
    """Return the error to raise from, or None if its traceback would show a secret."""
    seen: list[BaseException] = [error]
    for item in seen:
        if without_secrets(str(item), address) != str(item):
            return None
        inner = [item.__cause__, item.__context__]
        seen += [new for new in inner if new is not None and new not in seen]
    return error


def shown_value(value: object) -> str:
    """Format a setting's value of any type for a message."""
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
    """Format a value on one line, cut to `SHOWN` characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of 5,000 digits, a list in itself
        return f"a value of type {type(value).__name__} that is too long to show"
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} …"


def _find_user(address: str) -> tuple[int, int] | None:
    """Return where the user name and password of an address begin and end."""
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
    is_target = queries and word.startswith("/") and "=" in word  # as in a message of urllib3
    return _hide_query(f"://{word}")[3:] if is_target else word


def _hide_query(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    path, question, query = rest.partition("?")
    if not mark or not query:
        return address
    return f"{scheme}{mark}{path}{question}{'&'.join(map(_hide_value, query.split('&')))}"


def _hide_value(part: str) -> str:
    name, equals, value = part.partition("=") if "=" in part else ("", "", part)
    kept = value[len(value.rstrip(_PUNCTUATION)) :]
    return f"{name}{equals}{HIDDEN if value != kept else ''}{kept}"


def _secrets(address: str) -> Iterator[str]:
    """Yield the secrets of an address as others may quote them: in full, in part, decoded."""
    secret = _find_user(address)
    texts = [part.partition("=")[2] for part in address.partition("?")[2].split("&")]
    if secret:
        user = address[secret[0] : secret[1]]
        texts += [user, user.partition(":")[2]]
    for text in texts:
        yield from {item for item in (text, unquote(text)) if len(item) > 2}


@dataclass(frozen=True)
class Address:
    """A path or a URL. `str` hides passwords.

    Attributes:
        text: the address to open.
    """

    text: str

    def __str__(self) -> str:
        return shown_url(self.text)

    @property
    def is_url(self) -> bool:
        """True if it has a scheme, so that names below it are quoted."""
        return "://" in self.text or self._is_file_url

    @property
    def is_local(self) -> bool:
        """True if it is on this machine: a path or a `file:` URL."""
        return "://" not in self.text or self._is_file_url

    @property
    def _is_file_url(self) -> bool:
        return self.text[:5].lower() == "file:"

    @property
    def path(self) -> Path:
        """The path of a local address."""
        if not self._is_file_url:
            return Path(self.text)
        from urllib.request import url2pathname  # imports half of the network

        return Path(url2pathname(urlsplit(self.text).path))

    def join(self, relative: object) -> str:
        """Return the text of an address below this one."""
        return f"{self.text.rstrip('/')}/{relative}"
