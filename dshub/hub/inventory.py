"""List the contents of a cache and the datasets that own them.

A dataset owns the tables, imports and synthetic manifests stored under its name. It also owns blobs
and references with the checksum of one of its files, which several datasets can share.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dshub.cache.files import read_file
from dshub.cache.paths import TABLE_FILE, blob_digest
from dshub.cache.store import Store, pinned
from dshub.cache.usage import Item, Leftover, Usage, usage
from dshub.catalog.manifest import Manifest, Resource, laid_out
from dshub.catalog.parsing import from_json
from dshub.catalog.registry import Registry
from dshub.errors import DshubError, ManifestError, StoreError, UnknownNameError
from dshub.hub.describing import Owner, describe
from dshub.tables.record import Provenance, TableRecord


class Inventory:
    """A snapshot of the contents of a cache.

    Args:
        store: the cache; read-only layers are not listed.
        registry: the datasets that can own items, in all versions. Faulty manifests are skipped
            with a warning.
        manifests: additional owners that are not in the registry.

    Attributes:
        items: all cached items, in the order of `dshub.cache.usage.usage`.
        pinned: the pinned datasets.
        cached: the datasets in the cache. A dataset is listed if it is pinned or is the only
            owner of an item.
        registered: the versions of each dataset in the registry, newest first.
        faulty: the datasets with a faulty manifest.
        synthetic: the manifests of cached synthetic data, by path.
        owners: the resources with each checksum, in registry order, newest version first.
    """

    def __init__(
        self, store: Store, registry: Registry, manifests: Sequence[Manifest] = ()
    ) -> None:
        self.store, self._registry = store, registry
        contents = list(usage(store.root))
        self.pinned = pinned(store)
        self.faulty: set[str] = set()
        self.registered = {name: self._versions(name) for name in registry.names()}
        self.synthetic = dict(_synthetic(contents))
        self._records = {
            item.path: _record(item.path) for item in contents if item.kind == "prepared"
        }
        self.owners: dict[str, list[Owner]] = {}
        self._add_owners(manifests)
        self._mirrored = frozenset().union(*(source.checksums() for source in registry.remote))
        self.cached = self.pinned.union(*map(self._only_owner, contents))
        self.items = list(map(self._item, contents))

    def _versions(self, name: str) -> list[Manifest]:
        manifests = []
        for version in self._registry.versions(name):
            try:
                manifests.append(self._registry.manifest(f"{name}@{version}"))
            except ManifestError as error:
                self.faulty.add(name)
                logging.getLogger("dshub").warning("%s; skipped", error)
        return manifests

    def _add_owners(self, manifests: Sequence[Manifest]) -> None:
        registered = (manifest for versions in self.registered.values() for manifest in versions)
        recorded = (record.manifest for record in self._records.values() if record is not None)
        unique: dict[str, Manifest] = {}
        for manifest in [*registered, *manifests, *self.synthetic.values(), *recorded]:
            unique.setdefault(manifest.digest, manifest)
        for manifest in unique.values():
            self._add_owner(manifest)
            for layout, facts in manifest.layouts.items():
                if facts.resources:
                    self._add_owner(laid_out(manifest, layout))

    def _add_owner(self, manifest: Manifest) -> None:
        for name, resource in manifest.resources.items():
            for digest in filter(None, (resource.digest, resource.content_digest)):
                self.owners.setdefault(digest.hex, []).append(Owner(manifest, name))

    def expand(self, names: Iterable[str]) -> set[str]:
        """Return the datasets for names of datasets and families, and for manifest paths.

        Raises:
            UnknownNameError: a name is neither in the registry nor in the cache.
            DshubError: a name has a version.
        """
        return {dataset for name in names for dataset in self._expand(name)}

    def _expand(self, name: str) -> list[str]:
        if name.endswith(".toml"):
            return [self._registry.manifest(name).name]
        if "@" in name:
            raise DshubError(
                f"{name} has a version, but versions of a dataset share cached files",
                hint=f"use the name without the version: {name.partition('@')[0]}",
            )
        try:
            return self._registry.expand([name])
        except UnknownNameError:
            cached = self.pinned.union(*(item.datasets for item in self.items))
            members = [dataset for dataset in cached if f"{dataset}/".startswith(f"{name}/")]
            if not members:
                raise
            return members

    def of(self, datasets: set[str]) -> list[Item]:
        """Return the items that the datasets need, including shared ones."""
        return [item for item in self.items if datasets & set(item.datasets)]

    def _owners_of(self, item: Usage) -> Sequence[Owner]:
        """Return the resources with the checksum in the file name of an item."""
        if item.leftover is not None:
            return self.owners.get(item.leftover.of.rpartition("-")[2], ())
        return self.owners.get(item.name, ()) if item.kind in {"raw", "imported"} else ()

    def _only_owner(self, item: Usage) -> set[str]:
        """Return the owner of an item in a set, or an empty set if several datasets own it."""
        name, leftover = _dataset(item), item.leftover
        if name:
            return {name}
        owners = {owner.manifest.name for owner in self._owners_of(item)}
        is_content = leftover is None or leftover.sort == "download"
        return owners if is_content and len(owners) == 1 else set()

    def _item(self, item: Usage) -> Item:
        all_owners, leftover = self._owners_of(item), item.leftover
        record = self._records.get(item.path)
        owners = [owner for owner in all_owners if owner.manifest.name in self.cached]
        owners = owners or list(all_owners)
        name = _dataset(item) or self._damaged_table(leftover)
        datasets = [name] if name else [owner.manifest.name for owner in owners]
        may_pin = leftover is None or leftover.sort == "download"
        return Item(
            kind=item.kind,
            name=describe(item, leftover, owners, record),
            datasets=tuple(dict.fromkeys(datasets)),
            path=item.path,
            size=item.size,
            used=item.used,
            pinned=may_pin and not self.pinned.isdisjoint(datasets),
            irreplaceable=self._is_last_file(item, all_owners) or self._is_last_table(record),
            leftover=leftover,
        )

    def _damaged_table(self, leftover: Leftover | None) -> str:
        """Return the dataset of a damaged table from the file name it was set aside under."""
        if leftover is None or leftover.sort != "damaged":
            return ""
        stem = leftover.of.rpartition("-")[0]
        names = sorted({*self.registered, *self.cached})
        return next((name for name in names if name.replace("/", "-") == stem), "")

    def _is_last_file(self, item: Usage, owners: Sequence[Owner]) -> bool:
        """Return True if a file must be downloaded by hand and has no other known copy."""
        digest = blob_digest(item.path) if item.kind == "raw" else None
        if digest is None or not owners:
            return False
        if any(owner.manifest.synthetic or not self._is_by_hand(owner.file) for owner in owners):
            return False
        reference = self.store.reference(digest)
        is_outside = reference is not None and not reference.fault
        return not is_outside and not any(Store(layer).blob(digest) for layer in self.store.layers)

    def _is_last_table(self, record: TableRecord | None) -> bool:
        """Return True if a table was built from manually downloaded files that no longer exist."""
        if record is None or record.manifest.synthetic:
            return False
        provenance = record.provenance
        if isinstance(provenance, Provenance) and Path(provenance.path).exists():
            return False
        files = record.manifest.split_resources((record.split,)).values()
        return any(self._is_by_hand(file) and not self.store.file(file) for file in files)

    def _is_by_hand(self, resource: Resource) -> bool:
        return resource.by_hand and resource.digest.hex not in self._mirrored


def _dataset(item: Usage) -> str:
    """Return the dataset that an item is stored under, or an empty string."""
    if item.leftover is not None and item.leftover.sort == "derived":
        return item.leftover.of
    if item.kind in {"synthetic", "imported"}:
        return item.name.rpartition("/")[0]  # empty for a reference, which is named by checksum
    return item.name if item.kind in {"prepared", "derived"} else ""


def _synthetic(contents: Sequence[Usage]) -> Iterator[tuple[Path, Manifest]]:
    for item in contents:
        if item.kind == "synthetic":
            with suppress(ManifestError, OSError):  # a damaged manifest owns nothing
                yield item.path, from_json(read_file(item.path))


def _record(folder: Path) -> TableRecord | None:
    try:
        return TableRecord.read(folder / TABLE_FILE)
    except StoreError:
        return None
