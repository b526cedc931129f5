"""Read files from URLs, with one module per URL scheme.

A transport opens a URL at an offset and returns an `Answer`, a stream with its offset and the size
of the file. Transports neither retry nor verify, because the downloader does. Every failure is a
`TransportError` that states whether a retry can help.

To support another scheme, add a module that defines `Transport`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

from dshub import plugins
from dshub.display import cause
from dshub.errors import TransportError

_ALIASES = {"https": "http", "": "file"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)  # a single letter is a Windows drive


class Answer(Protocol):
    """Stream of a file's bytes from `start` on, and context manager that closes the stream.

    Attributes:
        start: offset of the first byte, which is the requested one, or 0 if the source cannot seek.
        total: size of the file in bytes; None if the source does not report it.
        etag: strong validator of the file's version, or empty.
        ranges: True if the source supports range requests.
        encoding: unrequested content encoding such as `gzip`; empty if the bytes are not encoded.
    """

    start: int
    total: int | None
    etag: str = ""
    ranges: bool = True
    encoding: str = ""

    def readinto(self, buffer: memoryview) -> int:
        """Read into a buffer, and return the byte count, 0 at the end; raises TransportError."""

    def close(self) -> None:
        """Release the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class FileAnswer(Answer):
    """Answer from a seekable file.

    Args:
        url: URL of the file.
        file: open file, closed with the answer.
        size: size of the file in bytes; None if unknown.
        start: requested offset, replaced with 0 if the file is shorter.
        fault: function that converts an exception of `file` to a TransportError.
    """

    def __init__(
        self,
        url: str,
        file: Any,
        size: int | None,
        start: int,
        fault: Callable[[str, Exception], TransportError],
    ) -> None:
        self._url, self._file, self._fault = url, file, fault
        self.start = start if size is None or start <= size else 0
        self.total, self.ranges = size, size is not None
        file.seek(self.start)

    def readinto(self, buffer: memoryview) -> int:
        try:
            return self._file.readinto(buffer) or 0
        except Exception as error:  # noqa: BLE001  # fsspec backends can raise anything
            raise self._fault(self._url, error) from cause(error, self._url)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Head:
    """Status and size of a file.

    Attributes:
        status: HTTP status after all redirects; for other schemes, 200 if the file exists.
        total: size of the file in bytes; None if the source does not report it.
        url: final URL after all redirects.
    """

    status: int
    total: int | None
    url: str


class Transport(Protocol):
    """Access to the URLs of a scheme. Instances are thread-safe."""

    def __init__(self, *, timeout: float) -> None: ...

    def open(self, url: str, *, start: int = 0, stop: int | None = None, etag: str = "") -> Answer:
        """Open the file at `url` from offset `start` on.

        Args:
            url: URL of the file.
            start: offset of the first byte to read.
            stop: offset after the last byte to read, or None for the end of the file. The answer
                can be longer.
            etag: validator of the expected version. The answer for another version is the whole
                file.

        Raises:
            TransportError: the source did not respond, or responded without the file.
        """

    def head(self, url: str) -> Head:
        """Return the status and size of a file without downloading it.

        Raises:
            TransportError: the source did not respond. An error status is returned, not raised.
        """
        with self.open(url) as answer:
            return Head(200, answer.total, url)

    def close(self) -> None:
        """Close every connection."""


class Transports:
    """Transports by scheme, created on first use and shared by all threads."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._transports: dict[str, Transport] = {}

    def of(self, url: str) -> Transport:
        """Return the transport for a URL, or for a path without a scheme.

        Raises:
            UnknownNameError: no transport supports the scheme of the URL.
        """
        match = _SCHEME.match(url)
        scheme = match[1].lower() if match else ""
        name = _ALIASES.get(scheme, scheme)
        if name not in self._transports:
            transport = plugins.module("transports", name).Transport(timeout=self._timeout)
            self._transports.setdefault(name, transport)
        return self._transports[name]

    def close(self) -> None:
        """Close every transport."""
        for transport in self._transports.values():
            transport.close()
