"""The datasets of folders and mirrors together.

What is in a folder comes first: a dataset that a folder has is asked of no mirror, and its newest
version is the folder's. A mirror that has other rows under the same name and version is an error,
until `DSHUB_PREFER` says whose are meant.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from dshub.catalog.faults import Fault
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse
from dshub.catalog.registry import Registry, Summary, found_by, unknown, version_key
from dshub.display import shown_url
from dshub.errors import DshubError, ManifestError, UnknownNameError
from dshub.mirrors.index import NAME
from dshub.mirrors.mirrors import Listed, Mirrors

Prefer = Literal["local", "mirror"]


class MirrorRegistry(Registry):
    """A registry to which mirrors belong.

    Args:
        roots: folders of manifests besides the built-in ones.
        mirrors: where further ones are listed.
        prefer: whose manifest is meant where a folder and a mirror, or two mirrors, have
            different ones of the same name and version; None makes that an error.
        manifests, built_in: see `Registry`.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (),
        *,
        mirrors: Mirrors,
        prefer: Prefer | None = None,
        manifests: Sequence[Manifest] = (),
        built_in: bool = True,
    ) -> None:
        super().__init__(roots, manifests=manifests, built_in=built_in)
        self._folders = Registry(roots, manifests=manifests, built_in=built_in)
        self._mirrors, self._prefer, self._ask = mirrors, prefer, True
        self._warned: set[str] = set()
        self._read_here: dict[str, Manifest] = {}  # from a mirror, by identifier

    def at_hand(self) -> Self:
        """The same, as far as it is on this machine: no mirror is asked for anything."""
        near = type(self).__new__(type(self))
        near.__dict__.update(self.__dict__, _ask=False)
        return near

    def names(self) -> list[str]:
        """Every dataset, sorted; mirrors that cannot be asked are warned of."""
        found = self._every_name()
        for trouble in self._mirrors.troubles.values():
            self._warn(f"a mirror could not be asked what it has now: {trouble}")
        return found

    def _every_name(self) -> list[str]:
        return sorted({*self._folders.names(), *(item.entry.name for item in self._listed())})

    def versions(self, name: str) -> list[str]:
        """The versions of a dataset, newest first; raises UnknownNameError."""
        listed = {item.entry.version for item in self._listed(name)}
        found = {*self._local(name), *listed}
        if not found:
            raise self._not_found(name)
        return sorted(found, key=version_key, reverse=True)

    def manifest(self, name: str) -> Manifest:
        """The manifest of a name; see `Registry.manifest`.

        Raises:
            UnknownNameError: there is no such dataset or version.
            ManifestError: the manifest has faults.
            DshubError: two different manifests claim to be it.
            FetchError: it is on a mirror, and no mirror gives it.
        """
        plain, _, version = name.partition("@")
        local = self._local(plain)
        if name.endswith(".toml"):
            return self._folders.manifest(name)
        meant = version or (local or [""])[0]
        if self._is_local(plain, meant):
            found = self._folders.manifest(f"{plain}@{meant}")
            self._compare(found, self._mirrors.listed(ask=False))
            return found
        item = self._chosen(plain, version)
        if item is None:
            return self._folders.manifest(name)
        return self._read(item)

    def _is_local(self, name: str, version: str) -> bool:
        """Whether a folder has what is meant, so that no mirror need be asked."""
        return self._prefer != "mirror" and version in self._local(name)

    def _chosen(self, name: str, version: str) -> Listed | None:
        """What mirrors list under a name; None where it is a folder's after all."""
        listed, local = self._listed(name), self._local(name)
        known = sorted({item.entry.version for item in listed}, key=version_key, reverse=True)
        if not known:
            if local:
                return None
            raise self._not_found(name)
        version = version or known[0]
        same = [item for item in listed if item.entry.version == version]
        if same:
            self._agree(same)
            return same[0]
        if version in local:
            return None
        raise UnknownNameError(kind=f"version of {name}", name=version, known=[*known, *local])

    def confirm(self, manifest: Manifest) -> None:
        """Make sure that no mirror has other rows under the same name and version.

        Mirrors are asked, so this is for work that needs a connection anyway.

        Raises:
            DshubError: one has.
        """
        if manifest.version in self._local(manifest.name):
            self._compare(manifest, self._listed(manifest.name))

    def take_table(self, manifest: Manifest, split: str, key: str, recipe: Any) -> bool:
        """Whether the table of a split could be taken from a mirror; see `Registry.take_table`.

        What a table's bytes must be stands in the index alone. So it is taken only where that is
        to be trusted as much as the checksums of the raw files: where a key of the user's has
        signed the index, or where the manifest is that mirror's too.
        """
        if manifest.synthetic:
            return False
        own = self._read_here.get(manifest.identifier) == manifest
        if not own and not self._mirrors.settings.mirror_keys:
            return False
        for item in self._listed(manifest.name):
            entry = item.entry
            same = entry.version == manifest.version and entry.rows_digest == manifest.digest
            if same and self._mirrors.take_table(entry, split, key, recipe):
                return True
            if same and not self._mirrors.settings.mirror_keys:
                return False  # the manifest is of the first mirror that lists it
        return False

    def mirrored(self) -> frozenset[str]:
        """The checksums of files that mirrors list, as digits; no mirror is asked."""
        listed = self._mirrors.listed(ask=False)
        return frozenset(facts.checksum.hex for item in listed for facts in item.entry.files)

    def _from_folder(self, manifest: Manifest) -> bool:
        """Whether a manifest is a folder's rather than a mirror's."""
        return self._is_local(manifest.name, manifest.version)

    def manifests(self) -> Iterator[Manifest]:
        """The newest manifest of every dataset; those with faults are left out with a warning."""
        if self._ask:
            yield from super().manifests()
            return
        for name in self._folders.names():
            yield from self._sound(name)
        for name in sorted({item.entry.name for item in self._listed()} - {*self._folders.names()}):
            yield from self._sound(name)

    def _warn(self, text: str) -> None:
        """Say something once."""
        if text not in self._warned:
            self._warned.add(text)
            logging.getLogger("dshub").warning("%s", text)

    def _sound(self, name: str) -> Iterator[Manifest]:
        try:
            yield self.manifest(name)
        except ManifestError as error:
            self._warn(f"{error}; left out")

    def expand(self, names: Sequence[str]) -> list[str]:
        """The same names with each family replaced by its members, each name once."""
        expanded: dict[str, None] = {}
        for name in names:
            plain = name.partition("@")[0]
            if name.endswith(".toml") or self._local(plain) or self._listed(plain):
                expanded[name] = None
                continue
            members = [other for other in self.names() if other.startswith(f"{name}/")]
            if not members:
                raise self._not_found(name)
            expanded.update(dict.fromkeys(members))
        return list(expanded)

    def listing(self, words: Sequence[str] = ()) -> list[Summary]:
        """A line for each dataset; no manifest is read for those of mirrors."""
        known = {item.name: item for item in self._folders.listing(words)}
        here = set(self._folders.names())
        self.names()  # which warns
        for item in self._listed():
            entry, other = item.entry, known.get(item.entry.name)
            newer = other is None or version_key(entry.version) > version_key(other.version)
            if entry.name not in here and newer and found_by(words, entry, entry.classes):
                known[entry.name] = entry
        return [known[name] for name in sorted(known)]

    def text(self, name: str) -> bytes:
        """The bytes of a manifest's file; see `Registry.text`."""
        manifest = self.manifest(name)
        if name.endswith(".toml") or self._from_folder(manifest):
            return self._folders.text(name)
        item = self._chosen(manifest.name, manifest.version)
        return self._folders.text(name) if item is None else self._mirrors.manifest(item.entry)

    def files(self) -> list[Path]:
        """Every manifest file of the folders, sorted."""
        return self._folders.files()

    def _local(self, name: str) -> list[str]:
        """The versions that folders have, newest first."""
        try:
            return self._folders.versions(name)
        except UnknownNameError:
            return []

    def _listed(self, name: str | None = None) -> list[Listed]:
        found = self._mirrors.listed(ask=self._ask)
        found = [item for item in found if name in {None, item.entry.name}]
        if self._ask:
            return found
        return [item for item in found if self._mirrors.manifest_at_hand(item.entry)]

    def _not_found(self, name: str) -> DshubError:
        """An error for a name that neither folders nor mirrors know."""
        told = []
        for address, trouble in self._mirrors.troubles.items():
            if trouble.exit_code != 4:  # bytes that are not to be believed
                return trouble
            told.append(f"mirror {shown_url(address)} could not be asked what it has: {trouble}")
        bare = map(shown_url, sorted(self._mirrors.bare))
        told += [f"mirror {address} has no {NAME}, so it lists nothing" for address in bare]
        return unknown(name, self._every_name(), self._folders.gone(), besides=told)

    def _compare(self, manifest: Manifest, listed: Sequence[Listed]) -> None:
        """Raise where a mirror has other rows under the name and version of a folder's manifest."""
        for item in listed:
            entry = item.entry
            same = (entry.name, entry.version) == (manifest.name, manifest.version)
            if same and entry.rows_digest != manifest.digest and self._prefer is None:
                raise _conflict(
                    entry.identifier, f"one on this machine and one of {shown_url(item.mirror)}"
                )

    def _agree(self, listed: Sequence[Listed]) -> None:
        """Raise where mirrors have different rows under one name and version."""
        first = listed[0]
        for other in listed[1:]:
            if other.entry.rows_digest != first.entry.rows_digest and self._prefer != "mirror":
                places = f"one of {shown_url(first.mirror)} and one of {shown_url(other.mirror)}"
                raise _conflict(first.entry.identifier, places)

    def _read(self, item: Listed) -> Manifest:
        entry, source = item.entry, f"{shown_url(item.mirror)}: {item.entry.registry_path}"
        try:
            text = self._mirrors.manifest(entry).decode()
        except UnicodeDecodeError as error:
            fault = Fault("", f"it is not UTF-8: byte {error.start} cannot be read")
            raise ManifestError(source=source, faults=[fault]) from None
        manifest = parse(text, source=source)
        if manifest.identifier != entry.identifier:
            told = f"it says {manifest.identifier}, but the index says {entry.identifier}"
            raise ManifestError(source=source, faults=[Fault("name", told)])
        self._read_here[entry.identifier] = manifest
        return manifest


def _conflict(identifier: str, places: str) -> DshubError:
    return DshubError(
        f"two different manifests claim to be {identifier}: {places}",
        hint="DSHUB_PREFER=local chooses the one of this machine, DSHUB_PREFER=mirror that of the "
        "first mirror which has it; whoever publishes the other should give it another name",
    )
