"""Listen for clients, and send and receive on client sockets with deadlines."""

import asyncio
import errno
import ipaddress
import os
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO

from dshub.errors import DshubError
from dshub.mirrors.serve.http import MAX_HEAD

BACKLOG = 1024  # connections that the system queues before they are accepted
SENDFILE_CHUNK = 2 << 20  # bytes per sendfile call
COPY_CHUNK = 1 << 17  # bytes per read without sendfile
DRAIN_LIMIT = 1 << 16  # bytes to read from a refused client before closing
DRAIN_TIME = 2.0  # seconds to read from a refused client before closing
SPARE = 256  # file descriptors reserved for downloads

NEVER = float("inf")

# errors of file systems without support for sendfile
_NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
# documentation addresses (RFC 5737, RFC 3849): connecting a UDP socket sends nothing, but shows
# which local address the system would use
_REMOTE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


@dataclass(frozen=True)
class Limits:
    """Timeouts in seconds, and the maximum number of clients.

    Attributes:
        head: time to receive a request head, from its first byte.
        idle: time between requests.
        stall: time in which the client must receive at least one byte of a response.
        farewell: time to finish responses when the server stops.
        clients: maximum number of connections; an idle one is closed to accept another.
    """

    head: float = 15.0
    idle: float = 75.0
    stall: float = 60.0
    farewell: float = 5.0
    clients: int = 10_000


class Broken(Exception):  # noqa: N818  # never seen outside the server
    """Raised to close a connection that cannot complete a response."""


class ClientSocket:
    """Connected socket of a client.

    Attributes:
        deadline: time from `time.monotonic` at which the server closes the socket; progress
            extends it.
        idle: True while waiting for a request.
        sent: total number of body bytes sent.
        ends_body: True while sending a body without a length, which closing the socket would end.
    """

    def __init__(self, client: socket.socket, limits: Limits) -> None:
        # without this, a body waits until the client has acknowledged the head
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._limits = client, limits
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self.idle, self.ends_body, self.sent = True, False, 0
        self._allow(limits.idle)

    def _allow(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    async def receive(self) -> bytes:
        """Receive the head of a request, without the empty line that ends it.

        An oversized head is returned unfinished, for `http.parse` to refuse.

        Raises:
            Broken: the client closed the connection.
        """
        self.idle = True
        self._allow(self._limits.idle)
        await asyncio.sleep(0)  # let other clients run, even if the next request is in the buffer
        while True:
            if self.idle:  # skip empty lines before a request (RFC 9112, 2.2)
                self._buffer = self._buffer.lstrip(b"\r\n")
                if self._buffer:
                    self.idle = False
                    self._allow(self._limits.head)
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if end or len(head) > MAX_HEAD:
                self._buffer = rest
                return head
            piece = await self._loop.sock_recv(self._socket, MAX_HEAD)
            if not piece:
                raise Broken
            self._buffer += piece

    async def send(self, data: bytes, *, body: int = 0) -> None:
        """Send bytes, and add `body` to the number of sent body bytes."""
        self._allow(self._limits.stall)
        await self._loop.sock_sendall(self._socket, data)
        self.sent += body

    async def send_file(self, file: FileIO, start: int, stop: int) -> None:
        """Send part of a file, with sendfile if possible.

        `loop.sock_sendfile` does not report progress, so it cannot detect stalled clients.

        Raises:
            Broken: the file is shorter than `stop`.
        """
        if start < stop and hasattr(os, "sendfile"):
            start = await self._sendfile(file, start, stop)
        file.seek(start)
        while start < stop:
            piece = file.read(min(COPY_CHUNK, stop - start))
            if not piece:
                raise Broken
            await self.send(piece, body=len(piece))
            start += len(piece)

    async def _sendfile(self, file: FileIO, start: int, stop: int) -> int:
        """Send part of a file with sendfile, and return the offset of the first unsent byte."""
        self._allow(self._limits.stall)
        writable = asyncio.Event()
        try:
            while True:
                start += self._sendfile_now(file, start, min(SENDFILE_CHUNK, stop - start))
                if start == stop:
                    break
                writable.clear()
                self._loop.add_writer(self._socket, writable.set)
                await writable.wait()
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
        finally:
            self._loop.remove_writer(self._socket)
        return start

    def _sendfile_now(self, file: FileIO, start: int, size: int) -> int:
        """Send as many bytes as the socket accepts without blocking, and return their number."""
        with suppress(BlockingIOError):
            count = os.sendfile(self._socket.fileno(), file.fileno(), start, size)
            if not count:
                raise Broken
            self.sent += count
            self._allow(self._limits.stall)
            return count
        return 0

    async def drain(self) -> None:
        """End the response, and read some of the remaining input.

        Closing a socket with unread input resets the connection, which can lose the response.
        """
        self._allow(DRAIN_TIME)
        self._socket.shutdown(socket.SHUT_WR)
        remaining = DRAIN_LIMIT
        while remaining > 0 and (piece := await self._loop.sock_recv(self._socket, remaining)):
            remaining -= len(piece)

    def close(self) -> None:
        """Close the socket, with a reset if a normal close would make a partial body look whole."""
        if self.ends_body:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 selects a free port.

    Raises:
        DshubError: the address does not belong to this machine, or the port is in use.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        dual = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=dual
        )
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "use `--port 0` for a free port, or `--host 0.0.0.0` for every address"
        raise DshubError(f"cannot listen on {host} port {port}: {reason}", hint=hint) from error
    listening.setblocking(False)  # noqa: FBT003  # as asyncio requires
    return listening


def urls(listening: socket.socket) -> list[str]:
    """Return the URLs of a listening socket.

    If the socket listens on every address, the loopback URL comes first, followed by the outbound
    addresses of this machine, IPv4 before IPv6.
    """
    host, port = listening.getsockname()[:2]
    hosts = [host]
    if ipaddress.ip_address(host).is_unspecified:
        hosts = ["127.0.0.1"]
        for family, remote in _REMOTE if listening.family == socket.AF_INET6 else _REMOTE[:1]:
            with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((remote, 9))
                hosts.append(probe.getsockname()[0])
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}" for name in hosts]


def room_for_clients(most: int) -> int:
    """Raise the limit of open files for `most` clients, and return how many clients fit.

    A client needs up to two descriptors, for its socket and for a file.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return most
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    needed = 2 * most + SPARE
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft < needed:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
            soft = needed
    return max(16, min(most, (soft - SPARE) // 2))
