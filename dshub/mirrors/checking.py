"""Verify the files of a mirror, and find files to prune."""

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
class CheckedFile:
    """State of a file in a mirror.

    Attributes:
        name: path in the mirror.
        state: `ok`; `missing` for an absent file that the index lists; `damaged` for a wrong
            checksum; `other` for a file that dshub did not write.
        detail: explanation of the state, for display.
        of: identifier of a dataset that needs the file; empty if no dataset needs it.
    """

    name: str
    state: State
    detail: str = ""
    of: str = ""


def read_index(mirror: Destination) -> Index | None:
    """Read the index of a mirror; return None if the mirror has no index.

    Raises:
        ReadError, ChecksumError: the index is damaged or has a newer schema.
        StoreError: the index cannot be read.
    """
    try:
        with mirror.open(NAME) as file:
            return Index.read(file.read(), source=f"{mirror.title}/{NAME}")
    except FileNotFoundError:
        return None


def needed_files(index: Index) -> dict[str, tuple[BlobFacts, str]]:
    """Return each file that an index needs, with its facts and one dataset that uses it."""
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
) -> Iterator[CheckedFile]:
    """Verify every file of a mirror that has a checksum in the index or in the file name.

    Damaged files are moved to `partial-v1`, so that the next update writes them again. If a move
    fails, the file stays in place and `detail` gives the reason.

    Args:
        mirror: folder or bucket to verify.
        keys: paths of public keys; one of them must have signed the index.
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
        yield CheckedFile(NAME, "damaged", str(error))
    else:
        detail = index.signed_label if index else "there is no index"
        yield CheckedFile(NAME, "ok" if index else "missing", detail)
    files = needed_files(index) if index is not None else {}
    for name in mirror.names():
        digest = blob_digest(PurePosixPath(name))
        if name not in files and digest is not None:
            files[name] = BlobFacts(digest=str(digest)), ""
        elif name not in files and not is_ours(PurePosixPath(name)):
            yield CheckedFile(name, "other", "not written by dshub")
    for name, (facts, dataset) in sorted(files.items()):
        yield _check(mirror, name, facts.checksum, dataset, advance)


def _check(
    mirror: Destination, name: str, expected: Digest, dataset: str, advance: Callable[[int], object]
) -> CheckedFile:
    try:
        with mirror.open(name) as file:
            actual = Digest.of_stream(file, expected.algorithm, advance)
    except FileNotFoundError:
        return CheckedFile(name, "missing", "file not found", dataset)
    except OSError as error:
        reason = without_secrets(f"{name}: {error.strerror or error}", mirror.address)
        raise StoreError(path=mirror.title, action="read", reason=reason) from error
    if actual == expected:
        return CheckedFile(name, "ok", "", dataset)
    try:
        outcome = f"moved to {mirror.set_aside(name)}"
    except StoreError as error:
        outcome = f"not moved: {error}"
    return CheckedFile(name, "damaged", f"got {actual.short}; {outcome}", dataset)


@dataclass(frozen=True)
class Pruning:
    """Files that an update with `prune` would remove from a mirror.

    Attributes:
        sizes: bytes of each file, by path.
        everything: True if every dataset in the index would be removed.
        irreplaceable: removed files that cannot be downloaded again and are not in the cache.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    everything: bool = False
    irreplaceable: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return sum(self.sizes.values())


def plan_pruning(mirror: Destination, entries: Sequence[Entry], cache: Store) -> Pruning:
    """Find the files to remove from a mirror so that only `entries` remain.

    Args:
        mirror: folder or bucket to prune.
        entries: new entries of the index.
        cache: store that can hold copies of files without a download URL.

    Raises:
        DshubError: the mirror folder is a dshub cache.
        StoreError: a file cannot be read.
    """
    if mirror.size(CACHEDIR_FILE) is not None:
        raise DshubError(
            f"{mirror.title} is a dshub cache, so it cannot be pruned as a mirror",
            hint="run `dshub cache prune` to remove unneeded files from a cache",
        )
    index = read_index(mirror)
    old = index.datasets if index is not None else ()
    sizes = {name: mirror.size(name) or 0 for name in unneeded_files(mirror, Index.of(entries))}
    remaining = {entry.name for entry in old} & {entry.name for entry in entries}
    irreplaceable = list(dict.fromkeys(_manual_files(mirror, old, sizes, cache)))
    return Pruning(sizes, bool(sizes) and not remaining, irreplaceable)


def _manual_files(
    mirror: Destination, entries: Sequence[Entry], removed: Collection[str], cache: Store
) -> Iterator[str]:
    """Yield the removed files that have no download URL and are not in the cache."""
    for entry in entries:
        try:
            with mirror.open(blob_path(entry.manifest.checksum).as_posix()) as file:
                manifest = parse(file.read().decode(), source=entry.identifier)
        except (FileNotFoundError, UnicodeDecodeError, ManifestError):
            continue  # the next update repairs a damaged manifest
        for name, resource in manifest.resources.items():
            is_removed = blob_path(resource.digest).as_posix() in removed
            if resource.by_hand and is_removed and cache.blob(resource.digest) is None:
                yield f"{manifest.name}: {name}"


def unneeded_files(mirror: Destination, index: Index) -> list[str]:
    """List the files of a mirror that its index does not need, in the order of removal.

    Files that dshub did not write are excluded. So are unpublished manifests in `registry/`,
    because that folder can belong to a project. A manifest counts as published while a blob with
    the same bytes exists. So manifests are removed before blobs.

    Raises:
        StoreError: a file cannot be read.
    """
    needed, names = needed_files(index), frozenset(mirror.names())
    unneeded = sorted(name for name in names - needed.keys() if is_ours(PurePosixPath(name)))
    manifests = [name for name in unneeded if name.startswith("registry/")]
    data_files = [name for name in unneeded if not name.startswith("registry/")]
    return [name for name in manifests if _was_published(mirror, name, names)] + data_files


def _was_published(mirror: Destination, name: str, names: frozenset[str]) -> bool:
    if mirror.size(name) is None:  # a link or a folder
        return False
    with mirror.open(name) as file:
        return blob_path(Digest.of_bytes(file.read())).as_posix() in names
