"""Many files at once: what is missing, is there space, and who brings what."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dshub.digest import Digest
from dshub.errors import DiskFullError, DshubError, FetchError, ManualStepError, OfflineError
from dshub.fetcher.download import AllFailed, Session, Stopped, download
from dshub.fetcher.sources import Job, sources
from dshub.progress import Progress, Silent, Task, size
from dshub.store import Store
from dshub.transports import Transports

LAST_WAIT = 2.0  # seconds for all downloads together to put down what they hold, when interrupted


@dataclass(frozen=True)
class Plan:
    """What a fetch would do.

    Attributes:
        cached: files that are in the store.
        missing: files that are not, each checksum once.
    """

    cached: tuple[Job, ...]
    missing: tuple[Job, ...]

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(job.resource.size or 0 for job in self.missing)


@dataclass(frozen=True)
class Fetched:
    """A file that is in the store.

    Attributes:
        source: the address that delivered it; `cache` where it was there.
    """

    job: Job
    path: Path
    source: str


class Fetcher:
    """Brings files into a store.

    Args:
        store: where they go.
        mirrors: URLs or folders tried first.
        only: a mirror or folder that replaces every other source.
        offline: never open a connection; folders may still be read.
        jobs: files at once.
        timeout: seconds after which a silent source counts as failed.
        progress: what is told how far the work has come.
    """

    def __init__(  # noqa: PLR0913  # a session: these are its settings, all by keyword
        self,
        store: Store,
        *,
        mirrors: Sequence[str] = (),
        only: str | None = None,
        offline: bool = False,
        jobs: int = 8,
        timeout: float = 30.0,
        progress: Progress | None = None,
    ) -> None:
        self.store, self.mirrors, self.only = store, tuple(mirrors), only
        self.offline, self.jobs, self.timeout = offline, jobs, timeout
        self.progress = progress or Silent()

    def path(self, job: Job) -> Path | None:
        """Where the store has a file, or the bytes inside it; None where it has neither."""
        found = self.store.blob(job.resource.digest, job.resource.size)
        if found is None and job.resource.content_digest is not None:
            found = self.store.blob(job.resource.content_digest)
        return found

    def plan(self, jobs: Iterable[Job]) -> Plan:
        """Which files are there and which are missing; touches no network."""
        cached: list[Job] = []
        missing: dict[Digest, Job] = {}
        for job in jobs:
            if self.path(job) is not None:
                cached.append(job)
            else:
                missing.setdefault(job.resource.digest, job)
        return Plan(tuple(cached), tuple(missing.values()))

    def fetch(self, jobs: Sequence[Job]) -> list[Fetched]:
        """Get every file that is missing; returns all of them, in the order asked for.

        Raises:
            OfflineError: something is missing and going online is forbidden.
            ManualStepError: something is missing that a person must obtain, and no mirror has it.
            DiskFullError: there is no space for what is missing.
            FetchError: some files have no working source; the others are in the store.
            StoreError: the cache cannot be written.
        """
        plan = self.plan(jobs)
        brought: dict[str, str] = {}
        if plan.missing:
            self._check(plan)
            try:
                brought = self._run(plan)
            except FetchError as error:
                if self.offline and error.exit_code == FetchError.exit_code:
                    raise self._offline(plan) from error
                raise
        results = []
        for job in jobs:
            path = self.path(job)
            if path is None:  # gone between the fetch and now: somebody is deleting beside us
                raise FetchError(dataset=job.dataset, attempts={job.title: []})
            self.store.touch(path)
            results.append(Fetched(job, path, brought.get(str(job.resource.digest), "cache")))
        return results

    def _check(self, plan: Plan) -> None:
        dataset = plan.missing[0].dataset
        reachable = [job for job in plan.missing if self._sources(job)]
        manual = {
            job.title: job.resource.instructions or ""
            for job in plan.missing
            if job.resource.access == "manual" and job not in reachable
        }
        if manual:
            raise ManualStepError(dataset=dataset, files=manual)
        if self.offline and not any(self._sources(job) for job in plan.missing):
            raise self._offline(plan)
        free = self.store.free()
        needed = plan.size - sum(self._kept(job) for job in plan.missing)
        if free is not None and needed > free:
            reason = f"{size(needed)} are to be fetched and {size(free)} are free"
            raise DiskFullError(path=str(self.store.root), reason=reason)

    def _kept(self, job: Job) -> int:
        """Bytes that an interrupted fetch has written already."""
        return min(self.store.kept(job.resource.digest), job.resource.size or 0)

    def _offline(self, plan: Plan) -> OfflineError:
        return OfflineError(
            dataset=plan.missing[0].dataset,
            files=[job.title for job in plan.missing],
            looked_in=[str(place) for place in self.store.places],
        )

    def _sources(self, job: Job) -> list[str]:
        found = sources(job, self.mirrors, self.only)
        if self.offline:
            return [url for url in found if not url.startswith(("http:", "https:"))]
        return found

    def _run(self, plan: Plan) -> dict[str, str]:
        """Download what is missing; returns the source of each checksum."""
        with (
            closing(Transports(timeout=self.timeout)) as transports,
            Task(self.progress, "fetching", plan.size or None),
        ):
            stop = threading.Event()
            session = Session(
                store=self.store,
                transports=transports,
                progress=self.progress,
                wait=lambda seconds: _wait(stop, seconds),
                stop=stop,
            )
            outcomes = _Crew(session, self._sources, plan.missing, self.jobs).work()
        return _settle(outcomes)


@dataclass(frozen=True)
class _Outcome:
    job: Job
    source: str = ""
    error: BaseException | None = None


class _Crew:
    """Daemon threads that download: on Ctrl-C nobody has to wait for a silent server."""

    def __init__(
        self, session: Session, find: Callable[[Job], list[str]], jobs: Sequence[Job], workers: int
    ) -> None:
        self._session, self._find = session, find
        self._todo: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._count = len(jobs)
        for job in sorted(jobs, key=lambda job: -(job.resource.size or 0)):
            self._todo.put(job)
        self._workers = [
            threading.Thread(target=self._work, daemon=True, name=f"dshub-fetch-{i}")
            for i in range(min(workers, len(jobs)))
        ]

    def work(self) -> list[_Outcome]:
        for worker in self._workers:
            worker.start()
        try:
            return [self._done.get() for _ in range(self._count)]
        except BaseException:
            self._session.stop.set()
            end = time.monotonic() + LAST_WAIT
            for worker in self._workers:
                worker.join(timeout=max(0.0, end - time.monotonic()))
            raise

    def _work(self) -> None:
        while not self._session.stop.is_set():
            try:
                job = self._todo.get_nowait()
            except queue.Empty:
                return
            self._done.put(self._one(job))

    def _one(self, job: Job) -> _Outcome:
        try:
            _, source = download(self._session, job, self._find(job))
        except BaseException as error:  # noqa: BLE001  # handed to the thread that asked
            return _Outcome(job, error=error)
        return _Outcome(job, source=source)


def _settle(outcomes: Sequence[_Outcome]) -> dict[str, str]:
    """The source of each file, or one error for all that failed."""
    failed: dict[str, Sequence[DshubError]] = {}
    manual: dict[str, str] = {}
    for outcome in outcomes:
        if isinstance(outcome.error, AllFailed):
            failed[outcome.job.title] = outcome.error.attempts
            if outcome.job.resource.access == "manual":
                manual[outcome.job.title] = outcome.job.resource.instructions or ""
        elif outcome.error is not None:
            raise outcome.error
    if failed:
        names = dict.fromkeys(item.job.dataset for item in outcomes if item.error is not None)
        error = FetchError(dataset=" ".join(names), attempts=dict(sorted(failed.items())))
        if len(manual) == len(failed) and error.exit_code == FetchError.exit_code:
            raise ManualStepError(dataset=error.dataset, files=manual) from error
        raise error
    return {str(item.job.resource.digest): item.source for item in outcomes}


def _wait(stop: threading.Event, seconds: float) -> None:
    if stop.wait(seconds):
        raise Stopped
