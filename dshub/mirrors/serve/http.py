"""Parse HTTP/1.1 requests and build response heads for a file server (RFC 9110, RFC 9112).

Ambiguous requests are refused, so that the server and a proxy in front of it always read a request
in the same way. `http.client` and `email` are not used, because they repair malformed input.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus

MAX_HEAD = 16 << 10  # bytes per request head
MAX_LINE = 8 << 10  # bytes per request line

_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)")
_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_ONCE = {"host", "content-length", "range", "if-range"}  # ambiguous if repeated


class Refusal(Exception):  # noqa: N818  # a response, not a program error
    """Error response to a request.

    Args:
        status: response status.
        reason: text of the response body; the standard phrase of the status by default.
        headers: additional response headers.
    """

    def __init__(
        self, status: HTTPStatus, reason: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason or status.phrase)
        self.status, self.headers = status, dict(headers or {})


@dataclass(frozen=True)
class Request:
    """Head of a request.

    Attributes:
        method: `GET` or `HEAD`.
        target: path and query, percent-encoded.
        minor: minor version of HTTP/1.x, 0 or 1.
        headers: header values by lowercase name.
    """

    method: str
    target: str
    minor: int
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """Path of the target without the query, percent-encoded."""
        return re.split("[?#]", self.target, maxsplit=1)[0]

    @property
    def keep_alive(self) -> bool:
        """True if the client wants to reuse the connection."""
        options = {word.strip().lower() for word in self.headers.get("connection", "").split(",")}
        return "close" not in options if self.minor else "keep-alive" in options


def parse(head: bytes) -> Request:
    """Parse the head of a request.

    Args:
        head: bytes before the empty line that ends the head.

    Raises:
        Refusal: the request is malformed or not supported.
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
            raise Refusal(HTTPStatus.BAD_REQUEST, f"the {match[1]} header is repeated")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _check_method_and_body(method: str, headers: Mapping[str, str]) -> None:
    if method not in {"GET", "HEAD"}:
        allow = {"Allow": "GET, HEAD"}
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this server is read-only", allow)
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this server accepts no request body")


@dataclass(frozen=True)
class Validators:
    """ETag and modification time of a file, for conditional requests.

    Attributes:
        etag: strong ETag, including the quotation marks.
        modified: whole seconds since the epoch; None for a file that is still being fetched.
    """

    etag: str
    modified: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """`ETag` and `Last-Modified` response headers."""
        if self.modified is None:
            return {"ETag": self.etag}
        return {"ETag": self.etag, "Last-Modified": _http_date(self.modified)}

    def match_cached(self, request: Request) -> bool:
        """Return True if the client's cached copy is current, so that the response is 304."""
        tags = request.headers.get("if-none-match")
        if tags is None:
            return self._is_newer(request.headers.get("if-modified-since", "")) is False
        cached = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return not cached.isdisjoint({"*", self.etag})

    def check_preconditions(self, request: Request) -> None:
        """Check If-Match and If-Unmodified-Since (RFC 9110, 13.1.1 and 13.1.4).

        Raises:
            Refusal: the file does not match the client's precondition.
        """
        tags = request.headers.get("if-match")
        if tags is None:
            failed = self._is_newer(request.headers.get("if-unmodified-since", ""))
        else:
            failed = {tag.strip() for tag in tags.split(",")}.isdisjoint({"*", self.etag})
        if failed:
            raise Refusal(HTTPStatus.PRECONDITION_FAILED, "the file has changed")

    def _is_newer(self, date: str) -> bool | None:
        """Return True if the file was modified after an HTTP date; None if either is unknown."""
        if date and self.modified is not None:
            with suppress(ValueError, OverflowError):
                return self.modified > parsedate_to_datetime(date).timestamp()
        return None


@lru_cache(maxsize=1024)  # most requests are for the same files
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def requested_range(request: Request, size: int, validators: Validators) -> range | None:
    """Return the requested byte range of a file; None for the whole file.

    A request for several ranges gets the whole file, as RFC 9110 allows.

    Raises:
        Refusal: the range is outside the file.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    is_current = request.headers.get("if-range") in {None, *validators.headers.values()}
    if match is None or request.method != "GET" or not is_current:
        return None
    first, last, suffix = match.groups()
    if last and int(last) < int(first):  # RFC 9110 says to ignore an invalid range
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
    """Return the status and headers for a file or part of it; `size` is None if unknown."""
    if part is None:
        return HTTPStatus.OK, {} if size is None else {"Content-Length": str(size)}
    return HTTPStatus.PARTIAL_CONTENT, {
        "Content-Length": str(len(part)),
        "Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}",
    }


def response_head(status: HTTPStatus, headers: Mapping[str, str], *, keep_alive: bool) -> bytes:
    """Return the bytes of a response head."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Server: dshub"]
    lines.append(f"Date: {_http_date(int(time.time()))}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
