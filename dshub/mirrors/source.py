"""Mirrors as a source of the catalog: their indexes list datasets, and say where manifests are."""

import logging
from collections.abc import Collection, Iterator, Sequence
from copy import copy
from typing import Any, Self

from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import decode_text, parse_as
from dshub.catalog.search import Line, matches, newest_first, searchable, version_key
from dshub.display import shown_url
from dshub.mirrors.index import NAME, Entry
from dshub.mirrors.mirrors import Listed, Mirrors


class MirrorSource:
    """The datasets that mirrors list, in the order of the mirrors."""

    adds_versions = True

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors, self._ask = mirrors, True
        self._warned: set[str] = set()
        self._manifests: dict[str, Manifest] = {}  # that were read here, by identifier

    def at_hand(self) -> Self:
        """The same source as far as it is on this machine: no mirror is asked for anything."""
        near = copy(self)
        near._ask = False  # noqa: SLF001  # of the same class
        return near

    def _listed(self, name: str, version: str = "") -> list[Listed]:
        """What is listed of a dataset; at hand, if its manifest is."""
        return [
            item
            for item in self._mirrors.listed(ask=self._ask)
            if item.entry.name == name and version in {"", item.entry.version}
            if self._is_there(item)
        ]

    def _is_there(self, item: Listed) -> bool:
        return self._ask or self._mirrors.manifest_at_hand(item.entry) is not None

    def names(self) -> Collection[str]:
        return {i.entry.name for i in self._mirrors.listed(ask=self._ask) if self._is_there(i)}

    def versions(self, name: str) -> Sequence[str]:
        return newest_first({item.entry.version for item in self._listed(name)})

    def rows(self, name: str, version: str) -> list[tuple[str, str]]:
        """`Manifest.digest` of each manifest of a version, and its mirror."""
        listed = self._mirrors.listed(ask=self._ask)
        same = [item for item in listed if item.entry.identifier == f"{name}@{version}"]
        return [(item.entry.rows_digest, shown_url(item.mirror)) for item in same]

    def manifest(self, name: str, version: str) -> Manifest:
        item = self._listed(name, version)[0]
        source = f"{shown_url(item.mirror)}: {item.entry.registry_path}"
        text = decode_text(self._mirrors.manifest(item.entry), source=source)
        identifier = item.entry.identifier
        manifest = parse_as(identifier, text, source=source, witness="the index")
        self._manifests[identifier] = manifest
        return manifest

    def text(self, name: str, version: str) -> bytes:
        return self._mirrors.manifest(self._listed(name, version)[0].entry)

    def lines(self, words: Sequence[str] = ()) -> Iterator[Line]:
        newest: dict[str, Entry] = {}
        for item in filter(self._is_there, self._mirrors.listed(ask=self._ask)):
            entry = newest.setdefault(item.entry.name, item.entry)
            if version_key(item.entry.version) > version_key(entry.version):
                newest[entry.name] = item.entry
        for entry in newest.values():
            if matches(words, searchable(entry, entry.classes)):
                yield Line.of(entry)

    def checksums(self) -> frozenset[str]:
        """The checksums of files that mirrors list, as digits; no mirror is asked."""
        listed = self._mirrors.listed(ask=False)
        return frozenset(facts.checksum.hex for item in listed for facts in item.entry.files)

    def take_table(self, manifest: Manifest, split: str, key: str, recipe: Any) -> bool:
        """Whether the table of a split could be taken from a mirror; see `RemoteSource`.

        Only the index says what the bytes of a table must be. So a table is taken only where the
        index is trusted as much as the checksums of the raw files: where a key of the user's has
        signed it, or where the manifest is from the same mirror.
        """
        if manifest.synthetic:
            return False
        signed = bool(self._mirrors.settings.mirror_keys)
        if not signed and self._manifests.get(manifest.identifier) != manifest:
            return False
        for item in self._listed(manifest.name, manifest.version):
            if item.entry.rows_digest != manifest.digest:
                continue
            if self._mirrors.take_table(item.entry, split, key, recipe):
                return True
            if not signed:
                return False  # the manifest is of the first mirror that lists it
        return False

    def warn(self) -> None:
        """Warn once of each mirror that could not be asked."""
        for trouble in self._mirrors.troubles.values():
            text = f"a mirror could not be asked what it has now: {trouble}"
            if text not in self._warned:
                self._warned.add(text)
                logging.getLogger("dshub").warning("%s", text)

    def notes(self) -> list[str]:
        """Which mirrors could not be asked; raises where bytes of one are not to be believed."""
        notes = []
        for address, trouble in self._mirrors.troubles.items():
            if trouble.exit_code != 4:
                raise trouble
            notes.append(f"mirror {shown_url(address)} could not be asked what it has: {trouble}")
        bare = map(shown_url, sorted(self._mirrors.bare))
        return notes + [f"mirror {address} has no {NAME}, so it lists nothing" for address in bare]
