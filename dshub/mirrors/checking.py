"""Verify every byte of a mirror, and find the files that it does not need."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from dshub.cache.paths import CACHEDIR_FILE, blob_digest, blob_path, is_ours, table_path
from dshub.cache.store import Store
from dshub.catalog.parsing import parse
from dshub.checksums import Digest
from dshub.display import without_secrets
from dshub.errors import ChecksumError, DshubError, ManifestError, ReadError, StoreError
from dshub.mirrors.destinations import Destination
from dshub.mirrors.index import NAME, BlobFacts, Entry, Index
from dshub.mirrors.signing import check_signature

State = Literal["ok", "missing", "damaged", "other"]


@dataclass(frozen=True)
class Checked:
    """The state of a file of a mirror.

    Attributes:
        name: its path in the mirror.
        state: `ok`; `missing` if the index names it; `damaged` if its checksum is wrong; `other`
            if dshub did not write it.
        detail: more about the state.
        of: a dataset that needs it; empty if none does.
    """

    name: str
    state: State
    detail: str = ""
    of: str = ""


def read_index(mirror: Destination) -> Index | None:
    """Read the index of a mirror; None if it has none.

    Raises:
        ReadError, ChecksumError: it is damaged, or has a newer schema.
        StoreError: it cannot be read.
    """
    try:
        with mirror.open(NAME) as file:
            return Index.read(file.read(), source=f"{mirror.title}/{NAME}")
    except FileNotFoundError:
        return None


def needed(index: Index) -> dict[str, tuple[BlobFacts, str]]:
    """The files that an index needs, each with a dataset that it belongs to."""
    files: dict[str, tuple[BlobFacts, str]] = {}
    for entry in index.datasets:
        dataset = entry.identifier
        for facts in (*entry.files, entry.manifest):
            files[blob_path(facts.checksum).as_posix()] = facts, dataset
        for table in entry.tables.values():
            folder = table_path(entry.name, table.key)
            for file, facts in table.files.items():
                files[(folder / file).as_posix()] = facts, dataset
        files[entry.registry_path] = entry.manifest, dataset
    return files


def verify(
    mirror: Destination, *, keys: Sequence[Path] = (), advance: Callable[[int], object] = int
) -> Iterator[Checked]:
    """Read every file of a mirror that the index or its own name has a checksum for.

    Damaged files are moved to `partial-v1`, so that the next update writes them again. Where that
    is not possible they stay, and the detail says so.

    Args:
        mirror: a folder or a bucket.
        keys: public keys, one of which must have signed the index.
        advance: called with the number of bytes read.

    Raises:
        StoreError: a file cannot be read.
    """
    index = None
    try:
        index = read_index(mirror)
        if index is not None:
            check_signature(index, keys, source=f"{mirror.title}/{NAME}")
    except (ReadError, ChecksumError) as error:
        yield Checked(NAME, "damaged", str(error))
    else:
        detail = index.signed if index else "there is no index"
        yield Checked(NAME, "ok" if index else "missing", detail)
    files = needed(index) if index is not None else {}
    for name in mirror.names():
        digest = blob_digest(PurePosixPath(name))
        if name not in files and digest is not None:
            files[name] = BlobFacts(digest=str(digest)), ""
        elif name not in files and not is_ours(PurePosixPath(name)):
            yield Checked(name, "other", "not written by dshub")
    for name, (facts, dataset) in sorted(files.items()):
        yield _check(mirror, name, facts.checksum, dataset, advance)


def _check(
    mirror: Destination, name: str, expected: Digest, dataset: str, advance: Callable[[int], object]
) -> Checked:
    try:
        with mirror.open(name) as file:
            actual = Digest.of_stream(file, expected.algorithm, advance)
    except FileNotFoundError:
        return Checked(name, "missing", "it is gone", dataset)
    except OSError as error:
        reason = without_secrets(f"{name}: {error.strerror or error}", mirror.address)
        raise StoreError(path=mirror.title, action="read", reason=reason) from error
    if actual == expected:
        return Checked(name, "ok", "", dataset)
    try:
        outcome = f"moved to {mirror.set_aside(name)}"
    except StoreError as error:
        outcome = f"it stays: {error}"
    return Checked(name, "damaged", f"got {actual.short}; {outcome}", dataset)


@dataclass(frozen=True)
class Pruning:
    """Files that an update with `prune` would remove from a mirror.

    Attributes:
        sizes: bytes of each file, by its path.
        everything: whether none of the listed datasets stays.
        irreplaceable: files that cannot be downloaded again and are not in the cache.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    everything: bool = False
    irreplaceable: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes.values())


def plan_pruning(mirror: Destination, entries: Sequence[Entry], cache: Store) -> Pruning:
    """Find what to remove from a mirror that is to list `entries` alone.

    Args:
        mirror: a folder or a bucket.
        entries: the new entries of its index.
        cache: holds copies of files.

    Raises:
        DshubError: the mirror is a cache.
        StoreError: a file cannot be read.
    """
    if mirror.size(CACHEDIR_FILE) is not None:
        raise DshubError(
            f"{mirror.title} is a cache of dshub; pruning it as a mirror would remove other files",
            hint="use `dshub cache prune`",
        )
    index = read_index(mirror)
    old = index.datasets if index is not None else ()
    sizes = {name: mirror.size(name) or 0 for name in unneeded(mirror, Index.of(entries))}
    staying = {entry.name for entry in old} & {entry.name for entry in entries}
    irreplaceable = list(dict.fromkeys(_manual_files(mirror, old, sizes, cache)))
    return Pruning(sizes, bool(sizes) and not staying, irreplaceable)


def _manual_files(
    mirror: Destination, entries: Sequence[Entry], removed: Collection[str], cache: Store
) -> Iterator[str]:
    """Removed files that cannot be downloaded, according to the manifests of a mirror."""
    for entry in entries:
        try:
            with mirror.open(blob_path(entry.manifest.checksum).as_posix()) as file:
                manifest = parse(file.read().decode(), source=entry.identifier)
        except (FileNotFoundError, UnicodeDecodeError, ManifestError):
            continue  # damaged; the next update repairs it
        for name, resource in manifest.resources.items():
            goes = resource.by_hand and blob_path(resource.digest).as_posix() in removed
            if goes and cache.blob(resource.digest) is None:
                yield f"{manifest.name}: {name}"


def unneeded(mirror: Destination, index: Index) -> list[str]:
    """Files of a mirror that its index does not need, in the order in which to remove them.

    Files that dshub did not write are left out, and so are manifests in `registry/` that were
    never published: the folder may be a project's own. A published manifest is one whose bytes
    are among the blobs. That is why manifests come first.

    Raises:
        StoreError: a file cannot be read.
    """
    keep, names = needed(index), frozenset(mirror.names())
    left = sorted(name for name in names - keep.keys() if is_ours(PurePosixPath(name)))
    manifests = [name for name in left if name.startswith("registry/")]
    others = [name for name in left if not name.startswith("registry/")]
    return [name for name in manifests if _was_published(mirror, name, names)] + others


def _was_published(mirror: Destination, name: str, names: frozenset[str]) -> bool:
    if mirror.size(name) is None:  # not a regular file
        return False
    with mirror.open(name) as file:
        return blob_path(Digest.of_bytes(file.read())).as_posix() in names
