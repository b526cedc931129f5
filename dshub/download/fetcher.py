"""Many files at once: what is missing, is there space, and who brings what."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from dshub._validate import whole
from dshub.cache.disk import disk_faults
from dshub.cache.partial import Partial
from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.checksums import Digest
from dshub.display import Address
from dshub.download.download import AllFailed, Delivered
from dshub.download.session import Limiter, Session, Stopped
from dshub.download.sources import Job, sources
from dshub.download.transports import Transports
from dshub.download.workers import Crew, Outcome
from dshub.errors import (
    ChecksumError,
    DiskFullError,
    DshubError,
    FetchError,
    ManualStepError,
    OfflineError,
    StoreError,
    Vanished,
)
from dshub.progress import Progress, Silent, Task, size
from dshub.settings import Settings


@dataclass(frozen=True)
class Fetched:
    """A file that is in the store.

    Attributes:
        source: the address that delivered it; `cache` where it was there.
        attempts: what went wrong before it was delivered: an error for each source that did not.
    """

    job: Job
    path: Path
    source: str
    attempts: tuple[DshubError, ...] = ()


class Fetcher:
    """Brings files into a store.

    Args:
        store: where they go.
        mirrors: URLs or folders tried first.
        only: a mirror or folder that replaces every other source.
        offline: never open a connection; folders may still be read.
        jobs: connections at once, over all files.
        limit: bytes a second of everything together, at most.
        timeout: seconds after which a silent source counts as failed.
        progress: what is told how far the work has come.
        follow: called when a file begins to be written, with what holds its bytes: whoever wants
            to look at them while they arrive; in a thread of the fetcher's.
        stop: ends a fetch early when it is set, with `Stopped`; what has arrived is kept.
    """

    def __init__(  # noqa: PLR0913  # a session: these are its settings, all by keyword
        self,
        store: Store,
        *,
        mirrors: Sequence[str] = (),
        only: str | None = None,
        offline: bool = False,
        jobs: int = 16,
        limit: int | None = None,
        timeout: float = 30.0,
        progress: Progress | None = None,
        follow: Callable[[Job, Partial], None] = lambda _, __: None,
        stop: threading.Event | None = None,
    ) -> None:
        self.limiter = Limiter(limit) if limit else None
        self.store, self.mirrors, self.only = store, tuple(mirrors), only
        self.offline, self.jobs, self.timeout = offline, jobs, timeout
        self.progress = progress or Silent()
        self._follow, self._stop = follow, stop

    def path(self, job: Job) -> Path | None:
        """Where the store has a file, or the bytes inside it; None where it has neither."""
        found = self.store.blob(job.resource.digest, job.resource.size)
        if found is None and job.resource.content_digest is not None:
            found = self.store.blob(job.resource.content_digest)
        return found

    def sort(self, jobs: Iterable[Job]) -> tuple[list[Job], list[Job]]:
        """Which files are in the store, and which are missing, each checksum once.

        Touches no network.
        """
        cached: list[Job] = []
        missing: dict[Digest, Job] = {}
        for job in jobs:
            if self.path(job) is not None:
                cached.append(job)
            else:
                missing.setdefault(job.resource.digest, job)
        return cached, list(missing.values())

    def problem(self, missing: Sequence[Job], *, besides: int = 0) -> DshubError | None:
        """The error that `fetch` would raise before it asks any source; None if there is none."""
        try:
            self._check(missing, besides)
        except DshubError as error:
            return error
        return None

    def fetch(self, jobs: Sequence[Job], *, besides: int = 0) -> list[Fetched]:
        """Get every file that is missing; returns all of them, in the order asked for.

        Args:
            jobs: the files.
            besides: bytes that will be written to the cache afterwards; there has to be space
                for them too.

        Raises:
            OfflineError: something is missing and going online is forbidden.
            ManualStepError: something is missing that a person must obtain, and no mirror has it.
            DiskFullError: there is no space for what is missing.
            FetchError: some files have no working source; the others are in the store.
            StoreError: the cache cannot be written.
            Vanished: another process removed a file from the cache meanwhile.
        """
        _, missing = self.sort(jobs)
        brought: dict[Digest, Delivered] = {}
        self._check(missing, besides)
        if missing:
            try:
                brought = self._run(missing)
            except FetchError as error:
                if self.offline and error.exit_code == FetchError.exit_code:
                    raise self._offline(missing) from error
                raise
        results = []
        for job in jobs:
            path = self.path(job)
            if path is None:
                raise Vanished(path=str(self.store.root / blob_path(job.resource.digest)))
            self.store.touch(path)
            found = brought.get(job.resource.digest, Delivered(path, "cache"))
            results.append(Fetched(job, path, found.source, found.attempts))
        return results

    @classmethod
    def from_settings(cls, store: Store, settings: Settings, **options: Any) -> Self:
        """Make a fetcher from settings; `options` are its other arguments."""
        names = ("mirrors", "offline", "jobs", "timeout")
        return cls(store, **{name: getattr(settings, name) for name in names} | options)

    def check(self, fetched: Iterable[Fetched]) -> None:
        """Hash files that another user put into a shared cache; your own are not read.

        Raises:
            ChecksumError: one of them is not the published file.
            StoreError: one of them cannot be read.
        """
        for item in fetched:
            resource, path = item.job.resource, item.path
            digest = resource.digest
            if resource.content_digest is not None and self.store.blob(digest) != path:
                digest = resource.content_digest
            if not self.store.is_foreign(path, digest):
                continue
            self.progress.say(f"checking {item.job.title}, which another user put into the cache")
            with disk_faults(path, "read"):
                actual = Digest.of_file(path, digest.algorithm)
            if actual != digest:
                hint = f"`dshub verify {item.job.dataset}` puts it aside; then fetch it again"
                raise ChecksumError(
                    source=str(path), expected=str(digest), actual=str(actual), hint=hint
                )

    def _check(self, missing: Sequence[Job], besides: int) -> None:
        for job in missing:
            if job.resource.size is not None:  # no byte of a file of size -1 would ever be missing
                whole(f"the size of {job.name}", job.resource.size, least=1)
        reachable = [job for job in missing if self._sources(job)]
        manual = [
            job for job in missing if job.resource.access == "manual" and job not in reachable
        ]
        for job in manual:
            _check_reference(job, self.store)
        if manual:
            raise _by_hand(manual)
        if self.offline and missing and not reachable:
            raise self._offline(missing)
        free = self.store.free()
        needed = _size(missing) - sum(self._kept(job) for job in missing)
        if free is not None and needed + besides > free:
            parts = [f"{size(needed)} are to be fetched"] if missing else []
            parts += [f"{size(besides)} are to be prepared"] if besides else []
            reason = f"{', '.join(parts)} and {size(free)} are free"
            raise DiskFullError(path=str(self.store.root), reason=reason)

    def _kept(self, job: Job) -> int:
        """Bytes that are on the disk already, of an interrupted fetch or of a damaged file."""
        resource = job.resource
        kept = self.store.kept(resource.digest)
        found = self.store.damaged(resource.digest, resource.size) if resource.chunks else None
        if found is not None:
            kept = max(kept, found.stat().st_size)
        return min(kept, resource.size or 0)

    def _offline(self, missing: Sequence[Job]) -> OfflineError:
        return OfflineError(
            dataset=_datasets(missing),
            files=_titles(missing),
            looked_in=[str(place) for place in self.store.places],
        )

    def _sources(self, job: Job) -> list[str]:
        found = sources(job, self.mirrors, self.only)
        if self.offline:
            return [url for url in found if Address(url).is_local]
        return found

    def _run(self, missing: Sequence[Job]) -> dict[Digest, Delivered]:
        """Download what is missing; returns how each checksum was delivered."""
        with (
            closing(Transports(timeout=self.timeout)) as transports,
            Task(self.progress, "fetching", _size(missing) or None),
        ):
            stop = self._stop or threading.Event()
            session = Session(
                store=self.store,
                transports=transports,
                limiter=self.limiter,
                progress=self.progress,
                timeout=self.timeout,
                wait=lambda seconds: _wait(stop, seconds),
                stop=stop,
                follow=self._follow,
            )
            outcomes = Crew(session, self._sources, missing, self.jobs).work()
        return _settle(outcomes)


def _check_reference(job: Job, store: Store) -> None:
    """Raise StoreError where a file that only a person can get was imported, and is gone."""
    reference = store.reference(job.resource.digest)
    if reference is not None and reference.fault:
        raise StoreError(
            path=reference.path,
            action="use",
            reason=reference.fault,
            hint=f"bring it back, or `dshub import {job.dataset} FILE` from where it is now",
        )


def _size(jobs: Sequence[Job]) -> int:
    """Bytes to fetch, as far as they are known."""
    return sum(job.resource.size or 0 for job in jobs)


def _settle(outcomes: Sequence[Outcome]) -> dict[Digest, Delivered]:
    """How each file was delivered, or one error for all that failed."""
    failed: list[Job] = []
    attempts: list[Sequence[DshubError]] = []
    for outcome in outcomes:
        if isinstance(outcome.error, AllFailed):
            failed.append(outcome.job)
            attempts.append(outcome.error.attempts)
        elif outcome.error is not None:
            raise outcome.error
    if failed:
        told = sorted(zip(_titles(failed), attempts, strict=True), key=lambda item: item[0])
        error = FetchError(dataset=_datasets(failed), attempts=dict(told))
        manual = [job for job in failed if job.resource.access == "manual"]
        if len(manual) == len(failed) and error.exit_code == FetchError.exit_code:
            raise _by_hand(manual) from error
        raise error
    return {item.job.resource.digest: item.delivered for item in outcomes if item.delivered}


def _datasets(jobs: Sequence[Job]) -> str:
    """The datasets that some files are of: `glue/cola, mnist`."""
    return ", ".join(sorted({job.dataset for job in jobs}))


def _titles(jobs: Sequence[Job]) -> list[str]:
    """What to call each file; with its dataset where there are several."""
    several = len({job.dataset for job in jobs}) > 1
    return [f"{job.dataset}: {job.title}" if several else job.title for job in jobs]


def _by_hand(jobs: Sequence[Job]) -> ManualStepError:
    """The error for files that a person must obtain."""
    steps = [job.resource.instructions or "" for job in jobs]
    files = dict(zip(_titles(jobs), steps, strict=True))
    return ManualStepError(dataset=_datasets(jobs), files=files)


def _wait(stop: threading.Event, seconds: float) -> None:
    if stop.wait(seconds):
        raise Stopped
