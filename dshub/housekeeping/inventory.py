"""Everything in a cache: what it is, whose it is, and whether it has to stay."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dshub.errors import DshubError, UnknownNameError
from dshub.housekeeping.known import Known, Owner
from dshub.housekeeping.words import words
from dshub.manifest import Manifest, Resource
from dshub.registry import Registry
from dshub.store import Kind, Leftover, Store, Usage, leftover, pinned, usage
from dshub.store.layout import blob_digest
from dshub.store.records import Provenance, TableRecord


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing in the cache.

    Attributes:
        kind: `raw` upstream file, `prepared` table, `partial` download or leftover, `synthetic`
            stand-in manifest, note of what was `imported` and lies elsewhere, or something
            `other` that dshub did not make.
        name: what it is, in words: `fashion-mnist: train-images`.
        datasets: those that need it; empty where nobody is known to. Of the datasets that share
            a file only those that are here count, where there are any.
        path: where it lies.
        size: bytes on the disk.
        used: seconds since the epoch at which it was last used.
        pinned: whether a pin keeps it.
        irreplaceable: whether it is the last copy of data that cannot be downloaded again.
        leftover: what sort of partial thing it is, and what became of its process.
    """

    kind: Kind
    name: str
    datasets: tuple[str, ...]
    path: Path
    size: int
    used: float
    pinned: bool = False
    irreplaceable: bool = False
    leftover: Leftover | None = None

    @property
    def held(self) -> bool:
        """Whether a living process of this machine is at work on it."""
        return self.leftover is not None and self.leftover.holder == "alive"


@dataclass(frozen=True)
class _Seen:
    """A thing, what its name tells if it is partial, and whose checksum it bears."""

    usage: Usage
    left: Leftover | None
    owners: Sequence[Owner]


class Inventory:
    """What lay in a cache when this was made.

    Args:
        store: the cache; of its places only the one that is written to.
        registry: names what is kept.
        given: manifests besides those of the registry.

    Attributes:
        items: everything, in the order of `dshub.store.usage`.
        pinned: the names of pinned datasets.
        here: the datasets that are kept: pinned, or with a table or a file that no other has.
    """

    def __init__(self, store: Store, registry: Registry, given: Sequence[Manifest] = ()) -> None:
        self.store, self._registry = store, registry
        kept = list(usage(store.root))
        self.known = Known(registry, kept, given)
        self.pinned = pinned(store)
        self._mirrored = registry.mirrored()
        seen = [self._look(item) for item in kept]
        self.here = self.pinned.union(*map(_told_by, seen))
        self.items = [self._item(thing) for thing in seen]

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(item.size for item in self.items)

    def expand(self, names: Iterable[str]) -> set[str]:
        """The datasets that some names mean: those of the registry, of the cache, or of files.

        Raises:
            UnknownNameError: one is known to neither.
            DshubError: one names a version; what is kept is told apart by dataset only.
        """
        return {dataset for name in names for dataset in self._expand(name)}

    def _expand(self, name: str) -> list[str]:
        if name.endswith(".toml"):
            return [self._registry.manifest(name).name]
        if "@" in name:
            raise DshubError(
                f"versions of a dataset share what is kept, so the cache knows no {name}",
                hint=f"name the dataset: {name.partition('@')[0]}",
            )
        try:
            return self._registry.expand([name])
        except UnknownNameError:
            kept = {dataset for item in self.items for dataset in item.datasets} | self.pinned
            found = [other for other in kept if other == name or other.startswith(f"{name}/")]
            if not found:
                raise
            return found

    def of(self, datasets: set[str]) -> list[Item]:
        """What some datasets need, what they share with others included."""
        return [item for item in self.items if datasets & set(item.datasets)]

    def only_of(self, datasets: set[str]) -> list[Item]:
        """What some datasets need and no other that is here."""
        others = self.here - datasets
        return [item for item in self.of(datasets) if others.isdisjoint(item.datasets)]

    def _look(self, item: Usage) -> _Seen:
        if item.kind in {"raw", "imported"}:
            return _Seen(item, None, self.known.owners.get(item.name, ()))
        if item.kind != "partial":
            return _Seen(item, None, ())
        left = leftover(item.path)
        return _Seen(item, left, self.known.owners.get(left.of.rpartition("-")[2], ()))

    def _item(self, seen: _Seen) -> Item:
        item, left = seen.usage, seen.left
        owners = [owner for owner in seen.owners if owner.manifest.name in self.here]
        owners = owners or list(seen.owners)
        datasets = tuple(dict.fromkeys(self._datasets(seen, owners)))
        content = left is None or left.sort == "download"
        return Item(
            kind=item.kind,
            name=words(item, left, owners, self.known.labels.get(item.path)),
            datasets=datasets,
            path=item.path,
            size=item.size,
            used=item.used,
            pinned=content and not self.pinned.isdisjoint(datasets),
            irreplaceable=self._is_irreplaceable(seen),
            leftover=left,
        )

    def _is_irreplaceable(self, seen: _Seen) -> bool:
        """Whether this is the last copy, as far as this machine can tell, of data by hand."""
        if seen.usage.kind == "raw":
            return self._is_last_file(seen.usage.path, seen.owners)
        label = self.known.labels.get(seen.usage.path)
        return label is not None and self._is_last_table(label)

    def _is_last_file(self, path: Path, owners: Sequence[Owner]) -> bool:
        if not owners or any(owner.manifest.synthetic for owner in owners):
            return False
        resources = [owner.manifest.resources[owner.resource] for owner in owners]
        digest = blob_digest(path)
        if digest is None or not all(map(self._is_by_hand, resources)):
            return False
        reference = self.store.reference(digest)
        outside = reference is not None and not reference.fault
        layers = [Store(layer).blob(digest) for layer in self.store.layers]
        return not outside and not any(layers)

    def _is_last_table(self, label: TableRecord) -> bool:
        manifest, made = label.manifest, label.provenance
        if manifest.synthetic or label.split not in manifest.splits:
            return False
        if isinstance(made, Provenance) and Path(made.path).exists():
            return False
        resources = manifest.split_resources((label.split,)).values()
        return any(self._is_by_hand(item) and not self._has(item) for item in resources)

    def _is_by_hand(self, resource: Resource) -> bool:
        return resource.by_hand and resource.digest.hex not in self._mirrored

    def _has(self, resource: Resource) -> bool:
        """Whether the file, or the bytes inside it, can be read, here or in a read-only cache."""
        digests = filter(None, (resource.digest, resource.content_digest))
        return any(self.store.blob(digest) is not None for digest in digests)

    def _datasets(self, seen: _Seen, owners: Sequence[Owner]) -> Iterator[str]:
        match seen.usage.kind:
            case "prepared":
                yield seen.usage.name
            case "synthetic":
                yield seen.usage.name.rpartition("/")[0]
            case "imported" if "/" in seen.usage.name:
                yield seen.usage.name.rpartition("/")[0]
            case "raw" | "partial" | "imported":
                yield from (owner.manifest.name for owner in owners)
                yield from self._of_damaged_table(seen.left)

    def _of_damaged_table(self, left: Leftover | None) -> list[str]:
        """The dataset of a table that was put aside, told from its name."""
        if left is None or left.sort != "damaged":
            return []
        stem = left.of.rpartition("-")[0]
        names = {*self.known.registered, *self.here}
        return [name for name in sorted(names) if name.replace("/", "-") == stem][:1]


def _told_by(seen: _Seen) -> set[str]:
    """The dataset that a thing tells to be here, if it tells one."""
    if seen.usage.kind == "prepared":
        return {seen.usage.name}
    if seen.usage.kind == "imported" and "/" in seen.usage.name:
        return {seen.usage.name.rpartition("/")[0]}
    if seen.left is not None and seen.left.sort != "download":
        return set()
    owners = {owner.manifest.name for owner in seen.owners}
    return owners if len(owners) == 1 else set()
