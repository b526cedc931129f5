"""The inventory of a cache: what is in it and which datasets own it.

What the registry, the stand-ins and the tables themselves know of the files in a cache.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import msgspec

from dshub._validate import decode_paths
from dshub.cache.files import read_file
from dshub.cache.items import Item
from dshub.cache.paths import TABLE_FILE, blob_digest
from dshub.cache.store import Store, pinned
from dshub.cache.usage import Leftover, Sort, Usage, leftover, usage
from dshub.catalog.layouts import laid_out
from dshub.catalog.manifest import Manifest, Resource
from dshub.catalog.parsing import from_json
from dshub.catalog.registry import Registry
from dshub.errors import DshubError, ManifestError, StoreError, UnknownNameError
from dshub.progress import size
from dshub.tables.record import Provenance, TableRecord


@dataclass(frozen=True)
class Owner:
    """A resource whose bytes, or the bytes inside it, have some checksum."""

    manifest: Manifest
    resource: str


class Known:
    """Every manifest that can tell whose a file is.

    Args:
        registry: all versions of its datasets are read; one with faults is left out, with a
            warning.
        kept: what is in the cache.
        given: manifests that are in no registry.

    Attributes:
        registered: the versions of each dataset in the registry, newest first.
        faulty: datasets with a manifest that has faults.
        stand_ins: the manifest of each stand-in that is kept, by its path.
        labels: what each table says of itself, by its folder; None where it cannot be read.
        owners: for each checksum, whose it is: the registry's datasets in order, newest first.
    """

    def __init__(
        self, registry: Registry, kept: Sequence[Usage], given: Sequence[Manifest] = ()
    ) -> None:
        self.faulty: set[str] = set()
        self.registered = {name: self._versions(registry, name) for name in registry.names()}
        self.stand_ins = dict(_stand_ins(kept))
        self.labels = {item.path: _label(item.path) for item in kept if item.kind == "prepared"}
        self.owners: dict[str, list[Owner]] = {}
        for manifest in self._every(given):
            self._own(manifest)
            for layout in manifest.layouts:
                if manifest.layouts[layout].resources:
                    self._own(laid_out(manifest, layout))

    def _own(self, manifest: Manifest) -> None:
        for name, resource in manifest.resources.items():
            for key in _keys(resource):
                self.owners.setdefault(key, []).append(Owner(manifest, name))

    def _versions(self, registry: Registry, name: str) -> list[Manifest]:
        found = []
        for version in registry.versions(name):
            try:
                found.append(registry.manifest(f"{name}@{version}"))
            except ManifestError as error:
                self.faulty.add(name)
                logging.getLogger("dshub").warning("%s; left out", error)
        return found

    def _every(self, given: Sequence[Manifest]) -> Iterator[Manifest]:
        """Each manifest once."""
        told = (label.manifest for label in self.labels.values() if label is not None)
        registered = (manifest for versions in self.registered.values() for manifest in versions)
        seen: set[str] = set()
        for manifest in [*registered, *given, *self.stand_ins.values(), *told]:
            if manifest.digest not in seen:
                seen.add(manifest.digest)
                yield manifest


def _stand_ins(kept: Sequence[Usage]) -> Iterator[tuple[Path, Manifest]]:
    for item in kept:
        if item.kind == "synthetic":
            with suppress(ManifestError, OSError):  # damaged: its files belong to nobody
                yield item.path, from_json(read_file(item.path))


def _label(folder: Path) -> TableRecord | None:
    try:
        return TableRecord.read(folder / TABLE_FILE)
    except StoreError:
        return None


def _keys(resource: Resource) -> list[str]:
    """The checksums under which the bytes of a resource may be kept."""
    digests = (resource.digest, resource.content_digest)
    return [digest.hex for digest in digests if digest is not None]


class _Note(msgspec.Struct, frozen=True):
    """The part of a note of an import that says where the files lie."""

    path: str


def words(
    item: Usage, left: Leftover | None, owners: Sequence[Owner], label: TableRecord | None
) -> str:
    """What a thing is.

    Args:
        item: the thing.
        left: what its name tells, where it is partial.
        owners: the resources with its checksum, the one to name it by first.
        label: what a table says of itself.
    """
    match item.kind:
        case "prepared":
            return _marked(f"{item.name} {label.split}", label.manifest) if label else item.name
        case "synthetic":
            return f"manifest of a stand-in of {item.name.rpartition('/')[0]}"
        case "raw":
            return _file(owners) or f"file {_short(item.name)}, of no dataset known here"
        case "imported":
            return _imported(item, owners)
        case "partial":
            return _partial(item, left, owners) if left else item.name
        case "other":
            return f"{item.name}, not made by dshub"
        case _:
            assert_never(item.kind)


def _imported(item: Usage, owners: Sequence[Owner]) -> str:
    """What lies elsewhere, and where."""
    dataset, _, layout = item.name.rpartition("/")
    if dataset:
        return (
            f"{dataset}: imported as {layout}, {place_of(item.path) or 'from files with checksums'}"
        )
    return f"{_file(owners) or f'file {_short(item.name)}'}, {place_of(item.path)}"


def place_of(path: Path) -> str:
    """Where something lies that a note in the cache speaks of: `at /data/train.tar`."""
    try:
        note = decode_paths(read_file(path), _Note)
    except (OSError, ValueError):
        return "of which the note cannot be read"
    return f"at {note.path}" if note.path else ""


_UNDER_WAY: dict[Sort, str] = {
    "table": "a table under way",
    "scratch": "a working folder",
    "text": "a small file under way",
    "removed": "content that is being removed",
}


def _partial(item: Usage, left: Leftover, owners: Sequence[Owner]) -> str:
    if left.sort in _UNDER_WAY:
        return _UNDER_WAY[left.sort]
    if left.sort == "damaged":
        return f"damaged {_file(owners) or left.of}"
    file = _file(owners) or f"file {_short(left.of)}"
    if left.sort == "rejected":
        return f"rejected bytes of {file}"
    return f"download of {file}, {size(item.size)} so far"


def _file(owners: Sequence[Owner]) -> str:
    """`fashion-mnist: train-images`, with the other datasets that have the same file."""
    if not owners:
        return ""
    first = owners[0]
    name = _marked(f"{first.manifest.name}: {first.resource}", first.manifest)
    others = dict.fromkeys(owner.manifest.name for owner in owners)
    others.pop(first.manifest.name)
    if not others:
        return name
    told = next(iter(others)) if len(others) == 1 else f"{len(others)} others"
    return f"{name}, shared with {told}"


def _marked(name: str, manifest: Manifest) -> str:
    return f"{name} (stand-in)" if manifest.synthetic else name


def _short(name: str) -> str:
    return f"{name[:12]}…" if len(name) > 13 else name


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
        items: everything, in the order of `dshub.cache.usage.usage`.
        pinned: the names of pinned datasets.
        here: the datasets that are kept: pinned, or with a table or a file that no other has.
    """

    def __init__(self, store: Store, registry: Registry, given: Sequence[Manifest] = ()) -> None:
        self.store, self._registry = store, registry
        kept = list(usage(store.root))
        self.known = Known(registry, kept, given)
        self.pinned = pinned(store)
        self._mirrored = frozenset().union(*(item.checksums() for item in registry.remote))
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
