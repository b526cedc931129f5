"""The server: one thread and one event loop for all clients.

Files go to sockets with sendfile, so one thread has time for all, and neither large files nor many
clients need memory.
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
from dshub.mirrors.serve.routes import Folder, Public, everything
from dshub.mirrors.serve.sockets import ClientSocket, Limits, listen, urls

TICK = 0.5  # seconds between two checks of the deadlines
PAUSE = 0.1  # seconds without accepting connections after the system ran out of sockets

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


@dataclass(eq=False)
class Server:
    """Serves a folder over HTTP, read-only.

    Attributes:
        listening: where clients connect; closed when the server ends.
        folder: the served folder.
        puller: fetches missing files; None to fetch nothing.
        limits: time limits for clients.
        log: called with each request when its response has ended.
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
        """Stop after the responses in progress, or at once if called again; from any thread."""
        with suppress(RuntimeError):  # it has ended already
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
            except OSError:  # the client is gone, or the system has no more sockets
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
        except OSError:  # gone already
            client.close()
            return
        connection = Connection(sock, self.folder, self.puller, self.log, name)
        task = asyncio.create_task(connection.run())
        self._connections[task] = connection
        # not in `run`: a task may be canceled before its first turn
        task.add_done_callback(lambda task: self._connections.pop(task).sock.close())

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; False if none is idle."""
        idle = [
            (connection.sock.deadline, id(task), task)
            for task, connection in self._connections.items()
            if connection.sock.idle and not task.cancelling()
        ]
        return bool(idle) and min(idle)[2].cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._close_late()

    def _close_late(self) -> None:
        """Close connections whose deadline has passed."""
        now = time.monotonic()
        for task, connection in self._connections.items():
            if connection.sock.deadline < now:
                task.cancel()

    async def _finish(self) -> None:
        """Let responses in progress end, for a while."""
        for task, connection in self._connections.items():
            connection.closing = True
            if connection.sock.idle:
                task.cancel()
        end = time.monotonic() + self.limits.farewell
        while self._connections and time.monotonic() < end:
            await asyncio.wait(self._connections, timeout=TICK)
            self._close_late()
        await _cancel(list(self._connections))


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def serving(
    folder: Path,
    *,
    public: Public = everything,
    puller: Puller | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve a folder to this machine while the block runs; yields its URL.

    Args:
        folder: what to serve; without a `puller` it is only read.
        public: which of its files are served; `dshub serve` uses `of_mirror`.
        puller: fetches missing files.
        limits: time limits for clients.
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
