"""Files that a person already has, into the store, verified like any other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dshub import archives
from dshub.digest import CHUNK, Digest
from dshub.errors import ReadError, StoreError, UnsafeArchiveError
from dshub.fetcher.sources import Job
from dshub.progress import Progress, Silent, Task
from dshub.store import Partial, Store
from dshub.store.faults import disk_faults


@dataclass(frozen=True)
class Imported:
    """A file that was taken.

    Attributes:
        job: the resource it turned out to be.
        source: where it was.
        how: `same bytes`, or `same content` where it was compressed anew.
    """

    job: Job
    source: Path
    how: str


def import_files(
    store: Store, jobs: Sequence[Job], paths: Sequence[Path], *, progress: Progress | None = None
) -> list[Imported]:
    """Copy into the store each resource of `jobs` that is found among some files and folders.

    A file is recognised by its checksum. Those looked at are the ones named directly, and in
    folders those with the size or the name of a resource that is wanted. Where the manifest
    knows the checksum of the content (`content_sha256`), a copy that was compressed anew, or not
    at all, is taken too: the store then keeps the content. The user's files are only read.

    Returns:
        What was taken, in the order of `jobs`; resources that were not found are left out.

    Raises:
        StoreError: a path does not exist, a file that may be wanted cannot be read, or the
            cache cannot be written.
    """
    taken = []
    candidates = [_Candidate(path, named=named) for top in paths for path, named in _walk(top)]
    total = sum(job.resource.size or 0 for job in jobs)
    with Task(progress or Silent(), "importing", total) as task:
        for job in jobs:
            found = _find(store, job, candidates)
            if found is not None:
                taken.append(found)
            task.advance(job.resource.size or 0)
    return taken


class _Candidate:
    """A file that may be wanted, and its checksums once they were computed."""

    def __init__(self, path: Path, *, named: bool) -> None:
        self.path, self.named, self.size = path, named, path.stat().st_size
        self._digests: dict[str, Digest] = {}

    def digest(self, like: Digest) -> Digest:
        if like.algorithm not in self._digests:
            with disk_faults(self.path, "read"):
                self._digests[like.algorithm] = Digest.of_file(self.path, like.algorithm)
        return self._digests[like.algorithm]

    def may_be(self, job: Job) -> bool:
        return self.size == job.resource.size or (
            job.resource.size is None and (self.named or self.is_called(job))
        )

    def may_hold(self, job: Job) -> bool:
        return self.named or self.is_called(job)

    def is_called(self, job: Job) -> bool:
        """Whether its name is the resource's, whatever compression the two names tell of."""
        return _stem(self.path.name) == _stem(job.resource.name)


def _find(store: Store, job: Job, candidates: Sequence[_Candidate]) -> Imported | None:
    wanted, content = job.resource.digest, job.resource.content_digest
    for candidate in candidates:
        if candidate.may_be(job) and candidate.digest(wanted) == wanted:
            _take(store, candidate.path, wanted, unpack=False)
            return Imported(job, candidate.path, "same bytes")
    for candidate in candidates:
        if content is None or not candidate.may_hold(job):
            continue
        if _take(store, candidate.path, content, unpack=True):
            return Imported(job, candidate.path, "same content")
    return None


def _take(store: Store, path: Path, digest: Digest, *, unpack: bool) -> bool:
    """Publish the bytes of a file, or those inside it, if they hash to `digest`."""
    if store.blob(digest) is not None:
        return True
    with store.partial(digest) as partial:
        if store.blob(digest) is not None:
            partial.discard()
            return True
        partial.restart()
        try:
            with archives.open_stream(path) if unpack else path.open("rb") as source:
                _copy(source, partial)
        except (ReadError, UnsafeArchiveError):
            partial.restart()  # damaged, a bomb, or something else altogether: not what we look for
        if partial.actual == digest:
            store.publish(partial)
            return True
        partial.discard()
    return False


def _copy(source: BinaryIO, partial: Partial) -> None:
    span = partial.claim(None)
    while span is not None and (piece := source.read(CHUNK)):
        partial.write(span, memoryview(piece))


def _walk(top: Path) -> Iterator[tuple[Path, bool]]:
    """Every file at or below a path, and whether it was named directly."""
    if top.is_file():
        yield top, True
    elif top.is_dir():
        yield from ((path, False) for path in sorted(top.rglob("*")) if path.is_file())
    else:
        raise StoreError(
            path=str(top), action="read", reason="there is no such file", hint="check the path"
        )


def _stem(name: str) -> str:
    for suffix in archives.stream_suffixes():
        name = name.removesuffix(suffix)
    return name
