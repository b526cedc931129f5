"""Serve files to all clients from one thread with one event loop.

Files are sent with sendfile, so one thread is fast enough, and memory use does not depend on the
size of files.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dshub.mirrors.serve.connections import Access, Connection
from dshub.mirrors.serve.pulling import Puller
from dshub.mirrors.serve.routes import Folder, Public, allow_all
from dshub.mirrors.serve.sockets import ClientSocket, Limits, listen, urls

TICK = 0.5  # seconds between checks of the deadlines
PAUSE = 0.1  # seconds to wait after the system ran out of sockets

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


@dataclass(eq=False)
class Server:
    """Read-only HTTP server for a folder.

    Attributes:
        listening: listening socket; closed when the server stops.
        folder: folder to serve.
        puller: fetcher of missing files; None to fetch nothing.
        limits: limits for clients.
        log: called after each response.
    """

    listening: socket.socket
    folder: Folder
    puller: Puller | None = None
    limits: Limits = field(default_factory=Limits)
    log: Callable[[Access], None] = lambda _: None

    def __post_init__(self) -> None:
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop after the responses in progress; a second call stops immediately.

        Can be called from any thread.
        """
        with suppress(RuntimeError):  # the server has already stopped
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._stopping.is_set():
            for task in self._connections:
                task.cancel()
        self._stopping.set()

    def run(self) -> None:
        """Serve until `stop` is called."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        with self.listening:
            helpers = [asyncio.create_task(work()) for work in (self._accept, self._watch)]
            await self._stopping.wait()
            await _cancel(helpers)
        await self._finish()
        if self.puller is not None:
            await self.puller.close()

    async def _accept(self) -> None:
        while True:
            try:
                client, address = await self._loop.sock_accept(self.listening)
            except OSError:  # the client disconnected, or the system is out of sockets
                self._make_room()
                await asyncio.sleep(PAUSE)
                continue
            if len(self._connections) < self.limits.clients or self._make_room():
                self._take(client, str(address[0]))
            else:
                with client, suppress(OSError):
                    client.send(_BUSY)

    def _take(self, client: socket.socket, name: str) -> None:
        try:
            sock = ClientSocket(client, self.limits)
        except OSError:  # the client disconnected
            client.close()
            return
        connection = Connection(sock, self.folder, self.puller, self.log, name)
        task = asyncio.create_task(connection.run())
        self._connections[task] = connection
        # a callback, because `run` never starts if the task is canceled first
        task.add_done_callback(lambda task: self._connections.pop(task).sock.close())

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; return False if none is idle."""
        idle = [
            (connection.sock.deadline, id(task), task)
            for task, connection in self._connections.items()
            if connection.sock.idle and not task.cancelling()
        ]
        return bool(idle) and min(idle)[2].cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._close_expired()

    def _close_expired(self) -> None:
        """Close connections after their deadline."""
        now = time.monotonic()
        for task, connection in self._connections.items():
            if connection.sock.deadline < now:
                task.cancel()

    async def _finish(self) -> None:
        """Wait for responses in progress, then close the remaining connections."""
        for task, connection in self._connections.items():
            connection.closing = True
            if connection.sock.idle:
                task.cancel()
        end = time.monotonic() + self.limits.farewell
        while self._connections and time.monotonic() < end:
            await asyncio.wait(self._connections, timeout=TICK)
            self._close_expired()
        await _cancel(list(self._connections))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def serving(
    folder: Path,
    *,
    public: Public = allow_all,
    puller: Puller | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve a folder on localhost inside a `with` block; yields the URL.

    Args:
        folder: folder to serve; nothing is written to it without a `puller`.
        public: predicate that selects the files to serve; `dshub serve` uses `of_mirror`.
        puller: fetcher of missing files.
        limits: limits for clients.
    """
    listening = listen("127.0.0.1", 0)
    server = Server(listening, Folder(folder, public), puller, limits or Limits())
    [url, *_] = urls(listening)
    thread = threading.Thread(target=server.run, daemon=True, name="dshub-serve")
    thread.start()
    try:
        yield url
    finally:
        server.stop()
        thread.join()
