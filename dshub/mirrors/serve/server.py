"""The server: one thread and one event loop for all clients, idle or not.

Bodies go from the file to the socket inside the system (`sendfile`), so that one thread has time
for all, and neither a large file nor many clients need memory.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dshub.errors import DshubError
from dshub.mirrors.serve.connections import Connection, Served
from dshub.mirrors.serve.lines import Limits, Line
from dshub.mirrors.serve.places import Folder, Public, everything, urls
from dshub.mirrors.serve.pulling import Puller

TICK = 0.5  # seconds between two looks at who has taken too long
BACKLOG = 1024  # connections that the system keeps until they are taken
REST = 0.1  # seconds without taking any, after the system could give none

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; port 0 takes a free one.

    Raises:
        DshubError: there is no such address here, or the port is taken.
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
        told = getattr(error, "strerror", None) or str(error)
        hint = "`--port 0` takes a free port; `--host 0.0.0.0` listens on every address"
        raise DshubError(f"cannot listen on {host} port {port}: {told}", hint=hint) from error
    listening.settimeout(0)  # asyncio wants it so
    return listening


class Server:
    """Serves a folder over HTTP, to be read only.

    Args:
        listening: where clients connect; closed when the server ends.
        folder: what is served.
        puller: fetches what is missing; None where nothing is fetched.
        limits: how long clients may take.
        log: told of each request when its answer has ended.
    """

    def __init__(
        self,
        listening: socket.socket,
        folder: Folder,
        *,
        puller: Puller | None = None,
        limits: Limits | None = None,
        log: Callable[[Served], None] = lambda _: None,
    ) -> None:
        self._listening, self._folder, self._puller = listening, folder, puller
        self._limits, self._log = limits or Limits(), log
        self._tasks: dict[asyncio.Task[None], Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._lock = threading.RLock()  # a signal may come while it is held
        self._stopped = False

    def stop(self) -> None:
        """End, after what is under way, or at once when called again; from any thread."""
        with self._lock:
            again, self._stopped = self._stopped, True
            loop = self._loop
        with suppress(RuntimeError):  # it has ended already
            if loop is not None:
                loop.call_soon_threadsafe(self._cut if again else self._stop.set)

    def run(self) -> None:
        """Serve until `stop` is called."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self._stopped:
                self._stop.set()
        with self._listening:
            helpers = [asyncio.create_task(work()) for work in (self._accept, self._sweep)]
            await self._stop.wait()
            await _cancel(helpers)
        await self._finish()
        if self._puller is not None:
            await self._puller.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(self._listening)
            except OSError:  # it went again, or the system has no more sockets
                self._make_room()
                await asyncio.sleep(REST)
                continue
            if len(self._tasks) >= self._limits.clients and not self._make_room():
                with client, suppress(OSError):
                    client.send(_BUSY)
                continue
            self._take(client, str(address[0]))

    def _take(self, client: socket.socket, name: str) -> None:
        try:
            line = Line(client, self._limits)
        except OSError:  # gone already
            client.close()
            return
        connection = Connection(line, self._folder, self._puller, log=self._log, client=name)
        task = asyncio.create_task(connection.run())
        self._tasks[task] = connection
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """A connection has ended, or was ended before its first turn."""
        self._tasks.pop(task).line.close()

    def _make_room(self) -> bool:
        """Close the connection that has been idle the longest; False where none is idle."""
        idle = ((item.line.deadline, id(task), task) for task, item in self._idle())
        _, _, task = min(idle, default=(0.0, 0, None))
        return task is not None and task.cancel()

    def _idle(self) -> Iterator[tuple[asyncio.Task[None], Connection]]:
        return (
            (task, item)
            for task, item in self._tasks.items()
            if item.line.idle and not task.cancelling()
        )

    async def _sweep(self) -> None:
        """Close what is past its deadline."""
        while True:
            await asyncio.sleep(TICK)
            self._close_late()

    def _close_late(self) -> None:
        now = time.monotonic()
        for task, connection in list(self._tasks.items()):
            if connection.line.deadline < now:
                task.cancel()

    async def _finish(self) -> None:
        """Let answers end that are under way, for a while."""
        for task, connection in list(self._tasks.items()):
            connection.last = True
            if connection.line.idle:
                task.cancel()
        end = time.monotonic() + self._limits.farewell
        while self._tasks and time.monotonic() < end:
            await asyncio.wait(list(self._tasks), timeout=TICK)
            self._close_late()
        await _cancel(list(self._tasks))

    def _cut(self) -> None:
        for task in list(self._tasks):
            task.cancel()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def serving(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public: Public = everything,
    puller: Puller | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve a folder while the block runs; yields its address, such as `http://127.0.0.1:4711`.

    Args:
        folder: what to serve; without a `puller` it is only read.
        host: the address to listen on.
        port: 0 takes a free one.
        public: which of its files are for others; `of_mirror` is what `dshub serve` serves.
        puller: fetches what is missing.
        limits: how long clients may take.

    Raises:
        DshubError: it cannot listen there.
    """
    listening = listen(host, port)
    server = Server(listening, Folder(folder, public), puller=puller, limits=limits)
    [url, *_] = urls(listening)
    thread = threading.Thread(target=server.run, daemon=True, name="dshub-serve")
    thread.start()
    try:
        yield url
    finally:
        server.stop()
        thread.join()
