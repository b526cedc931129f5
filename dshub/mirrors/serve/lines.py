"""The line to one client: bytes in and out of its socket, and how long it may take for them."""

import asyncio
import errno
import os
import socket
import time
from dataclasses import dataclass
from io import FileIO

from dshub.mirrors.serve.messages import MOST_HEAD

PIECE = 2 << 20  # bytes of a file that the system is told to send at a time
COPIED = 1 << 17  # bytes copied at a time, where it cannot send them from a file itself
DRAINED = 1 << 16  # bytes read of what a refused client still sends
PATIENCE = 2.0  # seconds for that

NEVER = float("inf")

_UNABLE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # a file system that sendfile cannot read


@dataclass(frozen=True)
class Limits:
    """How long a client may take, in seconds, and how many there may be.

    Attributes:
        head: for the head of a request, from its first byte on.
        idle: between two requests.
        stall: without taking a byte of an answer.
        farewell: for what is under way when the server stops.
        clients: connections at once; beyond that, those that are idle go first.
    """

    head: float = 15.0
    idle: float = 75.0
    stall: float = 60.0
    farewell: float = 5.0
    clients: int = 10_000


class Broken(Exception):  # noqa: N818  # never seen outside the server
    """The client is gone, or the answer cannot go on as it began: the connection ends."""


class Line:
    """A connected socket.

    Attributes:
        deadline: when the server closes it, on the clock of `time.monotonic`, unless something
            moves before.
        idle: whether it waits for a request.
        sent: bytes of bodies handed to the system so far.
    """

    def __init__(self, client: socket.socket, limits: Limits) -> None:
        # an answer goes out in two parts, of which the second must not wait for an acknowledgement
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._limits = client, limits
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self.idle, self.sent = True, 0
        self.wait(limits.idle)

    def wait(self, seconds: float) -> None:
        """Give the client so long from now on."""
        self.deadline = time.monotonic() + seconds

    async def receive(self) -> bytes:
        """The head of the next request, without the empty line behind it.

        One that is too long is cut off.

        Raises:
            Broken: the client wants nothing more.
        """
        self.idle = True
        self.wait(self._limits.idle)
        await asyncio.sleep(0)  # others get their turn, however much this client asks for
        while True:
            if self.idle:  # empty lines between requests are passed over: RFC 9112, 2.2
                self._buffer = self._buffer.lstrip(b"\r\n")
                if self._buffer:
                    self.idle = False
                    self.wait(self._limits.head)
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if mark or len(head) > MOST_HEAD:
                self._buffer = rest
                return head
            piece = await self._loop.sock_recv(self._socket, MOST_HEAD)
            if not piece:
                raise Broken
            self._buffer += piece

    async def send(self, data: bytes, *, body: int = 0) -> None:
        """Send bytes, of which so many belong to the body."""
        self.wait(self._limits.stall)
        await self._loop.sock_sendall(self._socket, data)
        self.sent += body

    async def send_file(self, file: FileIO, start: int, stop: int) -> None:
        """Send a part of a file, as the system does it best.

        Raises:
            Broken: the file has become shorter.
        """
        if start < stop and hasattr(os, "sendfile"):
            start = await self._send_within(file, start, stop)
        file.seek(start)
        while start < stop:
            piece = file.read(min(COPIED, stop - start))
            if not piece:
                raise Broken
            await self.send(piece, body=len(piece))
            start += len(piece)

    async def _send_within(self, file: FileIO, start: int, stop: int) -> int:
        """Have the system send from the file; returns how far it could.

        Each time the socket takes more, one call of the system fills it, without a turn of the
        task that waits for the end.
        """
        done: asyncio.Future[int] = self._loop.create_future()
        at, into, out = start, self._socket.fileno(), file.fileno()

        def fill() -> None:
            nonlocal at
            if done.done():  # once more before the task takes the writer away
                return
            try:
                count = os.sendfile(into, out, at, min(PIECE, stop - at))
            except BlockingIOError:
                return
            except OSError as error:
                _settle(done, at if error.errno in _UNABLE else error)
                return
            self.wait(self._limits.stall)
            self.sent += count
            at += count
            if at == stop or not count:
                _settle(done, at if count else Broken())

        self.wait(self._limits.stall)
        fill()
        if not done.done():
            self._loop.add_writer(into, fill)
        try:
            return await done
        finally:
            self._loop.remove_writer(into)

    async def drain(self) -> None:
        """Say that no more comes, and read a little of what the client still sends.

        Closing at once would reset the connection, and the answer might be lost.
        """
        self.wait(PATIENCE)
        self._socket.shutdown(socket.SHUT_WR)
        left = DRAINED
        while left > 0 and (piece := await self._loop.sock_recv(self._socket, left)):
            left -= len(piece)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _settle(future: "asyncio.Future[int]", outcome: int | Exception) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
