"""Import files by checksum: copy, clone or link them, or refer to their location."""

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
from dshub.download.diagnosis import HEAD, other_content
from dshub.download.sources import Job
from dshub.errors import ReadError, StoreError, UnsafeArchiveError
from dshub.importing.walking import list_files
from dshub.progress import Progress, Silent, Task, size

Keep = Literal["auto", "copy", "link", "reference"]
"""How the cache stores an imported file.

`copy` makes a separate copy. `link` creates a hard link, so a program that writes to the user's
file damages the cache, which `dshub verify` detects. `reference` only records the path. `auto`
clones the file if the file system supports it. Otherwise, it copies files up to `LARGE` and refers
to larger ones.
"""

Kept = Literal["copied", "cloned", "linked", "referenced", "unpacked", "cached"]

LARGE = 1 << 30  # maximum bytes of a file that `auto` copies
AT_ONCE = 4  # maximum number of files to hash in parallel


@dataclass(frozen=True)
class Imported:
    """A file that was imported.

    Attributes:
        job: resource of the file.
        source: path of the file.
        how: `same bytes`, or `same content` for a file with a different compression.
        kept: how the store keeps the file.
    """

    job: Job
    source: Path
    how: str
    kept: Kept = "copied"


@dataclass(frozen=True)
class Mismatch:
    """A file with the name but not the content of a resource.

    Attributes:
        job: resource with that name.
        source: path of the file.
        reason: difference between the file and the resource.
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
    """Import the resources of `jobs` from files and folders.

    Files are identified by checksum. Every file in `paths` is hashed. In folders, only files with
    the size or name of a resource are hashed. If the manifest has a checksum of the decompressed
    content (`content_sha256`), files with a different compression match, too, and the store keeps
    the decompressed content. The user's files are never modified.

    Returns:
        Imported files and mismatches, in the order of `jobs`, with nothing for missing files.

    Raises:
        StoreError: a path does not exist, a candidate file cannot be read, or the cache cannot be
            written.
    """
    if not jobs:
        return []
    progress = progress or Silent()
    for top in paths:
        if not top.exists():
            reason, hint = "the file does not exist", "check the path"
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
    results = (_find(store, job, candidates, keep, progress) for job in jobs)
    return [item for item in results if item is not None]


class _Candidate:
    """A file that could be a resource, with the checksums computed so far."""

    def __init__(self, path: Path, *, named: bool) -> None:
        self.path, self.named, self.status = path, named, path.stat()
        self.size, self.stem = self.status.st_size, _stem(path.name)
        self.digests: dict[Algorithm, Digest] = {}

    def may_be(self, job: Job) -> bool:
        """Return True if the file could have the bytes of a resource."""
        published = job.resource.size
        return self.size == published or (published is None and self.may_hold(job))

    def may_hold(self, job: Job) -> bool:
        """Return True if the file could have the decompressed content of a resource."""
        return self.named or self.is_called(job)

    def is_called(self, job: Job) -> bool:
        """Return True if the file has a resource's name, ignoring compression suffixes."""
        return self.stem == _stem(job.resource.name)


def _hash(jobs: Sequence[Job], candidates: Sequence[_Candidate], progress: Progress) -> None:
    """Compute the checksums needed to identify the files, each only once."""
    needed = dict.fromkeys(
        (item, job.resource.digest.algorithm)
        for job in jobs
        for item in candidates
        if item.may_be(job)
    )
    total = sum(item.size for item, _ in needed)
    with (
        Task(progress, "reading candidate files", total) as task,
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
    """Return the reason why a file with the right name is not the resource."""
    published = job.resource.size
    sent = other_content(item.path.read_bytes(), job.resource) if item.size < HEAD else None
    if sent is not None:
        return ": ".join(sent)
    if published is not None and item.size < published:
        sizes = f"{item.size:,} of {published:,} bytes"
        return f"truncated, or an older version: {sizes}"
    if published is not None and item.size > published:
        return f"another version: {item.size:,} bytes instead of {published:,}"
    digest = item.digests.get(job.resource.digest.algorithm)
    content = f"{digest.short} instead of {job.resource.digest.short}" if digest else "other bytes"
    if published is None:
        return f"damaged, or another version: {content}, {size(item.size)}"
    return f"damaged: the size is right, but not the content ({content})"


def _keep(
    store: Store, item: _Candidate, digest: Digest, keep: Keep, progress: Progress
) -> Kept | None:
    """Add a hashed file to the store.

    Returns:
        How the store keeps the file, or None if the file changed after hashing.

    Raises:
        StoreError: the cache cannot be written, or the file can no longer be read.
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
        progress.say(f"{path} is on another file system, so it is copied instead of linked")
    if keep != "reference" and _place(store, path, digest, clone_file):
        return "cloned"
    if keep == "auto" and before.st_size > LARGE:
        progress.say(f"{path} ({size(before.st_size)}) is not copied; use --copy to copy it")
        keep = "reference"
    if keep == "reference":
        store.refer(digest, Reference.of(path, before))
        return "referenced"
    return "copied" if _copy(store, digest, _reading(path)) else None


def _place(store: Store, path: Path, digest: Digest, make: Callable[[Path, Path], object]) -> bool:
    """Add a file to the cache with `make`, such as `os.link`; return False if that fails."""
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
    """Copy bytes into the store if their checksum is `digest`; return False otherwise."""
    with store.partial(digest) as partial:
        if store.blob(digest) is not None:
            partial.discard()
            return True
        partial.restart()
        # after an error the bytes do not match `digest`
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
    """Yield the file at a path, or all files below it; skip unreadable folders."""
    if not top.is_dir():
        yield _Candidate(top, named=True)
        return
    for place, names in list_files(top, everything=True).places.items():
        for name in names:
            with suppress(OSError):  # removed meanwhile
                yield _Candidate(top.joinpath(*place, name), named=False)


def _stem(name: str) -> str:
    for suffix in archives.stream_suffixes():
        name = name.removesuffix(suffix)
    return name
