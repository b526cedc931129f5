"""Find datasets by name in folders, installed packages and mirrors.

Folders are searched first: those of `DSHUB_REGISTRY`, then the built-in folder, which is in the
wheel or next to the package in a checkout. A family is a folder of datasets, so `glue` means all
datasets with names that begin with `glue/`.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dshub.catalog.index import IndexStore
from dshub.catalog.search import Line, newest_first, unknown_dataset
from dshub.catalog.sources import (
    CatalogSource,
    FolderSource,
    ManifestSource,
    PackageSource,
    RemoteSource,
    built_in_root,
)
from dshub.errors import DshubError, ManifestError, UnknownNameError

if TYPE_CHECKING:  # listings avoid this import, because they parse no manifests
    from dshub.catalog.manifest import Manifest

Prefer = Literal["local", "mirror"]


class Registry:
    """Registry of datasets from several sources.

    Manifests are read on demand. Except for listings, packages are searched only for names that
    no folder has, and mirrors only for names that no folder and no package has. The first source
    with a dataset determines its newest version.

    Args:
        roots: folders of manifests, in addition to the built-in ones.
        manifests: manifests in memory, such as manifests of synthetic data.
        built_in: include dshub's own manifests and those of installed packages.
        sources: further sources after the folders, such as mirrors.
        prefer: source to choose if a folder and a mirror, or two mirrors, have different rows
            under one name and version. None raises an error instead.
        store: persistent store for indexes, which speed up listings.

    Attributes:
        remote: sources on other machines.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (),
        *,
        manifests: Sequence["Manifest"] = (),
        built_in: bool = True,
        sources: Sequence[CatalogSource] = (),
        prefer: Prefer | None = None,
        store: IndexStore | None = None,
    ) -> None:
        self._roots = [*roots, *([built_in_root()] if built_in else [])]
        self._sources: list[CatalogSource] = [ManifestSource(manifests)] if manifests else []
        self._sources += [FolderSource(self._roots, store)] if self._roots else []
        self._sources += [PackageSource(store)] if built_in else []
        self._sources += sources
        self._prefer: Prefer | None = prefer
        self.remote = [source for source in self._sources if isinstance(source, RemoteSource)]
        self._local = [source for source in self._sources if source not in self.remote]
        self._warned: set[str] = set()

    def __repr__(self) -> str:
        return f"<Registry of {', '.join(map(str, self._roots)) or 'no folder'}>"

    def at_hand(self) -> "Registry":
        """Return a copy of the registry that sends no requests to other machines."""
        if not self.remote:
            return self
        offline = [item.at_hand() for item in self.remote]
        return Registry(sources=[*self._local, *offline], built_in=False, prefer=self._prefer)

    def names(self) -> list[str]:
        """Return the sorted names of all datasets, and warn of unreachable sources."""
        names = self._names()
        for source in self.remote:
            source.warn()
        return names

    def _names(self) -> list[str]:
        return sorted({name for source in self._sources for name in source.names()})

    def _sources_of(self, name: str) -> Iterator[tuple[CatalogSource, Sequence[str]]]:
        """Yield the sources with a dataset and their versions, the preferred source first."""
        has_versions = False
        groups: list[Sequence[CatalogSource]] = [self._local, self.remote]
        for source in chain(*(reversed(groups) if self._prefer == "mirror" else groups)):
            versions = source.versions(name) if source.adds_versions or not has_versions else ()
            if versions:
                has_versions = True
                yield source, versions

    def versions(self, name: str) -> list[str]:
        """Return the versions of a dataset, newest first; raises UnknownNameError."""
        versions = {version for _, group in self._sources_of(name) for version in group}
        if not versions:
            raise self._unknown(name)
        return newest_first(versions)

    def _find(self, identifier: str) -> tuple[CatalogSource, str, str]:
        """Return the source, name and version for `name` or `name@version`.

        Raises:
            UnknownNameError: the dataset or version is unknown.
        """
        name, _, version = identifier.partition("@")
        all_versions: set[str] = set()
        for source, versions in self._sources_of(name):
            if not version or version in versions:
                return source, name, version or versions[0]
            all_versions.update(versions)
        if not all_versions:
            raise self._unknown(name)
        known = newest_first(all_versions)
        raise UnknownNameError(kind=f"version of {name}", name=version, known=known)

    def manifest(self, name: str) -> "Manifest":
        """Return the manifest of `name`, `name@version` or a `*.toml` file.

        Raises:
            UnknownNameError: the dataset or version is unknown.
            ManifestError: the manifest has faults.
            DshubError: two different manifests have the same name and version.
            FetchError: the manifest cannot be downloaded from any mirror.
        """
        if name.endswith(".toml"):
            from dshub.catalog.parsing import read

            return read(Path(name))
        source, name, version = self._find(name)
        if source in self.remote:
            self._check_mirrors(name, version)
            return source.manifest(name, version)
        manifest = source.manifest(name, version)
        self._check_rows(manifest, [item.at_hand() for item in self.remote])
        return manifest

    def confirm(self, manifest: "Manifest") -> None:
        """Check that no mirror has other rows under the name and version of a local manifest.

        Sends requests to mirrors, so call it only before other network access.

        Raises:
            DshubError: a mirror has other rows.
        """
        if any(manifest.version in source.versions(manifest.name) for source in self._local):
            self._check_rows(manifest, self.remote)

    def _check_rows(self, manifest: "Manifest", sources: Sequence[RemoteSource]) -> None:
        if self._prefer is not None:
            return
        for source in sources:
            for digest, place in source.rows(manifest.name, manifest.version):
                if digest != manifest.digest:
                    places = f"one on this machine and one from {place}"
                    raise _conflict(manifest.identifier, places)

    def _check_mirrors(self, name: str, version: str) -> None:
        """Raise DshubError if mirrors have different rows for the same name and version."""
        rows = [item for source in self.remote for item in source.rows(name, version)]
        for digest, place in rows:
            if digest != rows[0][0] and self._prefer != "mirror":
                places = f"one from {rows[0][1]} and one from {place}"
                raise _conflict(f"{name}@{version}", places)

    def file(self, name: str) -> Path | None:
        """Return the path of a manifest; None if it is not a file in a local folder."""
        if name.endswith(".toml"):
            return Path(name)
        source, name, version = self._find(name)
        return source.path(name, version) if isinstance(source, FolderSource) else None

    def text(self, name: str) -> bytes:
        """Return the content of a manifest file.

        Raises:
            UnknownNameError, ManifestError: see `manifest`.
            DshubError: the manifest is not in a file.
        """
        self.manifest(name)
        if name.endswith(".toml"):
            return Path(name).read_bytes()
        source, name, version = self._find(name)
        return source.text(name, version)

    def manifests(self) -> Iterator["Manifest"]:
        """Yield the newest manifest of every dataset, sorted by name.

        Manifests with faults are skipped with a warning.
        """
        for name in self.names():
            try:
                yield self.manifest(name)
            except ManifestError as error:
                if name not in self._warned:
                    self._warned.add(name)
                    logging.getLogger("dshub").warning("%s; skipped", error)

    def expand(self, names: Sequence[str]) -> list[str]:
        """Replace families with their members, and remove duplicate names."""
        expanded: dict[str, None] = {}
        for name in names:
            expanded.update(dict.fromkeys(self._members(name)))
        return list(expanded)

    def _members(self, name: str) -> list[str]:
        plain = name.partition("@")[0]
        if name.endswith(".toml") or any(source.versions(plain) for source in self._sources):
            return [name]
        family = name.removesuffix("/*")  # `dshub list` shows families as `glue/*`
        members = [other for other in self.names() if other.startswith(f"{family}/")]
        if not members:
            raise self._unknown(name)
        return members

    def listing(self, words: Sequence[str] = ()) -> list[Line]:
        """Return a line for each dataset that contains all words, sorted by name.

        Name, title, summary, task, tags and classes are searched. The line of a dataset in several
        sources comes from the first source. Manifests with faults are skipped with a warning.
        """
        lines: list[Line] = []
        names: set[str] = set()
        for source in self._sources:
            lines += [line for line in source.lines(words) if line.name not in names]
            names.update(source.names())
        for remote in self.remote:
            remote.warn()
        return sorted(lines, key=attrgetter("name"))

    def _unknown(self, name: str) -> UnknownNameError:
        names = self._names()  # must precede `notes`, which reports unreachable sources
        notes = [note for source in self._sources for note in source.notes()]
        return unknown_dataset(name, names, notes)


def _conflict(identifier: str, places: str) -> DshubError:
    return DshubError(
        f"two different manifests have the name {identifier}: {places}",
        hint="set DSHUB_PREFER=local or DSHUB_PREFER=mirror to choose one, or rename one of them",
    )
