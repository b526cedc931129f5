"""Make the datasets of mirrors available as a source of the catalog."""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy
from typing import Any, Self

from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse_as
from dshub.catalog.search import Line, newest_first, searchable, version_key
from dshub.display import shown_url
from dshub.mirrors.index import NAME, Entry
from dshub.mirrors.reading import Listed, Mirrors


class MirrorSource:
    """Catalog source that lists the datasets of mirrors, in the order of the mirrors."""

    adds_versions = True

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors, self._ask = mirrors, True
        self._warned: set[str] = set()
        self._manifests: dict[str, Manifest] = {}  # manifests read from mirrors, by identifier

    def at_hand(self) -> Self:
        """Return a copy of this source that reads local files only and contacts no mirror."""
        local = copy(self)
        local._ask = False  # noqa: SLF001  # private attribute of the same class
        return local

    def _listed(self, name: str = "", version: str = "") -> list[Listed]:
        """Return matching versions; a local source omits those without a local manifest."""
        return [
            item
            for item in self._mirrors.listed(ask=self._ask)
            if name in {"", item.entry.name} and version in {"", item.entry.version}
            if self._ask or self._mirrors.local_manifest(item.entry) is not None
        ]

    def names(self) -> Collection[str]:
        return {item.entry.name for item in self._listed()}

    def versions(self, name: str) -> Sequence[str]:
        return newest_first({item.entry.version for item in self._listed(name)})

    def rows(self, name: str, version: str) -> list[tuple[str, str]]:
        return [
            (item.entry.rows_digest, shown_url(item.mirror))
            for item in self._mirrors.listed(ask=self._ask)
            if item.entry.identifier == f"{name}@{version}"
        ]

    def manifest(self, name: str, version: str) -> Manifest:
        item = self._listed(name, version)[0]
        identifier = item.entry.identifier
        source = f"{shown_url(item.mirror)}: {item.entry.registry_path}"
        data = self._mirrors.manifest(item.entry)
        manifest = parse_as(identifier, data, source=source, witness="the index")
        self._manifests[identifier] = manifest
        return manifest

    def text(self, name: str, version: str) -> bytes:
        return self._mirrors.manifest(self._listed(name, version)[0].entry)

    def lines(self) -> Iterator[Line]:
        return map(Line.of, self._newest())

    def texts(self) -> Iterator[tuple[Line, str]]:
        for entry in self._newest():
            yield Line.of(entry), searchable(entry, entry.classes)

    def _newest(self) -> Iterable[Entry]:
        newest: dict[str, Entry] = {}
        for item in self._listed():
            entry = newest.setdefault(item.entry.name, item.entry)
            if version_key(item.entry.version) > version_key(entry.version):
                newest[entry.name] = item.entry
        return newest.values()

    def checksums(self) -> frozenset[str]:
        listed = self._mirrors.listed(ask=False)
        return frozenset(facts.checksum.hex for item in listed for facts in item.entry.files)

    def take_table(self, manifest: Manifest, split: str, key: str, recipe: Any) -> bool:
        """Fetch the prepared table of a split from a mirror; see `RemoteSource`.

        The checksums of a table come from the index alone. So the index must be trusted as much as
        the manifest: a key in DSHUB_MIRROR_KEYS signed it, or the manifest comes from the same
        mirror.
        """
        signed = bool(self._mirrors.settings.mirror_keys)
        trusted = signed or self._manifests.get(manifest.identifier) == manifest
        if manifest.synthetic or not trusted:
            return False
        same_rows = [
            item.entry
            for item in self._listed(manifest.name, manifest.version)
            if item.entry.rows_digest == manifest.digest
        ]
        # without signatures, trust only the first mirror, which supplied the manifest
        entries = same_rows if signed else same_rows[:1]
        return any(self._mirrors.take_table(entry, split, key, recipe) for entry in entries)

    def warn(self) -> None:
        """Log one warning for each mirror with an unreadable index."""
        for error in self._mirrors.errors.values():
            text = f"could not read the index of a mirror: {error}"
            if text not in self._warned:
                self._warned.add(text)
                logging.getLogger("dshub").warning("%s", text)

    def notes(self) -> list[str]:
        """Return notes about mirrors that list nothing.

        Raises:
            DshubError: an index failed a check, such as its signature.
        """
        notes = []
        for address, error in self._mirrors.errors.items():
            if error.exit_code != 4:
                raise error
            notes.append(f"could not read the index of mirror {shown_url(address)}: {error}")
        bare = map(shown_url, sorted(self._mirrors.bare))
        return notes + [f"mirror {address} has no {NAME}, so it lists nothing" for address in bare]
