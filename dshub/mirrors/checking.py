"""Check a mirror byte by byte, and prune it.

Reading a mirror again, every byte of it, without any network.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from dshub.cache.paths import CACHEDIR_FILE, blob_digest, blob_path, is_ours, table_path
from dshub.cache.store import Store
from dshub.catalog.parsing import parse
from dshub.checksums import CHUNK, Digest
from dshub.display import without_secrets
from dshub.errors import ChecksumError, DshubError, ManifestError, ReadError, StoreError
from dshub.mirrors.destinations import Destination
from dshub.mirrors.index import NAME, BlobFacts, Entry, Index
from dshub.mirrors.signing import check_signature

State = Literal["ok", "missing", "damaged", "other"]


@dataclass(frozen=True)
class Checked:
    """What was found of one file of a mirror.

    Attributes:
        name: where it lies.
        state: `ok`; `missing` where the index names it and it is not there; `damaged` where its
            bytes are not those of its checksum; `other` of a file that dshub did not make.
        detail: the fact behind the state.
        of: a dataset that needs it; empty where none does.
    """

    name: str
    state: State
    detail: str = ""
    of: str = ""


def read_index(place: Destination) -> Index | None:
    """The index of a mirror; None where it has none.

    Raises:
        ReadError, ChecksumError: it is damaged, or of a later schema.
        StoreError: it cannot be read.
    """
    try:
        with place.open(NAME) as file:
            return Index.read(file.read(), source=f"{place.title}/{NAME}")
    except FileNotFoundError:
        return None


def needed(index: Index) -> dict[str, tuple[BlobFacts, str]]:
    """The bytes of every file that an index needs, and a dataset that it belongs to."""
    found: dict[str, tuple[BlobFacts, str]] = {}
    for entry in index.datasets:
        name = entry.identifier
        for facts in (*entry.files, entry.manifest):
            found[blob_path(facts.checksum).as_posix()] = facts, name
        for table in entry.tables.values():
            folder = table_path(entry.name, table.key)
            for file, facts in table.files.items():
                found[(folder / file).as_posix()] = facts, name
        found[entry.registry_path] = entry.manifest, name
    return found


def verify(
    place: Destination, *, keys: Sequence[Path] = (), advance: Callable[[int], object] = int
) -> Iterator[Checked]:
    """Read everything in a mirror again, and compare it with its checksum.

    Looked at are the files that the index names, and all others that are named by a checksum;
    files that dshub did not make are named.
    What is damaged is moved to `partial-v1`, so that the next update brings it again; where that
    is not allowed, it stays, and the detail says so.

    Args:
        place: the mirror.
        keys: public keys, one of which must have signed the index.
        advance: is told the bytes as they are read.

    Raises:
        StoreError: something may not be read.
    """
    index = None
    try:
        index = read_index(place)
        if index is not None:
            check_signature(index, keys, source=f"{place.title}/{NAME}")
    except (ReadError, ChecksumError) as error:
        yield Checked(NAME, "damaged", str(error))
    else:
        detail = index.signed if index else "there is no index"
        yield Checked(NAME, "ok" if index else "missing", detail)
    wanted = needed(index) if index is not None else {}
    for name in place.names():
        digest = blob_digest(PurePosixPath(name))
        if name not in wanted and digest is not None:
            wanted[name] = BlobFacts(digest=str(digest)), ""
        elif name not in wanted and not is_ours(PurePosixPath(name)):
            yield Checked(name, "other", "not made by dshub")
    for name, (facts, dataset) in sorted(wanted.items()):
        yield _check(place, name, facts, dataset, advance)


def _check(
    place: Destination, name: str, facts: BlobFacts, dataset: str, advance: Callable[[int], object]
) -> Checked:
    try:
        actual = _read(place, name, facts.checksum, advance)
    except FileNotFoundError:
        return Checked(name, "missing", "it is gone", dataset)
    if actual == facts.checksum:
        return Checked(name, "ok", "", dataset)
    try:
        told = f"put aside as {place.set_aside(name)}"
    except StoreError as error:
        told = f"it stays, for one {error}"
    return Checked(name, "damaged", f"got {actual.short}; {told}", dataset)


def _read(
    place: Destination, name: str, expected: Digest, advance: Callable[[int], object]
) -> Digest:
    hasher = hashlib.new(expected.algorithm)
    with place.open(name) as file:
        try:
            while piece := file.read(CHUNK):
                hasher.update(piece)
                advance(len(piece))
        except OSError as error:
            reason = without_secrets(f"{name}: {error.strerror or error}", place.address)
            raise StoreError(path=place.title, action="read", reason=reason) from error
    return Digest(expected.algorithm, hasher.hexdigest())


@dataclass(frozen=True)
class Pruning:
    """What an update with `prune` would remove from a mirror.

    Attributes:
        sizes: bytes of each file, by its name.
        everything: whether no dataset of those that are there stays.
        irreplaceable: files of it that cannot be downloaded again, and are not in the cache.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    everything: bool = False
    irreplaceable: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(self.sizes.values())


def plan_pruning(
    place: Destination, entries: Sequence[Entry], old: Sequence[Entry], cache: Store
) -> Pruning:
    """What is to be removed from a mirror that is to list `entries` alone.

    Args:
        place: the mirror.
        entries: what it is to list.
        old: what it lists so far.
        cache: whose files are copies.

    Raises:
        DshubError: it is a cache.
        StoreError: something cannot be read.
    """
    if place.size(CACHEDIR_FILE) is not None:
        raise DshubError(
            f"{place.title} is a cache of dshub: pruning it would remove what else it keeps",
            hint="`dshub cache prune` knows what is used; mirrors are pruned",
        )
    sizes = {name: place.size(name) or 0 for name in unneeded(place, Index.of(entries))}
    staying = {entry.name for entry in old} & {entry.name for entry in entries}
    irreplaceable = list(dict.fromkeys(_by_hand(place, old, sizes, cache)))
    return Pruning(sizes, bool(sizes) and not staying, irreplaceable)


def _by_hand(
    place: Destination, old: Sequence[Entry], going: Collection[str], cache: Store
) -> Iterator[str]:
    """The files of `going` that cannot be downloaded, as far as the mirror's manifests tell."""
    for entry in old:
        try:
            with place.open(blob_path(entry.manifest.checksum).as_posix()) as file:
                manifest = parse(file.read().decode(), source=entry.identifier)
        except (FileNotFoundError, UnicodeDecodeError, ManifestError):
            continue  # it is damaged: whoever updates the mirror puts it right
        for name, resource in manifest.resources.items():
            is_going = blob_path(resource.digest).as_posix() in going
            if is_going and resource.by_hand and cache.blob(resource.digest) is None:
                yield f"{manifest.name}: {name}"


def unneeded(place: Destination, index: Index) -> list[str]:
    """The files of a mirror that its index does not need, in the order in which they are to go.

    What dshub did not make stays. The folder may be a project's, with manifests of its own below
    `registry/`: of those, only what was published goes, whose bytes lie among the blobs. So they
    go before the blobs.

    Raises:
        StoreError: something cannot be read.
    """
    keep, names = needed(index), frozenset(place.names())
    left = sorted(name for name in names - keep.keys() if is_ours(PurePosixPath(name)))
    manifests = [name for name in left if name.startswith("registry/")]
    others = [name for name in left if not name.startswith("registry/")]
    return [name for name in manifests if _was_published(place, name, names)] + others


def prune(place: Destination, index: Index, only: Collection[str]) -> list[str]:
    """Remove from a mirror what its index does not need; returns the names.

    Args:
        place: the mirror.
        index: of the mirror.
        only: nothing but these: what the user was shown.

    Raises:
        StoreError: something cannot be read or removed.
    """
    removed = [name for name in unneeded(place, index) if name in only]
    for name in removed:
        place.remove(name)
    return sorted(removed)


def _was_published(place: Destination, name: str, names: frozenset[str]) -> bool:
    if place.size(name) is None:  # a link, or no regular file
        return False
    with place.open(name) as file:
        return blob_path(Digest.of_bytes(file.read())).as_posix() in names
