"""HTTP and HTTPS, through requests: connections are kept and shared by all threads.

Proxy, netrc and CA settings are those of the environment, as requests reads them. The body is
asked for as it is stored (`Accept-Encoding: identity`) and never decoded: checksums are of the
published bytes.
"""

import email.utils
import re
import time
from typing import Any, Self
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from dshub import __version__
from dshub.errors import TransportError

CONNECTIONS = 16  # kept alive, over all hosts together
REDIRECTS = 10
TRANSIENT = {408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524}

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class _Session(requests.Session):
    """Follows a redirect only where it leads to http or https, and never from https to http."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            old, new = urlsplit(resp.url).scheme, urlsplit(target).scheme or "http"
            unsafe = old == "https" and new == "http" and urlsplit(target).scheme
            if new not in {"http", "https"} or unsafe:
                resp.close()
                reason = f"redirect to {new}: refused"
                raise TransportError(url=resp.url, reason=reason)
        return target


class HttpAnswer:
    """The body of one response."""

    def __init__(self, url: str, response: requests.Response, *, start: int) -> None:
        self.start = start
        length = response.headers.get("Content-Length", "")
        self.total = start + int(length) if length.isdigit() else None
        self._url, self._response = url, response

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._response.raw.read1(size, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _fault(self._url, error) from error
        return data

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
        self._session.max_redirects = REDIRECTS
        self._session.headers.update(
            {"User-Agent": f"dshub/{__version__}", "Accept-Encoding": "identity"}
        )
        adapter = HTTPAdapter(pool_connections=CONNECTIONS, pool_maxsize=CONNECTIONS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def open(self, url: str, *, start: int = 0) -> HttpAnswer:
        response = self._get(url, start)
        if start and response.status_code in {206, 416}:
            if response.status_code == 206 and _range_start(response) == start:
                return HttpAnswer(url, response, start=start)
            response.close()  # an answer to another question: take the file from its beginning
            response = self._get(url, 0)
        if response.status_code != 200:
            response.close()
            raise _refusal(url, response)
        return HttpAnswer(url, response, start=0)

    def _get(self, url: str, start: int) -> requests.Response:
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            return self._session.get(url, headers=headers, stream=True, timeout=self._timeout)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _fault(url, error) from error

    def close(self) -> None:
        self._session.close()


def _range_start(response: requests.Response) -> int | None:
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


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
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


# What requests and urllib3 raise, first match wins: words, transient, unreachable.
_FAULTS: list[tuple[type[Exception], str, bool, bool]] = [
    (requests.exceptions.SSLError, "its certificate cannot be trusted", False, False),
    (requests.exceptions.ProxyError, "the proxy refused", True, True),
    (requests.exceptions.ConnectTimeout, "no connection in time", True, True),
    (requests.exceptions.Timeout, "timed out", True, False),
    (requests.exceptions.TooManyRedirects, f"more than {REDIRECTS} redirects", False, False),
    (requests.exceptions.InvalidURL, "not a valid address", False, False),
    (requests.exceptions.InvalidSchema, "not an http or https address", False, False),
    (urllib3.exceptions.IncompleteRead, "the connection ended early", True, False),
    (urllib3.exceptions.ReadTimeoutError, "timed out", True, False),
    (urllib3.exceptions.ProtocolError, "the connection was cut", True, False),
    (requests.exceptions.ConnectionError, "cannot connect", True, True),
]


def _fault(url: str, error: Exception) -> TransportError:
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
