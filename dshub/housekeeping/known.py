"""What the registry, the stand-ins and the tables themselves know of the files in a cache."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dshub.errors import ManifestError, StoreError
from dshub.files import read_file
from dshub.manifest import Manifest, Resource, from_json, laid_out
from dshub.registry import Registry
from dshub.store import Usage
from dshub.store.layout import TABLE_FILE
from dshub.store.records import TableRecord


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
