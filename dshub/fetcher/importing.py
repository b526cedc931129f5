"""Files that a person already has, into the store, verified like any other."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dshub import archives
from dshub.digest import CHUNK, Algorithm, Digest, copy
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.fetcher.keeping import Keep, Kept, check_readable, finished, keep_file
from dshub.fetcher.sources import Job
from dshub.progress import Progress, Silent, Task, size
from dshub.store import Partial, Store
from dshub.store.faults import disk_faults

AT_ONCE = 4  # files that are hashed at the same time, at most


@dataclass(frozen=True)
class Imported:
    """A file that was taken.

    Attributes:
        job: the resource it turned out to be.
        source: where it was.
        how: `same bytes`, or `same content` where it was compressed anew.
        kept: how the store has it now.
    """

    job: Job
    source: Path
    how: str
    kept: Kept = "copied"


@dataclass(frozen=True)
class Unlike:
    """A file that is called like a resource, but is not the published one.

    Attributes:
        job: the resource.
        source: the file.
        reason: what is wrong with it.
    """

    job: Job
    source: Path
    reason: str


def import_files(
    store: Store,
    jobs: Sequence[Job],
    paths: Sequence[Path],
    *,
    keep: Keep = "copy",
    progress: Progress | None = None,
) -> list[Imported]:
    """Take each resource of `jobs` that is found among some files and folders; see `look`."""
    found = look(store, jobs, paths, keep=keep, progress=progress)
    return [item for item in found if isinstance(item, Imported)]


def look(
    store: Store,
    jobs: Sequence[Job],
    paths: Sequence[Path],
    *,
    keep: Keep = "copy",
    progress: Progress | None = None,
) -> list[Imported | Unlike]:
    """Take each resource of `jobs` that is found among some files and folders.

    A file is recognised by its checksum. Those looked at are the ones named directly, and in
    folders those with the size or the name of a resource that is wanted; each is read once for
    that, several at the same time. Where the manifest knows the checksum of the content
    (`content_sha256`), a copy that was compressed anew, or not at all, is taken too: the store
    then keeps the content, unpacked. The user's files are only read.

    Returns:
        What was taken and what only looks like it, in the order of `jobs`; resources of which
        there is no trace are left out.

    Raises:
        StoreError: a path does not exist, a file that may be wanted cannot be read, or the
            cache cannot be written.
    """
    say = progress or Silent()
    for top in paths:
        check_readable(top)
    wanted = _Wanted(jobs)
    candidates = [item for top in paths for item in _walk(top) if wanted.may_hold(item)]
    _hash(jobs, candidates, say)
    found = (_find(store, job, candidates, keep, say) for job in jobs)
    return [item for item in found if item is not None]


class _Candidate:
    """A file that may be wanted, and its checksums once they were computed."""

    def __init__(self, path: Path, status: os.stat_result, *, named: bool) -> None:
        self.path, self.named, self.status = path, named, status
        self.size = status.st_size
        self.digests: dict[Algorithm, Digest] = {}

    def may_be(self, job: Job) -> bool:
        return self.size == job.resource.size or (
            job.resource.size is None and (self.named or self.is_called(job))
        )

    def may_hold(self, job: Job) -> bool:
        return self.named or self.is_called(job)

    def is_called(self, job: Job) -> bool:
        """Whether its name is the resource's, whatever compression the two names tell of."""
        return _stem(self.path.name) == _stem(job.resource.name)


class _Wanted:
    """What tells the few files that matter from a million others."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._sizes = {job.resource.size for job in jobs}
        self._stems = {_stem(job.resource.name) for job in jobs}

    def may_hold(self, item: _Candidate) -> bool:
        return item.named or item.size in self._sizes or _stem(item.path.name) in self._stems


def _hash(jobs: Sequence[Job], candidates: Sequence[_Candidate], progress: Progress) -> None:
    """Compute every checksum that is needed to tell what the files are, each once."""
    needed = dict.fromkeys(
        (item, job.resource.digest.algorithm)
        for job in jobs
        for item in candidates
        if item.may_be(job)
    )
    total = sum(item.size for item, _ in needed)
    with (
        Task(progress, "reading files that may be wanted", total) as task,
        ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool,
    ):

        def read(wanted: tuple[_Candidate, Algorithm]) -> None:
            item, algorithm = wanted
            with disk_faults(item.path, "read"), item.path.open("rb") as file:
                item.digests[algorithm] = copy(file, _Counter(task), algorithm=algorithm)

        for _ in pool.map(read, needed):
            pass


class _Counter:
    """Takes bytes, and tells how many there were."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def write(self, piece: bytes, /) -> None:
        self._task.advance(len(piece))


def _find(
    store: Store, job: Job, candidates: Sequence[_Candidate], keep: Keep, say: Progress
) -> Imported | Unlike | None:
    wanted, content = job.resource.digest, job.resource.content_digest
    for item in candidates:
        if item.may_be(job) and item.digests[wanted.algorithm] == wanted:
            kept = _keep(store, item, wanted, keep, say)
            if kept is not None:
                return Imported(job, item.path, "same bytes", kept)
    for item in candidates:
        if content is None or not item.may_hold(job):
            continue
        if _unpack(store, item.path, content):
            return Imported(job, item.path, "same content", "unpacked")
    called = (item for item in candidates if item.is_called(job))
    return next((Unlike(job, item.path, _reason(job, item)) for item in called), None)


def _keep(store: Store, item: _Candidate, digest: Digest, keep: Keep, say: Progress) -> Kept | None:
    if store.blob(digest) is not None:
        return "cached"
    return keep_file(store, item.path, digest, keep=keep, status=item.status, say=say)


def _reason(job: Job, item: _Candidate) -> str:
    """Why a file with the right name is not the resource."""
    published = job.resource.size
    if published is not None and item.size < published:
        told = f"{item.size:,} of {published:,} bytes"
        return f"damaged: it is cut short, {told}; or an older version"
    if published is not None and item.size > published:
        return f"another version: {item.size:,} bytes instead of {published:,}"
    digest = item.digests.get(job.resource.digest.algorithm)
    told = f"{digest.short} instead of {job.resource.digest.short}" if digest else "other bytes"
    if published is None:
        return f"damaged, or another version: {told}, {size(item.size)}"
    return f"damaged: of the right size, but {told}"


def _unpack(store: Store, path: Path, digest: Digest) -> bool:
    """Publish the bytes inside a file, if they hash to `digest`."""
    if store.blob(digest) is not None:
        return True
    with store.partial(digest) as partial:
        if store.blob(digest) is not None:
            partial.discard()
            return True
        partial.restart()
        try:
            with archives.open_stream(path) as source:
                _copy(source, partial)
        except (ReadError, UnsafeArchiveError):
            partial.restart()  # damaged, a bomb, or something else altogether: not what we look for
        return finished(store, partial, digest)


def _copy(source: BinaryIO, partial: Partial) -> None:
    span = partial.claim(None)
    while span is not None and (piece := source.read(CHUNK)):
        partial.write(span, memoryview(piece))


def _walk(top: Path) -> Iterator[_Candidate]:
    """Every file at or below a path; folders that may not be read are passed over."""
    if not top.is_dir():
        yield _Candidate(top, top.stat(), named=True)
        return
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            with suppress(OSError):  # a link that leads nowhere
                yield _Candidate(path, path.stat(), named=False)


def _stem(name: str) -> str:
    for suffix in archives.stream_suffixes():
        name = name.removesuffix(suffix)
    return name
