"""urllib3 connections that bound the time for all headers of an answer.

They also skip early hints, and hand out a body as it arrives. urllib3 and `http.client` have no
public way to do either, so their classes are extended here, some private methods included.
"""

import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from typing_extensions import Buffer

INTERIM = 20  # interim answers such as "103 Early Hints" before the answer itself


class Wire(io.RawIOBase):
    """The bytes of a socket; if there is a deadline, reads time out then."""

    def __init__(self, stream: io.RawIOBase, connection: socket.socket) -> None:
        self._stream, self._socket = stream, connection
        self.deadline: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int | None:
        if self.deadline is not None:
            self._socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
        count: int | None = self._stream.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class Response(http.client.HTTPResponse):
    """Bounds the time for all headers together, and skips early hints.

    Python's own class applies the timeout to each piece of a header, so a byte a second holds it
    forever; and it takes any interim answer except "100 Continue" for the answer itself.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._wire = Wire(self.fp.detach(), sock)
        self._socket = sock
        self.fp = io.BufferedReader(self._wire, 1 << 16)

    def begin(self) -> None:
        with self._in_time():
            super().begin()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Require everything that the block reads to arrive within one timeout."""
        timeout = self._socket.gettimeout()
        self._wire.deadline = None if timeout is None else time.monotonic() + timeout
        yield
        self._wire.deadline = None
        self._socket.settimeout(timeout)

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status == 101 or not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine(f"more than {INTERIM} interim answers")

    def receive(self, buffer: memoryview) -> int:
        """Read bytes of the body as they arrive; 0 at the end."""
        if self.fp is None:  # at the end
            return 0
        if self.chunked:
            with self._in_time():  # lines between chunks can drip like headers
                data = self.read1(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        if self.length is not None:
            buffer = buffer[: self.length]
        count = self.fp.readinto1(buffer) if buffer else 0
        if self.length is not None:
            if buffer and not count:
                raise http.client.IncompleteRead(b"", self.length)
            self.length -= count
        if not count or self.length == 0:
            self._close_conn()  # type: ignore[attr-defined]
        return count


class Connection(HTTPConnection):
    """Keeps our response inside urllib3's."""

    def response_class(self, *args: Any, **options: Any) -> Response:  # type: ignore[override]
        self.body = Response(*args, **options)
        return self.body

    def getresponse(self) -> Any:
        response = super().getresponse()
        response.body = self.body  # type: ignore[attr-defined]
        return response


class TlsConnection(Connection, HTTPSConnection):
    """The same, encrypted."""


CONNECTION_CLASSES = {HTTPConnection: Connection, HTTPSConnection: TlsConnection}
