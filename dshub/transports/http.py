"""HTTP and HTTPS, through requests: connections are kept and shared by all threads.

Proxy, netrc and CA settings are those of the environment, as requests reads them. The body is
asked for as it is stored (`Accept-Encoding: identity`) and never decoded: checksums are of the
published bytes.
"""

import email.utils
import os
import re
import time
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from dshub import __version__
from dshub.errors import TransportError

CONNECTIONS = 16  # kept alive, over all hosts together
REDIRECTS = 10
SLOWEST = 1000  # bytes that must arrive within each time-out
TRANSIENT = {408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524}

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class _Session(requests.Session):
    """Leaves redirects to `Transport`: requests would read the body of each, however long."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Nothing that requests should follow."""
        del resp
        return None

    def location(self, response: requests.Response) -> str:
        """Where a redirect leads: to http or https only, and never from https to http."""
        address = urljoin(response.url, super().get_redirect_target(response) or "")
        old, new = urlsplit(response.url).scheme, urlsplit(address).scheme
        if new not in {"http", "https"} or (old, new) == ("https", "http"):
            raise TransportError(url=response.url, reason=f"redirect to {new}: refused")
        return address


class HttpAnswer:
    """The body of one response; one that comes slower than `SLOWEST` is given up."""

    def __init__(
        self, url: str, response: requests.Response, *, start: int, timeout: float
    ) -> None:
        self.start, self.total = start, _total(response, start)
        self._url, self._response, self._timeout = url, response, timeout
        self._seconds, self._arrived = 0.0, 0

    def read(self, size: int) -> bytes:
        began = time.monotonic()
        try:
            data: bytes = self._response.raw.read1(size, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _fault(self._url, error) from error
        self._seconds += time.monotonic() - began
        self._arrived += len(data)
        if data and self._seconds > self._timeout:
            self._check_pace()
        return data

    def _check_pace(self) -> None:
        if self._arrived < SLOWEST:
            reason = f"too slow: {self._arrived} bytes in {self._seconds:.0f} s"
            raise TransportError(url=self._url, reason=reason, transient=True)
        self._seconds, self._arrived = 0.0, 0

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Transport:
    """Opens http and https addresses.

    Args:
        timeout: seconds to wait for a connection, and for each further piece of an answer.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._session = _Session()
        self._session.headers.update(
            {"User-Agent": f"dshub/{__version__}", "Accept-Encoding": "identity"}
        )
        adapter = HTTPAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def open(self, url: str, *, start: int = 0) -> HttpAnswer:
        response = self._get(url, start)
        if start and response.status_code in {206, 403, 416}:
            if _range_start(response) == start:
                return HttpAnswer(url, response, start=start, timeout=self._timeout)
            response.close()  # an answer to another question: take the file from its beginning
            response = self._get(url, 0)
        if response.status_code != 200:
            response.close()
            raise _refusal(url, response)
        return HttpAnswer(url, response, start=0, timeout=self._timeout)

    def _get(self, url: str, start: int) -> requests.Response:
        """The first answer that is no redirect."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        address = url
        for _ in range(REDIRECTS + 1):
            try:
                response = self._session.get(
                    address, headers=headers, stream=True, timeout=self._timeout
                )
                if not response.is_redirect:
                    return response
                with response:
                    address = self._session.location(response)
            except _FAILURES as error:
                raise _fault(address, error) from error
        raise TransportError(url=url, reason=f"more than {REDIRECTS} redirects")

    def close(self) -> None:
        self._session.close()


def _range(response: requests.Response) -> re.Match[str] | None:
    if response.status_code != 206:
        return None
    return _RANGE.fullmatch(response.headers.get("Content-Range", ""))


def _range_start(response: requests.Response) -> int | None:
    match = _range(response)
    return int(match[1]) if match else None


def _total(response: requests.Response, start: int) -> int | None:
    """Bytes of the whole file: a server may send less of it than was asked for."""
    match = _range(response)
    if match is not None and match[3] != "*":
        return int(match[3])
    length: int | None = response.raw.length_remaining
    return None if length is None else start + length


def _refusal(url: str, response: requests.Response) -> TransportError:
    status = response.status_code
    return TransportError(
        url=url,
        reason=f"{status} {response.reason or ''}".strip(),
        transient=status in TRANSIENT,
        retry_after=_retry_after(response.headers.get("Retry-After")),
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number of them, or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)

# What requests and urllib3 raise, first match wins: words, transient, unreachable.
_FAULTS: list[tuple[type[Exception], str, bool, bool]] = [
    (requests.exceptions.SSLError, "its certificate cannot be trusted", False, False),
    (requests.exceptions.ProxyError, "the proxy refused", True, True),
    (requests.exceptions.ConnectTimeout, "no connection in time", True, True),
    (requests.exceptions.Timeout, "timed out", True, False),
    (urllib3.exceptions.IncompleteRead, "the connection ended early", True, False),
    (urllib3.exceptions.ReadTimeoutError, "timed out", True, False),
    (urllib3.exceptions.ProtocolError, "the connection was cut", True, False),
    (requests.exceptions.ConnectionError, "cannot connect", True, True),
    (ValueError, "not a valid address", False, False),
]


def _fault(url: str, error: Exception) -> TransportError:
    inner = error.args[0] if error.args else None
    if isinstance(inner, urllib3.exceptions.ProtocolError):
        error = inner  # a host that hung up before it answered, but that was reached
    for kind, reason, transient, unreachable in _FAULTS:
        if isinstance(error, kind):
            return TransportError(
                url=url,
                reason=reason + _detail(error),
                transient=transient,
                unreachable=unreachable,
            )
    return TransportError(url=url, reason=f"{type(error).__name__}: {error}", transient=True)


def _detail(error: Exception) -> str:
    """What the system said at the bottom of a chain of errors, in brackets."""
    seen: list[Any] = [error]
    for item in seen:
        if isinstance(item, urllib3.exceptions.NameResolutionError):
            return " (no address is known for that host)"
        if isinstance(item, OSError) and item.strerror:
            return f" ({item.strerror})"
        inner = [*getattr(item, "args", ()), getattr(item, "reason", None), item.__context__]
        seen += [new for new in inner if isinstance(new, Exception) and new not in seen]
    return ""


def certificates() -> str:
    """The file or folder of certificates that servers are checked against."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or str(requests.utils.DEFAULT_CA_BUNDLE_PATH)
