"""The registry: find datasets by name in several sources.

Folders come first: the built-in one, inside the wheel or beside the package in a checkout, and
those of `DSHUB_REGISTRY`. Installed packages and mirrors follow. A family is a folder of datasets:
`glue` means all datasets with names that begin with `glue/`.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dshub.catalog.index import IndexStore
from dshub.catalog.search import Line, newest_first, unknown
from dshub.catalog.sources import (
    CatalogSource,
    FolderSource,
    ManifestSource,
    PackageSource,
    RemoteSource,
    built_in_root,
)
from dshub.errors import DshubError, ManifestError, UnknownNameError

if TYPE_CHECKING:  # listing datasets parses no manifest
    from dshub.catalog.manifest import Manifest

Prefer = Literal["local", "mirror"]


class Registry:
    """Find datasets by name.

    A manifest is read on request. Installed packages are consulted only for listings, and for
    names that no folder has; mirrors for names that neither has. The first source with a dataset
    determines its newest version.

    Args:
        roots: folders of manifests, in addition to the built-in ones.
        manifests: manifests outside any folder, such as those of synthetic data.
        built_in: include dshub's own manifests and those of installed packages.
        sources: further sources after the folders, such as mirrors.
        prefer: chooses between different rows of a folder and a mirror, or of two mirrors, under
            one name and version; None makes them an error.
        store: keeps indexes between processes, which makes listing fast.

    Attributes:
        remote: the sources on other machines.
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
        """The same registry without any request to another machine."""
        if not self.remote:
            return self
        near = [item.at_hand() for item in self.remote]
        return Registry(sources=[*self._local, *near], built_in=False, prefer=self._prefer)

    def names(self) -> list[str]:
        """Every dataset, sorted: `["emnist/balanced", …, "mnist"]`.

        Warns of unreachable sources.
        """
        names = self._names()
        for source in self.remote:
            source.warn()
        return names

    def _names(self) -> list[str]:
        return sorted({name for source in self._sources for name in source.names()})

    def _holders(self, name: str) -> Iterator[tuple[CatalogSource, Sequence[str]]]:
        """The sources with a dataset, the preferred one first, and their versions."""
        is_found = False
        groups: list[Sequence[CatalogSource]] = [self._local, self.remote]
        for source in chain(*(reversed(groups) if self._prefer == "mirror" else groups)):
            versions = source.versions(name) if source.adds_versions or not is_found else ()
            if versions:
                is_found = True
                yield source, versions

    def versions(self, name: str) -> list[str]:
        """The versions of a dataset, newest first; raises UnknownNameError."""
        versions = {version for _, several in self._holders(name) for version in several}
        if not versions:
            raise self._unknown(name)
        return newest_first(versions)

    def _find(self, identifier: str) -> tuple[CatalogSource, str, str]:
        """The source of `name` or `name@version`, the name and the version.

        Raises:
            UnknownNameError: the dataset or version is unknown; suggests the closest ones.
        """
        name, _, version = identifier.partition("@")
        known: list[str] = []
        for source, versions in self._holders(name):
            if not version or version in versions:
                return source, name, version or versions[0]
            known += versions
        if not known:
            raise self._unknown(name)
        known = newest_first(set(known))
        raise UnknownNameError(kind=f"version of {name}", name=version, known=known)

    def manifest(self, name: str) -> "Manifest":
        """The manifest of `name`, `name@version`, or of a file `*.toml`.

        Raises:
            UnknownNameError: the dataset or version is unknown; suggests the closest ones.
            ManifestError: its file has faults.
            DshubError: two different manifests claim the name and version.
            FetchError: it is on a mirror, and no mirror delivers it.
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

        It asks mirrors, so it is for work that needs a connection anyway.

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
                    places = f"one on this machine and one of {place}"
                    raise _conflict(manifest.identifier, places)

    def _check_mirrors(self, name: str, version: str) -> None:
        """Raise if mirrors have different rows under one name and version."""
        rows = [item for source in self.remote for item in source.rows(name, version)]
        for digest, place in rows:
            if digest != rows[0][0] and self._prefer != "mirror":
                raise _conflict(f"{name}@{version}", f"one of {rows[0][1]} and one of {place}")

    def file(self, name: str) -> Path | None:
        """The file of a manifest; None if it is not in a file on this machine."""
        if name.endswith(".toml"):
            return Path(name)
        source, name, version = self._find(name)
        return source.path(name, version) if isinstance(source, FolderSource) else None

    def text(self, name: str) -> bytes:
        """The bytes of a manifest's file.

        Raises:
            UnknownNameError, ManifestError: see `manifest`.
            DshubError: it is not in a file.
        """
        self.manifest(name)
        if name.endswith(".toml"):
            return Path(name).read_bytes()
        source, name, version = self._find(name)
        return source.text(name, version)

    def manifests(self) -> Iterator["Manifest"]:
        """The newest manifest of every dataset, in the order of `names`.

        Faulty ones are skipped with a warning.
        """
        for name in self.names():
            try:
                yield self.manifest(name)
            except ManifestError as error:
                if name not in self._warned:
                    self._warned.add(name)
                    logging.getLogger("dshub").warning("%s; left out", error)

    def expand(self, names: Sequence[str]) -> list[str]:
        """Replace families by their members; each name comes once."""
        expanded: dict[str, None] = {}
        for name in names:
            expanded.update(dict.fromkeys(self._members(name)))
        return list(expanded)

    def _members(self, name: str) -> list[str]:
        plain = name.partition("@")[0]
        if name.endswith(".toml") or any(source.versions(plain) for source in self._sources):
            return [name]
        family = name.removesuffix("/*")  # as `dshub list` shows it
        members = [other for other in self.names() if other.startswith(f"{family}/")]
        if not members:
            raise self._unknown(name)
        return members

    def listing(self, words: Sequence[str] = ()) -> list[Line]:
        """A line for each dataset that contains all words, in the order of `names`.

        Words can be in the name, title, summary, task, tags or classes. The first source with a
        dataset lists it. Faulty manifests are skipped with a warning.
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
        names = self._names()  # before notes, which report unreachable sources
        notes = [note for source in self._sources for note in source.notes()]
        return unknown(name, names, notes)


def _conflict(identifier: str, places: str) -> DshubError:
    return DshubError(
        f"two different manifests claim to be {identifier}: {places}",
        hint="DSHUB_PREFER=local chooses the one on this machine, DSHUB_PREFER=mirror that of the "
        "first mirror that has it; the other should be published under another name",
    )
