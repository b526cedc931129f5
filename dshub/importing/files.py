"""Import files by checksum: copied, cloned, linked, or left where they are."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.cache.files import clone_file, open_file
from dshub.cache.references import Reference
from dshub.cache.store import Store
from dshub.checksums import CHUNK, Algorithm, Digest
from dshub.download.diagnosis import HEAD, is_lfs_pointer
from dshub.download.sources import Job
from dshub.errors import ReadError, StoreError, UnsafeArchiveError
from dshub.progress import Progress, Silent, Task, size

Keep = Literal["auto", "copy", "link", "reference"]
"""`copy` gives the cache its own bytes. `link` gives one file two names, so a program that writes
to the user's file damages the cache, which `dshub verify` finds. `reference` leaves the file in
its place and notes that. `auto` shares blocks if the file system can, copies files up to `LARGE`,
and refers to larger ones: nothing is at risk, and nothing large is stored twice.
"""

Kept = Literal["copied", "cloned", "linked", "referenced", "unpacked", "cached"]

LARGE = 1 << 30  # bytes of a file that is not worth a second copy
AT_ONCE = 4  # files hashed at the same time, at most


@dataclass(frozen=True)
class Imported:
    """A file that was imported.

    Attributes:
        job: the resource that it is.
        source: its path.
        how: `same bytes`; or `same content`, for a file that was compressed again.
        kept: how the store has it now.
    """

    job: Job
    source: Path
    how: str
    kept: Kept = "copied"


@dataclass(frozen=True)
class Mismatch:
    """A file that has the name of a resource but not its content.

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
) -> list[Imported | Mismatch]:
    """Import each resource of `jobs` that is among some files and folders.

    Files are recognized by checksum. Those hashed are the ones named directly, and in folders the
    ones with the size or the name of a resource, each once, several at the same time. If the
    manifest has the checksum of a resource's content (`content_sha256`), a copy that was compressed
    again, or not at all, counts too; the store then keeps the content, decompressed. The user's
    files are only read.

    Returns:
        Imported files and mismatches, in the order of `jobs`, which may be missing altogether.

    Raises:
        StoreError: a path does not exist, a possible file cannot be read, or the cache cannot be
            written.
    """
    if not jobs:
        return []
    progress = progress or Silent()
    for top in paths:
        if not top.exists():
            reason, hint = "there is no such file", "check the path"
            raise StoreError(path=str(top), action="read", reason=reason, hint=hint)
    sizes = {job.resource.size for job in jobs}
    stems = {_stem(job.resource.name) for job in jobs}
    candidates = [
        item
        for top in paths
        for item in _walk(top)
        if item.named or item.size in sizes or item.stem in stems
    ]
    _hash(jobs, candidates, progress)
    found = (_find(store, job, candidates, keep, progress) for job in jobs)
    return [item for item in found if item is not None]


class _Candidate:
    """A file that may be a resource, and its checksums once they were computed."""

    def __init__(self, path: Path, *, named: bool) -> None:
        self.path, self.named, self.status = path, named, path.stat()
        self.size, self.stem = self.status.st_size, _stem(path.name)
        self.digests: dict[Algorithm, Digest] = {}

    def may_be(self, job: Job) -> bool:
        """Tell whether it may have the bytes of a resource."""
        published = job.resource.size
        return self.size == published or (published is None and self.may_hold(job))

    def may_hold(self, job: Job) -> bool:
        """Tell whether it may have the content of a resource."""
        return self.named or self.is_called(job)

    def is_called(self, job: Job) -> bool:
        """Tell whether its name is the resource's, apart from compression suffixes."""
        return self.stem == _stem(job.resource.name)


def _hash(jobs: Sequence[Job], candidates: Sequence[_Candidate], progress: Progress) -> None:
    """Compute every checksum that is needed to recognize the files, each once."""
    needed = dict.fromkeys(
        (item, job.resource.digest.algorithm)
        for job in jobs
        for item in candidates
        if item.may_be(job)
    )
    total = sum(item.size for item, _ in needed)
    with (
        Task(progress, "reading possible files", total) as task,
        ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool,
    ):

        def read(work: tuple[_Candidate, Algorithm]) -> None:
            item, algorithm = work
            with disk_faults(item.path, "read"), item.path.open("rb") as file:
                item.digests[algorithm] = Digest.of_stream(file, algorithm, task.advance)

        for _ in pool.map(read, needed):
            pass


def _find(
    store: Store, job: Job, candidates: Sequence[_Candidate], keep: Keep, progress: Progress
) -> Imported | Mismatch | None:
    digest, content = job.resource.digest, job.resource.content_digest
    for item in candidates:
        if item.may_be(job) and item.digests[digest.algorithm] == digest:
            kept = _keep(store, item, digest, keep, progress)
            if kept is not None:
                return Imported(job, item.path, "same bytes", kept)
    if content is not None:
        for item in candidates:
            if item.may_hold(job) and _copy(store, content, archives.open_stream(item.path)):
                return Imported(job, item.path, "same content", "unpacked")
    called = (item for item in candidates if item.is_called(job))
    return next((Mismatch(job, item.path, _reason(job, item)) for item in called), None)


def _reason(job: Job, item: _Candidate) -> str:
    """Say why a file with the right name is not the resource."""
    published = job.resource.size
    if item.size < HEAD and is_lfs_pointer(item.path.read_bytes()):
        return "it is a Git LFS pointer: run `git lfs pull` in its repository"
    if published is not None and item.size < published:
        sizes = f"{item.size:,} of {published:,} bytes"
        return f"damaged: it is cut short, {sizes}; or an older version"
    if published is not None and item.size > published:
        return f"another version: {item.size:,} bytes instead of {published:,}"
    digest = item.digests.get(job.resource.digest.algorithm)
    content = f"{digest.short} instead of {job.resource.digest.short}" if digest else "other bytes"
    if published is None:
        return f"damaged, or another version: {content}, {size(item.size)}"
    return f"damaged: of the right size, but {content}"


def _keep(
    store: Store, item: _Candidate, digest: Digest, keep: Keep, progress: Progress
) -> Kept | None:
    """Bring a file with a known checksum into the store.

    Returns:
        How it is kept; None if the file changed meanwhile.

    Raises:
        StoreError: the cache cannot be written, or the file cannot be read any more.
    """
    if store.blob(digest) is not None:
        return "cached"
    path, before = item.path.resolve(), item.status
    with disk_faults(path, "read"):
        now = path.stat()
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return None
    if keep == "link":
        if _place(store, path, digest, os.link):
            return "linked"
        progress.say(f"{path} cannot be linked, since it is on another file system; copying it")
    if keep != "reference" and _place(store, path, digest, clone_file):
        return "cloned"
    if keep == "auto" and before.st_size > LARGE:
        progress.say(f"{path} ({size(before.st_size)}) stays where it is; --copy copies it")
        keep = "reference"
    if keep == "reference":
        store.refer(digest, Reference.of(path, before))
        return "referenced"
    return "copied" if _copy(store, digest, _reading(path)) else None


def _place(store: Store, path: Path, digest: Digest, make: Callable[[Path, Path], object]) -> bool:
    """Give the cache a file without copying it; return False if that is impossible here."""
    with suppress(OSError), store.scratch() as folder:
        make(path, folder / "data")
        store.take(folder / "data", digest)
        return True
    return False


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    with disk_faults(path, "read"), open_file(path, follow=True) as file:
        yield file


def _copy(store: Store, digest: Digest, opened: AbstractContextManager[BinaryIO]) -> bool:
    """Copy bytes into the store; return False, and keep nothing, unless `digest` is theirs."""
    with store.partial(digest) as partial:
        if store.blob(digest) is not None:
            partial.discard()
            return True
        partial.restart()
        # a damaged file, a bomb, or something else altogether: its bytes do not match
        with suppress(ReadError, UnsafeArchiveError), opened as source:
            span = partial.claim(None)
            while span is not None and (piece := source.read(CHUNK)):
                partial.write(span, memoryview(piece))
        if partial.actual == digest:
            store.publish(partial)
            return True
        partial.discard()
        return False


def _walk(top: Path) -> Iterator[_Candidate]:
    """Yield every file at or below a path; unreadable folders are skipped."""
    if not top.is_dir():
        yield _Candidate(top, named=True)
        return
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            with suppress(OSError):  # a broken link
                yield _Candidate(Path(folder, name), named=False)


def _stem(name: str) -> str:
    for suffix in archives.stream_suffixes():
        name = name.removesuffix(suffix)
    return name
