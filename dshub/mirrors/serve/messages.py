"""HTTP/1.1 as a server of files needs it: what is asked, and the head of the answer.

Source: RFC 9110 (semantics) and RFC 9112 (messages). Names in comments are theirs. What is not
understood exactly is refused: a server and a proxy before it must never read a request differently.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus

MOST_HEAD = 16 << 10  # bytes of a request's head
MOST_LINE = 8 << 10  # bytes of its first line

_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)")
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})")
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_ONCE = {"host", "content-length", "range", "if-range"}  # two of one would be an ambiguity


class Refusal(Exception):  # noqa: N818  # an answer, no error of the program
    """A request that gets no file: the status that says why, and a sentence for a person.

    Attributes:
        headers: that go with the status.
    """

    def __init__(
        self, status: HTTPStatus, reason: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason or status.phrase)
        self.status, self.headers = status, dict(headers or {})


@dataclass(frozen=True)
class Request:
    """The head of a request.

    Attributes:
        method: as it was sent.
        target: path and query, percent-encoded.
        version: of HTTP: 1 for 1.1, 0 for 1.0.
        headers: by name in small letters.
    """

    method: str
    target: str
    version: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return re.split("[?#]", self.target, maxsplit=1)[0]

    @property
    def keep(self) -> bool:
        """Whether the client wants to go on with the connection."""
        words = {word.strip().lower() for word in self.headers.get("connection", "").split(",")}
        return "close" not in words if self.version else "keep-alive" in words


def parse(head: bytes) -> Request:
    """Read the head of a request, without the empty line behind it.

    Raises:
        Refusal: it is no request that this server answers.
    """
    if len(head) > MOST_HEAD and len(head.partition(b"\r\n")[0]) <= MOST_LINE:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    first, *lines = head.decode("latin-1").split("\r\n")
    match = _LINE.fullmatch(first)
    if match is None or len(first) > MOST_LINE:
        long = len(first) > MOST_LINE
        raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG if long else HTTPStatus.BAD_REQUEST)
    method, target, major, minor = match.groups()
    if major != "1":
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    headers = _fields(lines)
    request = Request(method, _AUTHORITY.sub("", target, count=1), int(minor != "0"), headers)
    if request.version and "host" not in headers:
        raise Refusal(HTTPStatus.BAD_REQUEST, "a request names its host")
    _check(request)
    return request


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Refusal(HTTPStatus.BAD_REQUEST)
        name, value = match[1].lower(), match[2].strip(" \t")
        if name in headers and name in _ONCE:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"two headers {match[1]}")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _check(request: Request) -> None:
    """Refuse what this server has no use for: other methods, and bodies."""
    if request.method not in {"GET", "HEAD"}:
        allow = {"Allow": "GET, HEAD"}
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this server is only read", allow)
    if "transfer-encoding" in request.headers:
        raise Refusal(HTTPStatus.BAD_REQUEST, "a request here has no body")
    length = request.headers.get("content-length", "0")
    if not re.fullmatch("[0-9]+", length):
        raise Refusal(HTTPStatus.BAD_REQUEST)
    if length.strip("0"):
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request here has no body")


@dataclass(frozen=True)
class Version:
    """What tells one state of a file from another.

    Attributes:
        etag: strong entity tag, with its quotation marks.
        modified: seconds since the epoch; None where the file is not here yet.
    """

    etag: str
    modified: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        """ETag and Last-Modified."""
        headers = {"ETag": self.etag}
        if self.modified is not None:
            headers["Last-Modified"] = _date(int(self.modified))
        return headers

    def known(self, request: Request) -> bool:
        """Whether the client has this state already: the answer is 304."""
        tags = request.headers.get("if-none-match")
        if tags is not None:
            known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
            return "*" in known or self.etag in known
        since = _seconds(request.headers.get("if-modified-since", ""))
        return None not in {since, self.modified} and int(self.modified or 0) <= (since or 0)

    def check(self, request: Request) -> None:
        """Hold against it what the client takes for granted: RFC 9110, 13.1.1 and 13.1.4.

        Raises:
            Refusal: it is another state than the one that the client knows.
        """
        tags = request.headers.get("if-match")
        if tags is not None:
            wrong = not {tag.strip() for tag in tags.split(",")} & {"*", self.etag}
        else:
            since = _seconds(request.headers.get("if-unmodified-since", ""))
            wrong = None not in {since, self.modified} and int(self.modified or 0) > (since or 0)
        if wrong:
            raise Refusal(HTTPStatus.PRECONDITION_FAILED, "the file is another one now")

    def same(self, request: Request) -> bool:
        """Whether a part of this state fits what the client has: If-Range agrees or is absent."""
        told = request.headers.get("if-range")
        if told is None or told == self.etag:
            return True
        date = self.headers.get("Last-Modified")
        return date is not None and told == date


@lru_cache(maxsize=1024)
def _date(seconds: int) -> str:
    """A moment as HTTP writes it; the same few are asked for again and again."""
    return formatdate(seconds, usegmt=True)


def _seconds(date: str) -> float | None:
    """Seconds since the epoch of an HTTP date; None where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def wanted(request: Request, size: int, version: Version) -> range | None:
    """The part of a file that is asked for; None where no single part is.

    Several parts at once are answered with the whole file, as RFC 9110 allows.

    Raises:
        Refusal: there are no such bytes.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or request.method != "GET" or not version.same(request):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if first and last and int(last) < int(first):  # no range at all
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    if start >= stop:
        told = {"Content-Range": f"bytes */{size}"}
        raise Refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=told)
    return range(start, stop)


def head(status: HTTPStatus, headers: Mapping[str, str], *, keep: bool) -> bytes:
    """The bytes before the body of an answer."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Server: dshub"]
    lines.append(f"Date: {_date(int(time.time()))}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
