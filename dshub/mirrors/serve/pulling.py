"""Fetch missing files, and stream each one to all waiting clients while it arrives.

Fetcher threads write a file, and the server's event loop reads the arrived bytes. These bytes are
not verified yet, so the server withholds the last byte until the checksum matches. If the fetcher
starts over with another source, responses that already sent bytes are cut off. A client can never
mistake a cut-off response for the whole file.
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
from dshub.mirrors.serve.sockets import COPY_CHUNK, NEVER, Broken, ClientSocket
from dshub.progress import Silent
from dshub.settings import Settings

PARALLEL = 8  # concurrent fetches
RETRY_DELAY = 10.0  # seconds before a failed fetch is tried again
STOP_TIME = 5.0  # seconds for fetches to save partial files when the server stops


class Pull(Silent):
    """File being fetched; also receives the progress of its fetcher.

    Attributes:
        job: download job of the file.
        path: path of the verified file; None until the fetch succeeds.
        error: error of a failed fetch.
        ended: end time of the fetch, from `time.monotonic`.
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
        """True if the fetch has succeeded or failed."""
        return self.path is not None or self.error is not None

    def peek(self, start: int, most: int) -> tuple[int, bytes]:
        """Read at most `most` arrived bytes from offset `start`; see `Partial.peek`."""
        try:
            return self._partial.peek(start, most) if self._partial else (0, b"")
        except DshubError as error:  # the partial file cannot be read
            raise Broken from error

    @property
    def status(self) -> HTTPStatus:
        """HTTP status for a failed fetch."""
        if isinstance(self.error, StoreError):
            return HTTPStatus.INSUFFICIENT_STORAGE
        if isinstance(self.error, FetchError):
            errors = [error for errors in self.error.attempts.values() for error in errors]
            if all(isinstance(error, TransportError) and error.absent for error in errors):
                return HTTPStatus.NOT_FOUND
        return HTTPStatus.BAD_GATEWAY

    async def news(self) -> None:
        """Wait until more bytes arrive or the fetch ends."""
        await self._news.wait()

    # the methods below run in fetcher threads

    def follow(self, _: Job, partial: Partial) -> None:
        """Set the partial file that the fetcher writes."""
        self._partial = partial

    def advance(self, amount: int) -> None:
        """Wake waiting clients after the number of arrived bytes changed."""
        del amount
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._wake)

    def settle(self, path: Path | None, error: BaseException | None) -> None:
        """Mark the fetch as ended with a path or an error."""
        self.ended = time.monotonic()
        self.path, self.error = path, error
        self.advance(0)

    def _wake(self) -> None:
        self._news.set()
        self._news.clear()


@dataclass(eq=False)
class Puller:
    """Fetcher of files that the served folder lacks, with one fetch per file at a time.

    The registry is read only at startup. A checksum that is not in the registry is requested from
    mirrors.

    Attributes:
        store: store of the served folder, which receives the files.
        registry: registry that lists the files.
        settings: mirrors and connection settings.
        sources: also fetch from the URLs in manifests.
        say: called with a message about each fetch, from several threads.
    """

    store: Store
    registry: Registry
    settings: Settings
    sources: bool = True
    say: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._jobs = {
            resource.digest: Job(
                manifest.name, name, resource if self.sources else _without_urls(resource)
            )
            for manifest in self.registry.manifests()
            for name, resource in manifest.resources.items()
        }
        self._pulls: dict[Digest, Pull] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = threading.Event()
        self._turns = asyncio.Semaphore(PARALLEL)

    def pull(self, digest: Digest) -> Pull | None:
        """Return the running or recently failed fetch of a file, or start a new one.

        Must be called in the server's event loop. Returns None if the checksum is not in the
        registry and there are no mirrors.
        """
        pull = self._pulls.get(digest)
        if pull is None or (pull.settled and time.monotonic() - pull.ended >= RETRY_DELAY):
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
        if job is None and self.settings.mirrors:
            hexes: dict[str, str] = {digest.algorithm: digest.hex}
            resource = msgspec.convert({"filename": digest.hex, **hexes}, Resource)
            job = Job("a mirror", digest.short, resource)
        return job

    async def _run(self, digest: Digest, pull: Pull) -> None:
        async with self._turns:
            # a daemon thread, so that a stalled source does not keep the process alive
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
        """Stop all fetches; a later fetch resumes with the arrived bytes."""
        self._stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_TIME)
        for task in list(self._tasks):
            task.cancel()


def _without_urls(resource: Resource) -> Resource:
    """Return a copy of a resource that can be fetched only from mirrors."""
    return msgspec.structs.replace(resource, urls=(), filename=resource.name)


async def send_arriving(sock: ClientSocket, pull: Pull, span: range) -> None:
    """Send part of a file as it arrives.

    Args:
        sock: client socket.
        pull: fetch of the file.
        span: offsets to send; can extend past the end of the file.

    Raises:
        Broken: the fetch failed, or started over after some bytes were sent.
    """
    at, size = span.start, pull.job.resource.size
    limit = span.stop - (span.stop == size)  # withhold the last byte of an unverified file
    version = None  # version of the partial file that the sent bytes come from
    while at < span.stop:
        path = pull.path  # read before `peek`, because the version is final once `path` is set
        current, piece = pull.peek(at, min(COPY_CHUNK, limit - at))
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
