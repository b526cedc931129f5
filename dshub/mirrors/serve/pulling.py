"""Fetch missing files once each, and stream them to every waiting client while they arrive.

The fetcher's threads write a file; the server's event loop reads what has arrived, for any number
of clients. Those bytes are not checked yet. So the last byte of a file is held back until the
checksum is right. A response is cut off if some of its bytes are taken back because another source
is tried from the beginning. No client can mistake such a response for the whole file.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import msgspec

from dshub.cache.files import open_file
from dshub.cache.partial import Partial
from dshub.cache.store import Store
from dshub.catalog.manifest import Resource
from dshub.catalog.registry import Registry
from dshub.checksums import Digest
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.errors import DshubError, FetchError, StoreError, TransportError
from dshub.mirrors.serve.sockets import COPIED, NEVER, Broken, ClientSocket
from dshub.progress import Silent
from dshub.settings import Settings

PARALLEL = 8  # files fetched at once; others wait for their turn
REMEMBERED = 10.0  # seconds before the sources are asked again after a failure
STOP_TIME = 5.0  # seconds for fetches to save what they have when the server stops


class Pull(Silent):
    """One file being fetched, and the `Progress` of its fetcher.

    Attributes:
        job: the file.
        path: where the file is, once it has arrived and was checked.
        error: why the fetch failed.
        ended: when it ended, on the clock of `time.monotonic`.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.path: Path | None = None
        self.error: BaseException | None = None
        self.ended = 0.0
        self._partial: Partial | None = None
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    @property
    def settled(self) -> bool:
        """Whether the fetch has ended, well or not."""
        return self.path is not None or self.error is not None

    def peek(self, start: int, most: int) -> tuple[int, bytes]:
        """Read bytes that have arrived, from `start` on; see `Partial.peek`."""
        try:
            return self._partial.peek(start, most) if self._partial else (0, b"")
        except DshubError as error:  # the disk
            raise Broken from error

    @property
    def status(self) -> HTTPStatus:
        """The status for a failed fetch."""
        if isinstance(self.error, StoreError):
            return HTTPStatus.INSUFFICIENT_STORAGE
        if isinstance(self.error, FetchError):
            errors = [error for errors in self.error.attempts.values() for error in errors]
            if all(isinstance(error, TransportError) and error.absent for error in errors):
                return HTTPStatus.NOT_FOUND
        return HTTPStatus.BAD_GATEWAY

    async def news(self) -> None:
        """Wait until more has arrived, or the fetch has ended."""
        await self._news.wait()

    # called in threads of the fetcher

    def follow(self, _: Job, partial: Partial) -> None:
        """Take note of the file that the fetcher begins to write."""
        self._partial = partial

    def advance(self, amount: int) -> None:
        """Wake the clients: bytes have arrived, or were taken back."""
        del amount
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._wake)

    def settle(self, path: Path | None, error: BaseException | None) -> None:
        """End the fetch, with a path or an error."""
        self.ended = time.monotonic()
        self.path, self.error = path, error
        self.advance(0)

    def _wake(self) -> None:
        self._news.set()
        self._news.clear()


@dataclass(eq=False)
class Puller:
    """Fetches files that a folder does not have, each of them once at a time.

    Files are known from the registry as it is now. Mirrors are also asked for other checksums.

    Attributes:
        store: of the served folder; files go there.
        registry: lists the files.
        settings: the mirrors to ask first, and how.
        sources: whether to ask the URLs in manifests too.
        say: called with a line for a person about each fetch, from several threads.
    """

    store: Store
    registry: Registry
    settings: Settings
    sources: bool = True
    say: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._jobs = {
            resource.digest: Job(manifest.name, name, resource if self.sources else _bare(resource))
            for manifest in self.registry.manifests()
            for name, resource in manifest.resources.items()
        }
        self._pulls: dict[Digest, Pull] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = threading.Event()
        self._turns = asyncio.Semaphore(PARALLEL)

    def pull(self, digest: Digest) -> Pull | None:
        """Fetch a file, or join a fetch that runs or failed recently; None if no source has it.

        Called in the server's loop.
        """
        pull = self._pulls.get(digest)
        if pull is None or (pull.settled and time.monotonic() - pull.ended >= REMEMBERED):
            job = self._job(digest)
            if job is None:
                return None
            pull = self._pulls[digest] = Pull(job)
            task = asyncio.get_running_loop().create_task(self._run(digest, pull))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return pull

    def _job(self, digest: Digest) -> Job | None:
        job = self._jobs.get(digest)
        if job is None and self.settings.mirrors:  # a mirror may have it all the same
            hexes: dict[str, str] = {digest.algorithm: digest.hex}
            resource = msgspec.convert({"filename": digest.hex, **hexes}, Resource)
            job = Job("a mirror", digest.short, resource)
        return job

    async def _run(self, digest: Digest, pull: Pull) -> None:
        async with self._turns:
            # a daemon, so that a silent source cannot keep the process alive
            threading.Thread(target=self._fetch, args=(pull,), daemon=True).start()
            while not pull.settled:
                await pull.news()
        if pull.path is not None:
            self._pulls.pop(digest, None)

    def _fetch(self, pull: Pull) -> None:
        path, error = None, None
        try:
            fetcher = Fetcher.from_settings(
                self.store, self.settings, progress=pull, follow=pull.follow, stop=self._stop
            )
            path = fetcher.fetch([pull.job])[0].path
            self.say(f"fetched {pull.job.title} of {pull.job.dataset}")
        except BaseException as caught:  # noqa: BLE001  # handed to the waiting clients
            error = caught
            self.say(str(caught))
        pull.settle(path, error)

    async def close(self) -> None:
        """Stop every fetch; the next one continues with the bytes that have arrived."""
        self._stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_TIME)
        for task in list(self._tasks):
            task.cancel()


def _bare(resource: Resource) -> Resource:
    """The same file, to be had from mirrors alone."""
    return msgspec.structs.replace(resource, urls=(), filename=resource.name)


async def send_arriving(sock: ClientSocket, pull: Pull, span: range) -> None:
    """Send part of a file as it arrives.

    Args:
        sock: of the client.
        pull: the file.
        span: the bytes to send, which may end after the file.

    Raises:
        Broken: the fetch failed, or bytes that were sent have been taken back.
    """
    at, size = span.start, pull.job.resource.size
    limit = span.stop - (span.stop == size)  # a client with the last byte has a checked file
    version = None  # of the file whose bytes were sent
    while at < span.stop:
        path = pull.path  # before `peek`: once it is set, the version is final
        current, piece = pull.peek(at, min(COPIED, limit - at))
        if version not in {None, current} or pull.error is not None:
            raise Broken
        if path is not None:
            with open_file(path) as file:
                await sock.send_file(file, at, min(span.stop, os.fstat(file.fileno()).st_size))
            return
        if piece:
            version, at = current, at + len(piece)
            await sock.send(piece, body=len(piece))
        else:
            sock.deadline = NEVER
            await pull.news()
