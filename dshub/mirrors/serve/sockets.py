"""Sockets of the server: listening, its addresses, and one client's socket with its deadline."""

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

BACKLOG = 1024  # connections that the system queues until they are accepted
SENDFILE = 2 << 20  # bytes of one sendfile call
COPIED = 1 << 17  # bytes copied at a time where sendfile does not work
DRAINED = 1 << 16  # bytes read of what a refused client still sends
DRAIN_TIME = 2.0  # seconds for that
SPARE = 256  # file descriptors kept for downloads

NEVER = float("inf")

_NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # of some file systems
# documentation networks (RFC 5737, RFC 3849): nothing is sent there, the system only looks up
# which of its own addresses it would use
_REMOTE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


@dataclass(frozen=True)
class Limits:
    """Time limits for clients, in seconds, and their number.

    Attributes:
        head: for the head of a request, from its first byte on.
        idle: between two requests.
        stall: without taking a byte of a response.
        farewell: for responses in progress when the server stops.
        clients: connections at once; beyond that, idle ones are closed first.
    """

    head: float = 15.0
    idle: float = 75.0
    stall: float = 60.0
    farewell: float = 5.0
    clients: int = 10_000


class Broken(Exception):  # noqa: N818  # never seen outside the server
    """The client is gone, or the response cannot be completed: close the connection."""


class ClientSocket:
    """A connected socket.

    Attributes:
        deadline: when the server closes it, on the clock of `time.monotonic`, unless progress
            moves the deadline first.
        idle: whether it waits for a request.
        sent: bytes of bodies handed to the system so far.
        ends_body: whether the end of the connection ends a body that is not complete yet.
    """

    def __init__(self, client: socket.socket, limits: Limits) -> None:
        # a body must not wait until the client has acknowledged the head
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._limits = client, limits
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self.idle, self.ends_body, self.sent = True, False, 0
        self._allow(limits.idle)

    def _allow(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    async def receive(self) -> bytes:
        """Receive the head of a request, without the empty line after it; too long ones are cut.

        Raises:
            Broken: the client closed the connection.
        """
        self.idle = True
        self._allow(self._limits.idle)
        await asyncio.sleep(0)  # other clients get a turn, however fast this one asks
        while True:
            if self.idle:  # empty lines before a request are skipped: RFC 9112, 2.2
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
        """Send bytes, `body` of which count as part of a body."""
        self._allow(self._limits.stall)
        await self._loop.sock_sendall(self._socket, data)
        self.sent += body

    async def send_file(self, file: FileIO, start: int, stop: int) -> None:
        """Send part of a file, with sendfile where that works.

        `loop.sock_sendfile` cannot be used: it does not tell whether the client takes any bytes.

        Raises:
            Broken: the file has become shorter.
        """
        if start < stop and hasattr(os, "sendfile"):
            start = await self._sendfile(file, start, stop)
        file.seek(start)
        while start < stop:
            piece = file.read(min(COPIED, stop - start))
            if not piece:
                raise Broken
            await self.send(piece, body=len(piece))
            start += len(piece)

    async def _sendfile(self, file: FileIO, start: int, stop: int) -> int:
        """Return the offset of the first byte that could not be sent in this way."""
        self._allow(self._limits.stall)
        writable = asyncio.Event()
        try:
            while True:
                start += self._sendfile_now(file, start, min(SENDFILE, stop - start))
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
        """Send as many bytes as the socket takes now; returns how many."""
        with suppress(BlockingIOError):
            count = os.sendfile(self._socket.fileno(), file.fileno(), start, size)
            if not count:
                raise Broken
            self.sent += count
            self._allow(self._limits.stall)
            return count
        return 0

    async def drain(self) -> None:
        """End the response, and read a little of what the client still sends.

        Closing at once would reset the connection, and the response might be lost.
        """
        self._allow(DRAIN_TIME)
        self._socket.shutdown(socket.SHUT_WR)
        left = DRAINED
        while left > 0 and (piece := await self._loop.sock_recv(self._socket, left)):
            left -= len(piece)

    def close(self) -> None:
        """Close the socket; reset the connection if that would make a cut-off body look whole."""
        if self.ends_body:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 picks a free one.

    Raises:
        DshubError: this machine has no such address, or the port is taken.
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
    """URLs at which clients reach a listening socket.

    For a socket that listens on every address: first the loopback URL, then the addresses that
    this machine uses to reach others, IPv4 before IPv6.
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
    """How many clients this process can serve, after raising its limit of open files.

    A client needs up to two descriptors: its socket and the file it gets.
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
