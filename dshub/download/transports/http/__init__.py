"""Read files over HTTP and HTTPS with requests.

Requests takes proxies, netrc and CA certificates from the environment. Responses are requested
without an encoding (`Accept-Encoding: identity`) and never decoded here, because checksums refer to
the published bytes.
"""

import email.utils
import http.client
import os
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from dshub import __version__
from dshub._validate import ETAG
from dshub.display import cause
from dshub.download import transports
from dshub.download.transports import Answer, Head
from dshub.download.transports.http.connections import CONNECTION_CLASSES, Response
from dshub.errors import TransportError

CONNECTIONS = 16  # maximum open connections per host, and maximum hosts with open connections
REDIRECTS = 10
SLOWEST = 1000  # minimum bytes per timeout
FINAL = {404, 410, 429, 503}  # status codes that do not lead to a GET request after HEAD
ABSENT = {403, 404, 410}  # S3 responds 403 for a missing file if the bucket is not listable
TRANSIENT = {408, 425, 429, 500, 502, 503, 504, 507, 509, 511, 520, 521, 522, 523, 524}

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class _Adapter(HTTPAdapter):
    """Adapter that uses `CONNECTION_CLASSES`, except for SOCKS proxies."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = CONNECTION_CLASSES.get(pool.ConnectionCls, pool.ConnectionCls)
        return pool


class _Session(requests.Session):
    """Session that does not follow redirects, and caches environment settings per host.

    `Transport` follows redirects instead, because requests would read their bodies without a limit.
    """

    def __init__(self) -> None:
        super().__init__()
        self._environment: dict[tuple[str, str], Any] = {}

    def merge_environment_settings(self, url: Any, *settings: Any) -> Any:
        """Return proxy and certificate settings, cached per host."""
        key = urlsplit(str(url))[:2]  # scheme, host and port
        if key not in self._environment:
            self._environment[key] = super().merge_environment_settings(url, *settings)
        return dict(self._environment[key])

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None, so that requests does not follow redirects."""
        del resp
        return None

    def location(self, response: requests.Response) -> str:
        """Return the target of a redirect; refuse other schemes, and https to http."""
        address = urljoin(response.url, super().get_redirect_target(response) or "")
        old, new = urlsplit(response.url).scheme, urlsplit(address).scheme
        if new not in {"http", "https"} or (old, new) == ("https", "http"):
            raise TransportError(url=response.url, reason=f"refused a redirect to {new}")
        return address


class HttpAnswer(Answer):
    """Body of a response. Reading fails if the source is slower than `SLOWEST`."""

    def __init__(
        self, url: str, response: requests.Response, *, start: int, timeout: float
    ) -> None:
        self.start, self.total = start, _total(response, start)
        etag = response.headers.get("ETag", "")
        self.etag = etag if ETAG.fullmatch(etag) else ""
        unit = response.headers.get("Accept-Ranges", "").strip().lower()
        self.ranges = response.status_code == 206 or unit == "bytes"
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        self.encoding = "" if encoding == "identity" else encoding
        self._url, self._response, self._timeout = url, response, timeout
        self._body: Response | None = getattr(response.raw, "body", None)
        self._seconds, self._arrived = 0.0, 0

    def readinto(self, buffer: memoryview) -> int:
        began = time.monotonic()
        try:
            count = self._readinto(buffer)
        except _FAILURES as error:
            raise _fault(self._url, error) from cause(error, self._url)
        self._seconds += time.monotonic() - began
        self._arrived += count
        if count and self._seconds > self._timeout:
            self._check_pace()
        return count

    def _readinto(self, buffer: memoryview) -> int:
        if self._body is None:  # urllib3's own connection class, for a SOCKS proxy
            data: bytes = self._response.raw.read1(len(buffer), decode_content=False)
            buffer[: len(data)] = data
            return len(data)
        count = self._body.receive(buffer)
        if self._body.isclosed():
            self._response.raw.release_conn()
        return count

    def _check_pace(self) -> None:
        if self._arrived < SLOWEST:
            reason = f"too slow: {self._arrived} bytes in {self._seconds:.0f} s"
            raise TransportError(url=self._url, reason=reason, transient=True)
        self._seconds, self._arrived = 0.0, 0

    def close(self) -> None:
        self._response.close()


class Transport(transports.Transport):
    """Transport for http and https URLs.

    Args:
        timeout: seconds to wait for a connection, then for all headers of the response together,
            and then for each read of the body.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._session = _Session()
        self._session.headers.update(
            {"User-Agent": f"dshub/{__version__}", "Accept-Encoding": "identity"}
        )
        adapter = _Adapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def open(
        self, url: str, *, start: int = 0, stop: int | None = None, etag: str = ""
    ) -> HttpAnswer:
        headers = _range_headers(start, stop, etag)
        response = self._ask("GET", url, headers)
        if headers and response.status_code in {206, 403, 416}:
            content = _content_range(response)
            if content is not None and int(content[1]) == start:
                return HttpAnswer(url, response, start=start, timeout=self._timeout)
            response.close()  # the range was wrong or refused, so request the whole file
            response = self._ask("GET", url, {})
        if response.status_code != 200:
            response.close()
            raise _refusal(url, response)
        return HttpAnswer(url, response, start=0, timeout=self._timeout)

    def head(self, url: str) -> Head:
        """Return the status and size from HEAD, or from a GET of one byte if HEAD fails."""
        with self._ask("HEAD", url, {}) as response:
            head = Head(response.status_code, _stated_length(response), response.url)
        if (head.status == 200 and head.total is not None) or head.status in FINAL:
            return head
        with self._ask("GET", url, _range_headers(0, 1, "")) as response:
            total = _total(response, 0) if response.status_code in {200, 206} else None
            return Head(response.status_code, total, response.url)

    def _ask(self, method: str, url: str, headers: dict[str, str]) -> requests.Response:
        """Send a request, and follow redirects."""
        address = url
        for _ in range(REDIRECTS + 1):
            try:
                response = self._session.request(
                    method,
                    address,
                    headers=headers,
                    auth=_auth(address),
                    stream=True,
                    timeout=self._timeout,
                )
                if not response.is_redirect:
                    return response
                with response:
                    address = self._session.location(response)
            except _FAILURES as error:
                raise _fault(address, error) from cause(error, address)
        raise TransportError(url=url, reason=f"more than {REDIRECTS} redirects")

    def close(self) -> None:
        self._session.close()


def _auth(address: str) -> tuple[str, str] | None:
    """Return the user name and password in a URL, which requests would override with netrc."""
    user, password = requests.utils.get_auth_from_url(address)
    return (user, password) if password else None


def _range_headers(start: int, stop: int | None, etag: str) -> dict[str, str]:
    """Return headers for a range (RFC 9110, 14.2) of the version `etag` (13.1.5)."""
    if not start and stop is None:
        return {}
    headers = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
    return headers | {"If-Range": etag} if etag else headers


def _content_range(response: requests.Response) -> re.Match[str] | None:
    """Parse the Content-Range header: first byte, last byte, and total size or `*`."""
    if response.status_code != 206:
        return None
    return _RANGE.fullmatch(response.headers.get("Content-Range", ""))


def _total(response: requests.Response, start: int) -> int | None:
    """Return the size of the whole file, even if the response is a part of the file."""
    match = _content_range(response)
    if match is not None:
        return None if match[3] == "*" else int(match[3])
    length: int | None = response.raw.length_remaining
    return None if length is None else start + length


def _stated_length(response: requests.Response) -> int | None:
    """Return the size in a response to HEAD; None for the size of an encoded response."""
    length = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return None if encoded or not re.fullmatch("[0-9]{1,18}", length) else int(length)


def _refusal(url: str, response: requests.Response) -> TransportError:
    status = response.status_code
    return TransportError(
        url=url,
        reason=f"{status} {response.reason or ''}".strip(),
        transient=status in TRANSIENT or 200 < status < 300,
        retry_after=_retry_after(response.headers),
        absent=status in ABSENT,
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), or None.

    A date in the header is relative to the clock of the server, if the response has a Date header.
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    then, now = _timestamp(value), _timestamp(headers.get("Date", ""))
    return None if then is None else max(0.0, then - (time.time() if now is None else now))


def _timestamp(date: str) -> float | None:
    """Parse an HTTP date as seconds since the epoch."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


_FAILURES = (OSError, ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException)

_TIMEOUTS = (requests.exceptions.Timeout, TimeoutError, urllib3.exceptions.ReadTimeoutError)
_ENDED_EARLY = (urllib3.exceptions.IncompleteRead, http.client.HTTPException)

# exceptions, with `reason`, `transient` and `unreachable` of the TransportError; first match wins
_FAULTS: list[tuple[Any, str, bool, bool]] = [
    (requests.exceptions.SSLError, "its certificate is not trusted", False, False),
    (requests.exceptions.ProxyError, "the proxy refused the connection", True, True),
    (requests.exceptions.ConnectTimeout, "connecting timed out", True, True),
    (_TIMEOUTS, "timed out", True, False),
    (_ENDED_EARLY, "the connection ended early", True, False),
    ((urllib3.exceptions.ProtocolError, ConnectionError), "the connection was cut", True, False),
    (requests.exceptions.ConnectionError, "cannot connect", True, True),
    (requests.exceptions.InvalidHeader, "its headers are invalid", True, False),
    (ValueError, "not a valid address", False, False),
]


def _fault(url: str, error: Exception) -> TransportError:
    inner = error.args[0] if error.args else None
    if isinstance(inner, urllib3.exceptions.ProtocolError):
        error = inner  # the host accepted the connection, but closed it without a response
    for kinds, reason, transient, unreachable in _FAULTS:
        if isinstance(error, kinds):
            return TransportError(
                url=url,
                reason=reason + _detail(error),
                transient=transient,
                unreachable=unreachable,
            )
    return TransportError(url=url, reason=f"{type(error).__name__}: {error}", transient=True)


def _detail(error: Exception) -> str:
    """Return the system's message from a chain of exceptions, in parentheses."""
    seen: list[Any] = [error]
    for item in seen:
        if isinstance(item, urllib3.exceptions.NameResolutionError):
            return " (the host name does not resolve)"
        if isinstance(item, OSError) and item.strerror:
            return f" ({item.strerror})"
        inner = [*getattr(item, "args", ()), getattr(item, "reason", None), item.__context__]
        seen += [new for new in inner if isinstance(new, Exception) and new not in seen]
    return ""


def certificates() -> str:
    """Return the path of the CA certificates that are used to verify servers."""
    path = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return path or str(requests.utils.DEFAULT_CA_BUNDLE_PATH)
