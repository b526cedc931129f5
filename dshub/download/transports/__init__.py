"""Bytes from an address: one file per scheme.

A transport opens an address at an offset and hands back an `Answer`: a stream that says where in
the file it begins and how long the file is. It neither retries nor verifies; that is the
fetcher's work. Every failure is a `TransportError` that says whether trying again may help.

A new scheme is a new file here that defines `Transport`.
"""

import re
from dataclasses import dataclass
from typing import Protocol, Self

from dshub import plugins

_ALIASES = {"https": "http", "": "file"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)  # one letter is a drive


class Answer(Protocol):
    """The bytes of one file, from `start` on. Close it, or use it as a context manager.

    Attributes:
        start: offset in the file of the first byte delivered: what was asked for, or 0 where the
            source cannot begin elsewhere.
        total: bytes of the whole file, or None where the source does not tell.
        etag: a strong validator of the file's version, or empty.
        ranges: whether other parts of the file can be asked for.
        encoding: how the bytes were encoded for the way although that was not asked for, such as
            `gzip`; empty where they are the file's own.
    """

    start: int
    total: int | None
    etag: str
    ranges: bool
    encoding: str

    def readinto(self, buffer: memoryview) -> int:
        """Put further bytes into a buffer, as they come; 0 at the end. Raises TransportError."""

    def close(self) -> None:
        """Give the connection back."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...


@dataclass(frozen=True)
class Head:
    """What a source says of a file without sending it.

    Attributes:
        status: of HTTP, after all redirects; 200 where a scheme has none and the file is there.
        total: bytes of the whole file, or None where the source does not tell.
        url: the address that answered, where redirects led.
    """

    status: int
    total: int | None
    url: str


class Transport(Protocol):
    """Opens addresses of some schemes. One instance may serve several threads."""

    def __init__(self, *, timeout: float) -> None: ...

    def open(self, url: str, *, start: int = 0, stop: int | None = None, etag: str = "") -> Answer:
        """The bytes at `url` from offset `start` on.

        Args:
            url: the address.
            start: offset of the first byte wanted.
            stop: offset behind the last one, or None for the rest; more may be delivered.
            etag: validator of the version that is wanted; of another version the answer is the
                whole file.

        Raises:
            TransportError: the source did not answer, or not with the file.
        """

    def head(self, url: str) -> Head:
        """Whether a file is there, and how large it is; its bytes are not asked for.

        Raises:
            TransportError: nobody answered. A refusal is an answer, told by its status.
        """

    def close(self) -> None:
        """Let go of every connection."""


class Transports:
    """One transport of each scheme, made when first needed and shared by all threads."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._made: dict[str, Transport] = {}

    def of(self, url: str) -> Transport:
        """The transport for an address; a path without a scheme is a file.

        Raises:
            UnknownNameError: there is none for its scheme.
        """
        match = _SCHEME.match(url)
        scheme = match[1].lower() if match else ""
        name = _ALIASES.get(scheme, scheme)
        if name not in self._made:
            made: Transport = plugins.module("transports", name).Transport(timeout=self._timeout)
            self._made.setdefault(name, made)
        return self._made[name]

    def close(self) -> None:
        """Close every transport that was made."""
        for transport in self._made.values():
            transport.close()
