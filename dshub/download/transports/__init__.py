"""Bytes from an address; one module per URL scheme.

A transport opens an address at an offset and returns an `Answer`: a stream that knows its place in
the file and the length of the file. It neither retries nor verifies, which the downloader does.
Every failure is a `TransportError` that says whether trying again can help.

A new scheme is a new module here that defines `Transport`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

from dshub import plugins
from dshub.display import cause
from dshub.errors import TransportError

_ALIASES = {"https": "http", "": "file"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)  # one letter is a drive


class Answer(Protocol):
    """The bytes of one file from `start` on; a context manager.

    Attributes:
        start: offset of the first byte: the one asked for, or 0 if the source cannot seek.
        total: bytes of the whole file; None if the source does not say.
        etag: a strong validator of the file's version, or empty.
        ranges: whether other parts of the file can be asked for.
        encoding: a content encoding such as `gzip`, sent although it was not asked for; empty if
            the bytes are the file's own.
    """

    start: int
    total: int | None
    etag: str = ""
    ranges: bool = True
    encoding: str = ""

    def readinto(self, buffer: memoryview) -> int:
        """Read some of the next bytes into a buffer; 0 at the end. Raises TransportError."""

    def close(self) -> None:
        """Release the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class FileAnswer(Answer):
    """An answer that reads a seekable file.

    Args:
        url: the address.
        file: closed with this.
        size: bytes of the whole file; None if unknown.
        start: the offset to begin at; 0 is used if the file is shorter.
        fault: makes an error of what `file` raises.
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
    """Facts about a file without its bytes.

    Attributes:
        status: of HTTP, after all redirects; other schemes say 200 for a file that exists.
        total: bytes of the whole file; None if the source does not say.
        url: the address that answered, after all redirects.
    """

    status: int
    total: int | None
    url: str


class Transport(Protocol):
    """Opens addresses of some schemes. One instance may serve several threads."""

    def __init__(self, *, timeout: float) -> None: ...

    def open(self, url: str, *, start: int = 0, stop: int | None = None, etag: str = "") -> Answer:
        """Open the bytes at `url` from offset `start` on.

        Args:
            url: the address.
            start: offset of the first byte to read.
            stop: offset after the last one, or None for the rest; more may be delivered.
            etag: validator of the expected version; any other version is delivered as a whole.

        Raises:
            TransportError: the source did not answer, or not with the file.
        """

    def head(self, url: str) -> Head:
        """Ask whether a file exists and how large it is, without its bytes.

        Raises:
            TransportError: there was no answer. A refusal is an answer, with its status.
        """
        with self.open(url) as answer:
            return Head(200, answer.total, url)

    def close(self) -> None:
        """Close every connection."""


class Transports:
    """One transport of each scheme, made when first needed and shared by all threads."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._transports: dict[str, Transport] = {}

    def of(self, url: str) -> Transport:
        """Return the transport for an address; a path without a scheme is a file.

        Raises:
            UnknownNameError: no transport has its scheme.
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
