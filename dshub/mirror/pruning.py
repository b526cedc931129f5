"""Removing from a mirror what its index does not need."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dshub.digest import Digest
from dshub.errors import DshubError, ManifestError
from dshub.index import Entry, Index
from dshub.manifest import parse
from dshub.mirror.checking import needed
from dshub.mirror.destinations import Destination
from dshub.store import Store, blob_path
from dshub.store.layout import CACHEDIR_FILE, is_ours


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
