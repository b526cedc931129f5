"""Fetch missing files into the cache after checking sources and disk space."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, Self

from dshub._validate import whole
from dshub.cache.disk import disk_faults
from dshub.cache.partial import Partial
from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.checksums import Digest
from dshub.display import Address, shown_url
from dshub.download.download import AllFailed
from dshub.download.session import Limiter, Session
from dshub.download.sources import Fetched, Job, is_absent, sources
from dshub.download.transports import Transports
from dshub.download.workers import Outcome, Workers
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

__all__ = ["Fetched", "Fetcher"]


@dataclass(eq=False)
class Fetcher:
    """Fetcher of files into a cache.

    Attributes:
        store: cache to write to.
        mirrors: URLs or folders to try first.
        only: mirror or folder that replaces all other sources.
        offline: open no network connections; local folders are still read.
        jobs: maximum number of connections for all files.
        limit: maximum bytes per second over all connections.
        timeout: seconds without data after which a source has failed.
        progress: progress reporter.
        follow: called in a thread with each file and its partial download when the download
            starts, for callers that read the file before it is complete.
        stop: event to interrupt a fetch, which then raises `Stopped` and keeps partial downloads.
    """

    store: Store
    _: KW_ONLY
    mirrors: Sequence[str] = ()
    only: str | None = None
    offline: bool = False
    jobs: int = 16
    limit: int | None = None
    timeout: float = 30.0
    progress: Progress = field(default_factory=Silent)
    follow: Callable[[Job, Partial], None] = lambda _, __: None
    stop: threading.Event | None = None

    def sort(self, jobs: Iterable[Job]) -> tuple[list[Job], list[Job]]:
        """Split files into cached and missing files, without duplicates among the missing."""
        cached: list[Job] = []
        missing: dict[Digest, Job] = {}
        for job in jobs:
            if self.store.file(job.resource) is not None:
                cached.append(job)
            else:
                missing.setdefault(job.resource.digest, job)
        return cached, list(missing.values())

    def fetch(self, jobs: Sequence[Job], *, reserve: int = 0) -> list[Fetched]:
        """Fetch the missing files, and return all files in the order of `jobs`.

        Args:
            jobs: files to fetch.
            reserve: additional free bytes that the caller needs in the cache afterwards.

        Raises:
            OfflineError: a file is missing, and `offline` is set.
            ManualStepError: the user must obtain a missing file, because no mirror has it.
            DiskFullError: there is not enough disk space.
            FetchError: no source worked for some files. The other files are in the cache.
            StoreError: the cache is not writable.
            Vanished: another process removed a file from the cache during the fetch.
        """
        _, missing = self.sort(jobs)
        self._check(missing, reserve)
        delivered: dict[Digest, Fetched] = {}
        if missing:
            for mirror in self._absent:
                self.progress.say(f"the mirror {mirror} does not exist; check DSHUB_MIRROR")
            try:
                delivered = self._run(missing)
            except FetchError as error:
                if self.offline and error.exit_code == FetchError.exit_code:
                    raise self._offline(missing) from error
                raise
        results = []
        for job in jobs:
            path = self.store.file(job.resource)
            if path is None:
                raise Vanished(path=str(self.store.root / blob_path(job.resource.digest)))
            self.store.touch(path)
            result = delivered.get(job.resource.digest, Fetched(job, path))
            results.append(Fetched(job, path, result.source, result.attempts))
        return results

    @classmethod
    def from_settings(cls, store: Store, settings: Settings, **options: Any) -> Self:
        """Create a fetcher from settings, which `options` override."""
        names = ("mirrors", "offline", "jobs", "timeout")
        return cls(store, **{name: getattr(settings, name) for name in names} | options)

    def check(self, fetched: Iterable[Fetched]) -> None:
        """Verify the checksums of files that another user added to a shared cache.

        Raises:
            ChecksumError: a file has a wrong checksum.
            StoreError: a file is unreadable.
        """
        for item in fetched:
            resource, path = item.job.resource, item.path
            digest = resource.digest
            if resource.content_digest is not None and self.store.blob(digest) != path:
                digest = resource.content_digest
            if not self.store.is_foreign(path, digest):
                continue
            self.progress.say(f"verifying {item.job.title}, which another user added to the cache")
            with disk_faults(path, "read"):
                actual = Digest.of_file(path, digest.algorithm)
            if actual != digest:
                hint = f"run `dshub verify {item.job.dataset}`, then fetch the dataset again"
                raise ChecksumError(
                    source=str(path), expected=str(digest), actual=str(actual), hint=hint
                )

    def _check(self, missing: Sequence[Job], reserve: int) -> None:
        for job in missing:
            if job.resource.size is not None:  # a file of negative size would count as complete
                whole(f"the size of {job.name}", job.resource.size, least=1)
        without_source = [job for job in missing if not self._sources(job)]
        manual = [job for job in without_source if job.resource.access == "manual"]
        for job in manual:
            _check_reference(job, self.store)
        if manual:
            raise _manual_step(manual)
        if self.offline and missing and len(without_source) == len(missing):
            raise self._offline(missing)
        self._check_space(missing, reserve)

    def _check_space(self, missing: Sequence[Job], reserve: int) -> None:
        free = self.store.free()
        needed = _size(missing) - sum(map(self.reusable_size, missing))
        if free is not None and needed + reserve > free:
            parts = [f"{size(needed)} to fetch"] if missing else []
            parts += [f"{size(reserve)} to prepare"] if reserve else []
            reason = f"it needs {' and '.join(parts)}; {size(free)} are free"
            raise DiskFullError(path=str(self.store.root), reason=reason)

    def reusable_size(self, job: Job) -> int:
        """Return the reusable bytes on disk from an interrupted fetch or a damaged file."""
        resource = job.resource
        reusable = self.store.resumable_size(resource.digest)
        path = self.store.damaged(resource.digest, resource.size) if resource.chunks else None
        if path is not None:
            reusable = max(reusable, path.stat().st_size)
        return min(reusable, resource.size or 0)

    def _offline(self, missing: Sequence[Job]) -> OfflineError:
        return OfflineError(
            dataset=_datasets(missing),
            files=_titles(missing),
            looked_in=[str(place) for place in self.store.places],
            mirrors=[
                f"{mirror}, which does not exist" if mirror in self._absent else mirror
                for mirror in self.mirrors
                if Address(mirror).is_local
            ],
        )

    @cached_property
    def _absent(self) -> list[str]:
        """Mirrors in local folders that do not exist."""
        return [mirror for mirror in self.mirrors if self.only is None and is_absent(mirror)]

    def _sources(self, job: Job) -> list[str]:
        mirrors = [mirror for mirror in self.mirrors if mirror not in self._absent]
        urls = sources(job, mirrors, self.only)
        return [url for url in urls if not self.offline or Address(url).is_local]

    def _run(self, missing: Sequence[Job]) -> dict[Digest, Fetched]:
        """Download missing files, and return them by checksum."""
        with (
            closing(Transports(timeout=self.timeout)) as transports,
            Task(self.progress, "fetching", _size(missing) or None),
        ):
            session = Session(
                store=self.store,
                transports=transports,
                progress=self.progress,
                timeout=self.timeout,
                limiter=Limiter(self.limit) if self.limit else None,
                stop=self.stop or threading.Event(),
                follow=self.follow,
                count=len(missing),
            )
            outcomes = Workers(session, self._sources, missing, self.jobs).work()
        return _settle(outcomes, [_absent_mirror(mirror) for mirror in self._absent])


def _absent_mirror(mirror: str) -> DshubError:
    shown = shown_url(mirror)
    return DshubError(f"the mirror {shown} does not exist", hint=f"connect the drive of {shown}")


def _check_reference(job: Job, store: Store) -> None:
    """Raise StoreError if a file imported by reference has been moved, deleted or changed."""
    reference = store.reference(job.resource.digest)
    if reference is not None and reference.fault:
        raise StoreError(
            path=reference.path,
            action="use",
            reason=reference.fault,
            hint=f"restore the file, or run `dshub import {job.dataset} FILE` with its new path",
        )


def _size(jobs: Sequence[Job]) -> int:
    """Return the total size of files to fetch, without files of unknown size."""
    return sum(job.resource.size or 0 for job in jobs)


def _settle(outcomes: Sequence[Outcome], absent: Sequence[DshubError]) -> dict[Digest, Fetched]:
    """Return the files by checksum, or raise one error for all failed files.

    Args:
        outcomes: file or error of each job.
        absent: errors of mirrors that do not exist, to report with failed files.
    """
    delivered: dict[Digest, Fetched] = {}
    failed: dict[Job, Sequence[DshubError]] = {}
    for job, outcome in outcomes:
        if isinstance(outcome, Fetched):
            delivered[job.resource.digest] = outcome
        elif isinstance(outcome, AllFailed):
            failed[job] = (*absent, *outcome.attempts)
        else:
            raise outcome
    if failed:
        jobs = sorted(failed, key=lambda job: (job.dataset, job.title))
        attempts = dict(zip(_titles(jobs), [failed[job] for job in jobs], strict=True))
        error = FetchError(dataset=_datasets(jobs), attempts=attempts)
        manual = all(job.resource.access == "manual" for job in jobs)
        if manual and error.exit_code == FetchError.exit_code:
            raise _manual_step(jobs) from error
        raise error
    return delivered


def _datasets(jobs: Sequence[Job]) -> str:
    """Join the names of the files' datasets, as in `glue/cola, mnist`."""
    return ", ".join(sorted({job.dataset for job in jobs}))


def _titles(jobs: Sequence[Job]) -> list[str]:
    """Return the titles of files, with dataset names if there are several datasets."""
    has_several_datasets = len({job.dataset for job in jobs}) > 1
    return [f"{job.dataset}: {job.title}" if has_several_datasets else job.title for job in jobs]


def _manual_step(jobs: Sequence[Job]) -> ManualStepError:
    """Return the error for files that the user must obtain manually."""
    steps = [job.resource.instructions or "" for job in jobs]
    files = dict(zip(_titles(jobs), steps, strict=True))
    return ManualStepError(dataset=_datasets(jobs), files=files)
