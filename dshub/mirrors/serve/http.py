"""HTTP/1.1 requests and response heads, as far as a file server needs them (RFC 9110, RFC 9112).

Anything ambiguous is refused, because this server and a proxy in front of it must never read a
request differently. So requests are parsed here: `http.client` and `email` repair what they read.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus

MAX_HEAD = 16 << 10  # bytes of a request head
MAX_LINE = 8 << 10  # bytes of its first line

_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)")
_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_ONCE = {"host", "content-length", "range", "if-range"}  # two of one would be ambiguous


class Refusal(Exception):  # noqa: N818  # a response, not an error of the program
    """A request that gets no file: the status and a sentence for a person.

    Attributes:
        headers: sent along with the status.
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
        method: as sent.
        target: path and query, percent-encoded.
        minor: the minor version of HTTP/1: 1, or 0 for an old client.
        headers: by lower-case name.
    """

    method: str
    target: str
    minor: int
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return re.split("[?#]", self.target, maxsplit=1)[0]

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to reuse the connection."""
        options = {word.strip().lower() for word in self.headers.get("connection", "").split(",")}
        return "close" not in options if self.minor else "keep-alive" in options


def parse(head: bytes) -> Request:
    """Parse the head of a request, without the empty line after it.

    Raises:
        Refusal: it is not a request that this server answers.
    """
    line, *lines = head.decode("latin-1").split("\r\n")
    if len(line) > MAX_LINE:
        raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG)
    if len(head) > MAX_HEAD:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    match = _LINE.fullmatch(line)
    if match is None:
        raise Refusal(HTTPStatus.BAD_REQUEST)
    method, target, major, minor = match.groups()
    if major != "1":
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    headers = _parse_headers(lines)
    if minor != "0" and "host" not in headers:
        raise Refusal(HTTPStatus.BAD_REQUEST, "the Host header is missing")
    _check_method_and_body(method, headers)
    return Request(method, _AUTHORITY.sub("", target, count=1), int(minor != "0"), headers)


def _parse_headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise Refusal(HTTPStatus.BAD_REQUEST)
        name, value = match[1].lower(), match[2].strip(" \t")
        if name in headers and name in _ONCE:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"the header {match[1]} is there twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _check_method_and_body(method: str, headers: Mapping[str, str]) -> None:
    if method not in {"GET", "HEAD"}:
        allow = {"Allow": "GET, HEAD"}
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this server is read-only", allow)
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "requests have no body here")


@dataclass(frozen=True)
class Validators:
    """Tell one state of a file from another.

    Attributes:
        etag: a strong entity tag, with its quotation marks.
        modified: whole seconds since the epoch; None for a file that is still arriving.
    """

    etag: str
    modified: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """ETag and Last-Modified."""
        if self.modified is None:
            return {"ETag": self.etag}
        return {"ETag": self.etag, "Last-Modified": _http_date(self.modified)}

    def match_cached(self, request: Request) -> bool:
        """Whether the client has this state already, so that the answer is 304."""
        tags = request.headers.get("if-none-match")
        if tags is None:
            return self._is_newer(request.headers.get("if-modified-since", "")) is False
        cached = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return not cached.isdisjoint({"*", self.etag})

    def check_preconditions(self, request: Request) -> None:
        """Check If-Match and If-Unmodified-Since (RFC 9110, 13.1.1 and 13.1.4).

        Raises:
            Refusal: the client relies on another state.
        """
        tags = request.headers.get("if-match")
        if tags is None:
            failed = self._is_newer(request.headers.get("if-unmodified-since", ""))
        else:
            failed = {tag.strip() for tag in tags.split(",")}.isdisjoint({"*", self.etag})
        if failed:
            raise Refusal(HTTPStatus.PRECONDITION_FAILED, "the file has changed")

    def _is_newer(self, date: str) -> bool | None:
        """Whether the file was modified after an HTTP date; None if either is unknown."""
        if date and self.modified is not None:
            with suppress(ValueError, OverflowError):
                return self.modified > parsedate_to_datetime(date).timestamp()
        return None


@lru_cache(maxsize=1024)  # the same few are needed again and again
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def requested_range(request: Request, size: int, validators: Validators) -> range | None:
    """The part of a file that a request asks for; None for the whole file.

    Several parts at once are answered with the whole file, as RFC 9110 allows.

    Raises:
        Refusal: the file has no such bytes.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    is_current = request.headers.get("if-range") in {None, *validators.headers.values()}
    if match is None or request.method != "GET" or not is_current:
        return None
    first, last, suffix = match.groups()
    if last and int(last) < int(first):  # not a range at all
        return None
    if suffix:
        part = range(max(0, size - int(suffix)), size)
    else:
        part = range(size)[int(first) : int(last) + 1 if last else size]
    if not part:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    return part


def content_headers(part: range | None, size: int | None) -> tuple[HTTPStatus, dict[str, str]]:
    """Status and headers that announce a part of a file, or all of it; a size may be unknown."""
    if part is None:
        return HTTPStatus.OK, {} if size is None else {"Content-Length": str(size)}
    return HTTPStatus.PARTIAL_CONTENT, {
        "Content-Length": str(len(part)),
        "Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}",
    }


def response_head(status: HTTPStatus, headers: Mapping[str, str], *, keep_alive: bool) -> bytes:
    """The bytes of a response before its body."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Server: dshub"]
    lines.append(f"Date: {_http_date(int(time.time()))}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
