"""Import files by checksum: copied, cloned, linked, or left where they are.

How a file that a person has comes into the store: copied, linked, or left where it is.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.cache.files import clone_file, open_file
from dshub.cache.partial import Partial
from dshub.cache.references import Reference
from dshub.cache.store import Store
from dshub.checksums import CHUNK, Algorithm, Digest
from dshub.download.diagnosis import HEAD, is_lfs_pointer
from dshub.download.sources import Job
from dshub.errors import ReadError, StoreError, UnsafeArchiveError
from dshub.progress import Progress, Silent, Task, size

Keep = Literal["auto", "copy", "link", "reference"]
"""`copy` gives the cache bytes of its own. `link` gives one file two names, so that a program which
writes into the person's file damages the cache, where `dshub verify` finds it. `reference` leaves
the file where it is and notes where. `auto` shares blocks where the file system can do that, copies
files up to `LARGE`, and refers to larger ones: nothing is risked, and nothing large is there twice.
"""

Kept = Literal["copied", "cloned", "linked", "referenced", "unpacked", "cached"]

LARGE = 1 << 30  # bytes of a file that is not worth a second copy


def keep_file(
    store: Store, path: Path, digest: Digest, *, keep: Keep, status: os.stat_result, say: Progress
) -> Kept | None:
    """Take a file whose checksum was computed.

    Args:
        store: where it goes.
        path: the file.
        digest: what its bytes hash to.
        keep: how.
        status: of the file before its checksum was computed.
        say: is told where it cannot be kept as asked for.

    Returns:
        How it is kept; None where the file changed meanwhile.

    Raises:
        StoreError: the cache cannot be written, or the file cannot be read any more.
    """
    path = path.resolve()
    if _changed(path, status):
        return None
    if keep == "reference":
        return _refer(store, path, digest, status)
    if keep == "link":
        if _placed(store, path, digest, link=True):
            return "linked"
        say.say(f"{path} cannot be linked to, since it lies on another file system; copying it")
    if _placed(store, path, digest, link=False):
        return "cloned"
    if keep == "auto" and status.st_size > LARGE:
        say.say(f"{path} stays where it is, being {size(status.st_size)}; --copy copies it")
        return _refer(store, path, digest, status)
    return "copied" if copy_file(store, path, digest) else None


def copy_file(store: Store, path: Path, digest: Digest) -> bool:
    """Copy a file's bytes; False where they are others than `digest` says, and nothing is kept."""
    with store.partial(digest) as partial:
        if store.blob(digest) is not None:
            partial.discard()
            return True
        partial.restart()
        with disk_faults(path, "read"), open_file(path, follow=True) as source:
            span = partial.claim(None)
            while span is not None and (piece := source.read(CHUNK)):
                partial.write(span, memoryview(piece))
        return finished(store, partial, digest)


def finished(store: Store, partial: Partial, digest: Digest) -> bool:
    """Publish what has arrived if it hashes to `digest`; drop it otherwise."""
    if partial.actual == digest:
        store.publish(partial)
        return True
    partial.discard()
    return False


def _changed(path: Path, status: os.stat_result) -> bool:
    with disk_faults(path, "read"):
        now = path.stat()
    return (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns)


def _refer(store: Store, path: Path, digest: Digest, status: os.stat_result) -> Kept:
    store.refer(digest, Reference.of(path, status))
    return "referenced"


def _placed(store: Store, path: Path, digest: Digest, *, link: bool) -> bool:
    """Give the cache the file without copying it; False where that cannot be done here."""
    with suppress(OSError), store.scratch() as folder:
        target = folder / "data"
        if link:
            os.link(path, target)
        else:
            clone_file(path, target)
        store.take(target, digest)
        return True
    return False


def check_readable(path: Path) -> None:
    """Raise StoreError where there is nothing at a path."""
    if not path.exists():
        raise StoreError(
            path=str(path), action="read", reason="there is no such file", hint="check the path"
        )


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
                item.digests[algorithm] = Digest.of_stream(file, algorithm, task.advance)

        for _ in pool.map(read, needed):
            pass


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
    if item.size < HEAD and is_lfs_pointer(item.path.read_bytes()):
        return "it is a Git LFS pointer: run `git lfs pull` in its repository"
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
