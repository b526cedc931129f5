"""urllib3 connections with a time limit for all headers of a response.

The connections also skip early hints, and return bytes of the body as they arrive. urllib3 and
`http.client` have no public API for this, so subclasses override some private methods.
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

INTERIM = 20  # maximum interim responses, such as "103 Early Hints"


class Wire(io.RawIOBase):
    """Raw stream of a socket. Reads time out at the deadline, if it is set."""

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
    """Response with a time limit for all headers together, and without early hints.

    In the superclass, the timeout applies to each read, so a server that sends one byte per second
    blocks forever. It also treats any interim response except "100 Continue" as the final response.
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
        """Limit the total time of all reads in the block to one timeout."""
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
        raise http.client.BadStatusLine(f"more than {INTERIM} interim responses")

    def receive(self, buffer: memoryview) -> int:
        """Read available bytes of the body into a buffer; return their number, 0 at the end."""
        if self.fp is None:  # end of the body
            return 0
        if self.chunked:
            with self._in_time():  # lines between chunks can arrive as slowly as headers
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
    """HTTP connection that sets the `Response` as `body` of the urllib3 response."""

    def response_class(self, *args: Any, **options: Any) -> Response:  # type: ignore[override]
        self.body = Response(*args, **options)
        return self.body

    def getresponse(self) -> Any:
        response = super().getresponse()
        response.body = self.body  # type: ignore[attr-defined]
        return response


class TlsConnection(Connection, HTTPSConnection):
    """HTTPS connection that sets the `Response` as `body` of the urllib3 response."""


CONNECTION_CLASSES = {HTTPConnection: Connection, HTTPSConnection: TlsConnection}
