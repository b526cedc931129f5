"""Text from outside, as people get to see it: without secrets and without terminal commands.

Addresses hold passwords and tokens; manifests, mirrors, servers, files and their names hold
anything. Every error of dshub passes through here, and so does every line of the command line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

HIDDEN = "…"

_BREAKS = re.compile(r"[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# commands to a terminal (ECMA-48), other line breaks, and signs that reorder text (UAX #9)
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# a host that no user name can be taken for: an `@` after it is part of a path, as in package@1.0
_HOST = re.compile(r"(?:localhost|(?:[\w-]+\.)+[\w-]+)(?:[/?#\s]|$)")
_SCHEME = re.compile("(?<!file)://", re.IGNORECASE)
_PATH = re.compile(r"[/\\~.]|[a-z]:[/\\]", re.IGNORECASE)
_AFTER = ":.,;)]}'\""  # of a sentence rather than of the address before it


def harmless(text: str) -> str:
    """Text without terminal commands; line breaks and tabs stay."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """Text on one line, without terminal commands."""
    return harmless(flat(text))


def flat(text: str) -> str:
    """Text with its tabs, and its line breaks with the blanks around them, as one blank each."""
    if text.isprintable():  # most are, and it is a quarter of the time
        return text
    text = text.replace("\t", " ")
    if not _BREAKS.search(text):
        return text
    return " ".join(filter(None, (part.strip() for part in _BREAKS.split(text))))


def shown_url(address: str) -> str:
    """An address without user name, password and query values, however malformed it is.

    Everything up to the last `@` counts as a password, as people write `/`, `@` and blanks there.
    """
    secret = _user(address)
    if secret:
        start, end = secret
        address = f"{address[:start]}{HIDDEN}{address[end:]}"
    return _without_query(address)


def redacted(text: str, *, queries: bool = True) -> str:
    """Text with the secrets of the addresses in it left out.

    Args:
        text: anything, such as a message.
        queries: leave out the values of queries, too.
    """
    if "://" not in text and "?" not in text:
        return text
    return re.sub(r"\S+", lambda word: _redacted_word(word[0], queries=queries), text)


def without_secrets(text: str, address: str) -> str:
    """Text in which an address is quoted, in whole or in part, without the secrets of it."""
    for secret in sorted(_secrets(address), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return redacted(text)


def cause(error: Exception, address: str) -> Exception | None:
    """An error to raise from; None where its traceback would show a secret."""
    seen: list[BaseException] = [error]
    for item in seen:
        if without_secrets(str(item), address) != str(item):
            return None
        inner = [item.__cause__, item.__context__]
        seen += [new for new in inner if new is not None and new not in seen]
    return error


def shown_value(value: object) -> str:
    """A setting's value of any type, for a message."""
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


def _user(address: str) -> tuple[int, int] | None:
    """Where the user name and password of an address begin and end."""
    end = address.rfind("@")
    for scheme in _SCHEME.finditer(address, 0, max(end, 0)):
        if not _HOST.match(address, scheme.end()):
            return scheme.end(), end
    bare = "://" not in address and ":" in address[: max(end, 0)] and not _PATH.match(address)
    return (0, end) if bare else None


def _redacted_word(word: str, *, queries: bool) -> str:
    if "://" in word:
        secret = _user(word)
        word = f"{word[: secret[0]]}{HIDDEN}{word[secret[1] :]}" if secret else word
        return _without_query(word) if queries else word
    is_target = queries and word.startswith("/") and "=" in word  # as in a message of urllib3
    return _without_query(f"://{word}")[3:] if is_target else word


def _without_query(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    path, question, query = rest.partition("?")
    if not mark or not query:
        return address
    return f"{scheme}{mark}{path}{question}{'&'.join(map(_without_value, query.split('&')))}"


def _without_value(part: str) -> str:
    name, equals, value = part.partition("=")
    hidden = value if equals else name
    kept = hidden[len(hidden.rstrip(_AFTER)) :]
    return f"{name if equals else ''}{equals}{HIDDEN if hidden != kept else ''}{kept}"


def _secrets(address: str) -> Iterator[str]:
    """The secrets of an address as others may quote them: whole, in part, decoded."""
    secret = _user(address)
    found = []
    if secret:
        user = address[secret[0] : secret[1]]
        found += [user, user.partition(":")[2]]
    found += [part.partition("=")[2] for part in address.partition("?")[2].split("&")]
    for text in found:
        yield from {item for item in (text, unquote(text)) if len(item) > 2}


SHOWN = 80  # characters of a value in a message


def short(value: object) -> str:
    """A value in one line: arrays and long lists are cut."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of 5,000 digits, a list in itself
        return f"a value of type {type(value).__name__} that is too long to show"
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} …"


@dataclass(frozen=True)
class Address:
    """A path, or a URL. `str` shows it without passwords.

    Attributes:
        text: as it is opened.
    """

    text: str

    def __str__(self) -> str:
        return shown_url(self.text)

    @property
    def is_url(self) -> bool:
        """Whether it has a scheme, so that names in it are quoted."""
        return "://" in self.text or self._is_file_url

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: a path, or a `file:` URL."""
        return "://" not in self.text or self._is_file_url

    @property
    def _is_file_url(self) -> bool:
        return self.text[:5].lower() == "file:"

    @property
    def path(self) -> Path:
        """The path that a local address means."""
        if not self._is_file_url:
            return Path(self.text)
        from urllib.request import url2pathname  # imports half of the network

        return Path(url2pathname(urlsplit(self.text).path))

    def join(self, relative: object) -> str:
        """The text of an address below this one."""
        return f"{self.text.rstrip('/')}/{relative}"
