"""Files that are not here yet: fetched once, and handed to all who wait while they arrive.

A `Pull` is one file on its way. The fetcher's threads write it; the server's event loop reads what
has arrived, for as many clients as there are. Those bytes are not checked yet. So the last byte of
a file is held back until the checksum is right, and an answer some of whose bytes were taken back
(another source is tried from the beginning) is broken off: no client can take it for whole.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from io import FileIO
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
from dshub.mirrors.serve.lines import COPIED, NEVER, Broken, Line
from dshub.settings import Settings

MOST = 8  # files fetched at once; further ones wait for their turn
FORGET = 10.0  # seconds for which a failure is remembered, before the sources are asked again
LAST_WAIT = 5.0  # seconds for fetches to put down what they hold, when the server stops


class Pull:
    """One file on its way.

    Attributes:
        job: what is fetched.
        path: where the file is, once it is here and checked.
        error: why it did not come.
        ended: when it failed, on the clock of `time.monotonic`.
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
        """Whether it has come or failed."""
        return self.path is not None or self.error is not None

    def peek(self, start: int, most: int) -> tuple[int, bytes]:
        """What has arrived from `start` on; see `Partial.peek`."""
        return self._partial.peek(start, most) if self._partial else (0, b"")

    @property
    def status(self) -> HTTPStatus:
        """What to answer where it failed: whose fault it was."""
        error = self.error
        if isinstance(error, StoreError):
            return HTTPStatus.INSUFFICIENT_STORAGE
        if isinstance(error, FetchError) and all(map(_is_absent, _attempts(error))):
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.BAD_GATEWAY

    async def news(self) -> None:
        """Until more has arrived, or it has come or failed."""
        await self._news.wait()

    def follow(self, job: Job, partial: Partial) -> None:
        """The fetcher begins to write; called in one of its threads."""
        del job
        self._partial = partial

    def settle(self, path: Path | None, error: BaseException | None) -> None:
        """It has come, or failed; called in a thread."""
        self._in_loop(self._settle, path, error)

    def _settle(self, path: Path | None, error: BaseException | None) -> None:
        self.path, self.error, self.ended = path, error, time.monotonic()
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news.clear()

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)

    # as the `Progress` of its fetcher; called in threads of that

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        """Nobody is told that it begins."""

    def advance(self, amount: int) -> None:
        """More has arrived, or was taken back."""
        del amount
        self._in_loop(self._wake)

    def finish(self) -> None:
        """`settle` tells more."""

    def say(self, text: str) -> None:
        """The log of the package has it too."""


class Puller:
    """Fetches what a folder does not have, each file once at a time.

    Files are known from the registry as it is now. A mirror is also asked for those that no
    manifest speaks of.

    Args:
        store: of the folder that is served; files go there.
        registry: says which files there are.
        settings: which mirrors are asked first, and how.
        sources: whether the addresses in manifests are asked too.
        tell: told, for a person, which file was fetched or was not; from several threads.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        settings: Settings,
        *,
        sources: bool = True,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store, self._settings, self._tell = store, settings, tell
        self._jobs = {
            resource.digest: Job(manifest.name, name, resource if sources else _bare(resource))
            for manifest in registry.manifests()
            for name, resource in manifest.resources.items()
        }
        self._pulls: dict[Digest, Pull] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = threading.Event()
        self._turns = asyncio.Semaphore(MOST)

    def pull(self, digest: Digest) -> Pull | None:
        """The file with that checksum, on its way or failed lately; None where nobody has it.

        Called in the server's loop.
        """
        known = self._pulls.get(digest)
        if known is not None and (not known.settled or time.monotonic() - known.ended < FORGET):
            return known
        job = self._job(digest)
        if job is None:
            return None
        pull = self._pulls[digest] = Pull(job)
        task = asyncio.get_running_loop().create_task(self._run(digest, pull))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return pull

    def note_use(self, parts: tuple[str, ...]) -> None:
        """Such a file of the folder is asked for: `dshub cache prune` is to take others first."""
        self._store.touch(self._store.root.joinpath(*parts))

    def _job(self, digest: Digest) -> Job | None:
        """What to fetch: a mirror may have a file that no manifest here speaks of."""
        job = self._jobs.get(digest)
        if job is None and self._settings.mirrors:
            sha256 = digest.hex if digest.algorithm == "sha256" else None
            md5 = digest.hex if sha256 is None else None
            resource = Resource(filename=digest.hex, sha256=sha256, md5=md5)
            job = Job("a mirror", digest.short, resource)
        return job

    async def _run(self, digest: Digest, pull: Pull) -> None:
        async with self._turns:
            thread = threading.Thread(
                target=self._fetch, args=(pull,), daemon=True, name="dshub-pull"
            )
            thread.start()
            while not pull.settled:
                await pull.news()
        if pull.path is not None:
            self._pulls.pop(digest, None)

    def _fetch(self, pull: Pull) -> None:
        path, error = None, None
        try:
            path = self._fetcher(pull).fetch([pull.job])[0].path
            self._tell(f"fetched {pull.job.title} of {pull.job.dataset}")
        except BaseException as caught:  # noqa: BLE001  # handed to those who wait
            error = caught
            self._tell(str(caught))
        pull.settle(path, error)

    def _fetcher(self, pull: Pull) -> Fetcher:
        settings = self._settings
        return Fetcher(
            self._store,
            mirrors=settings.mirrors,
            offline=settings.offline,
            jobs=settings.jobs,
            timeout=settings.timeout,
            progress=pull,
            follow=pull.follow,
            stop=self._stop,
        )

    async def close(self) -> None:
        """Stop every fetch; what has arrived is kept for the next one."""
        self._stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_WAIT)
        for task in list(self._tasks):
            task.cancel()


def _bare(resource: Resource) -> Resource:
    """The same file, from mirrors alone."""
    return msgspec.structs.replace(resource, urls=(), filename=resource.name)


def _attempts(error: FetchError) -> list[DshubError]:
    return [attempt for attempts in error.attempts.values() for attempt in attempts]


def _is_absent(error: DshubError) -> bool:
    """Whether a source said that it does not have the file."""
    return isinstance(error, TransportError) and error.reason.startswith(("404", "410"))


async def send_arriving(line: Line, pull: Pull, span: range | None) -> None:
    """Send a part of a file as it arrives, from its beginning, however late one comes.

    Args:
        line: to the client.
        pull: the file.
        span: the bytes to send. None sends all of a file whose size is not known, in chunks: its
            end is told by the last one.

    Raises:
        Broken: the file did not come, or what was sent of it was taken back.
    """
    size = pull.job.resource.size
    at, stop = (0, None) if span is None else (span.start, span.stop)
    # whoever has the last byte has a file that was checked; chunks need not be held back
    limit = stop if stop is None or stop != size else stop - 1
    begun = None  # version of the file of which bytes were sent
    while stop is None or at < stop:
        room = COPIED if limit is None else min(COPIED, limit - at)
        version, piece = _look(pull, at, room)
        if begun not in {None, version} or pull.error is not None:
            raise Broken
        if pull.path is not None:
            with open_file(pull.path) as file:
                await _rest(line, file, at, stop)
            return
        if piece:
            begun, at = version, at + len(piece)
            await line.send(_chunk(piece) if span is None else piece, body=len(piece))
        else:
            line.deadline = NEVER
            await pull.news()


def _look(pull: Pull, at: int, room: int) -> tuple[int, bytes]:
    try:
        return pull.peek(at, room)
    except DshubError as error:  # the disk
        raise Broken from error


async def _rest(line: Line, file: FileIO, at: int, stop: int | None) -> None:
    """What is left of a file that has come."""
    if stop is not None:
        await line.send_file(file, at, stop)
        return
    end = file.seek(0, 2)
    if at < end:
        await line.send(b"%x\r\n" % (end - at))
        await line.send_file(file, at, end)
        await line.send(b"\r\n")
    await line.send(b"0\r\n\r\n")


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)
