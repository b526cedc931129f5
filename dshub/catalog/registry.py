"""Find datasets by name in folders, installed packages and mirrors.

Folders are searched first: those of `DSHUB_REGISTRY`, then the built-in folder, which is in the
wheel or next to the package in a checkout. A family is a folder of datasets, so `glue` means all
datasets with names that begin with `glue/`. Names are accepted in any spelling; see
`dshub.catalog.names`.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dshub.catalog.index import IndexStore
from dshub.catalog.names import (
    Aliases,
    ambiguous,
    closest,
    members_of,
    spelled,
    unknown_dataset,
)
from dshub.catalog.paths import is_manifest_path, only_manifest
from dshub.catalog.search import Line, near_words, newest_first, query_words, rank
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

    def resolve(self, name: str) -> str:
        """Return a name as its manifest spells it, with the same version.

        A name in another spelling or from another library, a family with a single dataset, and a
        folder with a single manifest are replaced. Families and unknown names stay unchanged.

        Raises:
            UnknownNameError: several datasets have this name in another spelling.
        """
        base, at, version = name.partition("@")
        if is_manifest_path(name) or self._has(base):
            return name
        choices = self._meant(base) or self.members(base)
        if len(choices) == 1:
            return f"{choices[0]}{at}{version}"
        return only_manifest(name) or name

    def has(self, name: str) -> bool:
        """Return True for the path of a manifest, or a name of one dataset in any spelling."""
        base = name.partition("@")[0]
        return is_manifest_path(name) or self._has(base) or bool(self._meant(base))

    def members(self, family: str) -> list[str]:
        """Return the datasets of a family such as `glue` or `GLUE/*`; empty if there are none."""
        family = family.removesuffix("/*")
        return members_of(family, self._names()) or self._aliases.members(family)

    def _has(self, name: str) -> bool:
        return any(source.versions(name) for source in self._sources)

    def _meant(self, name: str) -> list[str]:
        """Return the dataset that a name in another spelling means, or an empty list.

        Raises:
            UnknownNameError: several datasets match.
        """
        names = self._names()
        matches = spelled(name, names)
        # aliases last, because reading them is slower
        if not matches and not members_of(name, names):
            matches = self._aliases.find(name)
        if len(matches) > 1:
            raise ambiguous("dataset", name, matches)
        return matches

    @cached_property
    def _aliases(self) -> Aliases:
        return Aliases({line.name: line.aliases for line in self._lines()})

    def versions(self, name: str) -> list[str]:
        """Return the versions of a dataset, newest first; raises UnknownNameError."""
        name = self.resolve(name)
        versions = {version for _, group in self._sources_of(name) for version in group}
        if not versions:
            raise self._unknown(name)
        return newest_first(versions)

    def _find(self, identifier: str) -> tuple[CatalogSource, str, str]:
        """Return the source, name and version for `name` or `name@version`.

        Raises:
            UnknownNameError: the dataset or version is unknown.
        """
        name, _, version = self.resolve(identifier).partition("@")
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
        name = self.resolve(name)
        if is_manifest_path(name):
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
        name = self.resolve(name)
        if is_manifest_path(name):
            return Path(name)
        source, name, version = self._find(name)
        return source.path(name, version) if isinstance(source, FolderSource) else None

    def text(self, name: str) -> bytes:
        """Return the content of a manifest file.

        Raises:
            UnknownNameError, ManifestError: see `manifest`.
            DshubError: the manifest is not in a file.
        """
        name = self.resolve(name)
        self.manifest(name)
        if is_manifest_path(name):
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
        name = self.resolve(name)
        if is_manifest_path(name) or self._has(name.partition("@")[0]):
            return [name]
        members = self.members(name)
        if not members:
            raise self._unknown(name)
        return members

    def listing(self, words: Sequence[str] = ()) -> list[Line]:
        """Return a line for each dataset, sorted by name.

        With words, return only datasets that contain all of them, best matches first: in names and
        aliases, then in the title, then in summary, task, tags and classes. The line of a dataset
        in several sources comes from the first source. Manifests with faults are skipped with a
        warning.
        """
        if not words:
            lines = sorted(self._lines(), key=attrgetter("name"))
        else:
            query = query_words(words)
            ranked = [(rank(query, text), line) for line, text in self._texts()] if query else []
            matches = [(place, line.name, line) for place, line in ranked if place is not None]
            lines = [line for *_, line in sorted(matches)]
        for remote in self.remote:
            remote.warn()
        return lines

    def near(self, words: Sequence[str]) -> list[str]:
        """Suggest names and words to replace query words that no dataset contains."""
        names, texts = self._names(), [text for _, text in self._texts()]
        return closest("".join(words), names) or near_words(query_words(words), texts, names)

    def _lines(self) -> Iterator[Line]:
        for source, earlier in self._with_earlier():
            yield from (line for line in source.lines() if line.name not in earlier)

    def _texts(self) -> Iterator[tuple[Line, str]]:
        for source, earlier in self._with_earlier():
            yield from (item for item in source.texts() if item[0].name not in earlier)

    def _with_earlier(self) -> Iterator[tuple[CatalogSource, set[str]]]:
        """Yield each source with the names of all earlier sources."""
        names: set[str] = set()
        for source in self._sources:
            yield source, names
            names |= set(source.names())

    def _unknown(self, name: str) -> UnknownNameError:
        names = self._names()  # first, because `notes` reports sources that were unreachable
        notes = [note for source in self._sources for note in source.notes()]
        return unknown_dataset(name, names, notes, self.members(name))


def _conflict(identifier: str, places: str) -> DshubError:
    return DshubError(
        f"two different manifests have the name {identifier}: {places}",
        hint="set DSHUB_PREFER=local or DSHUB_PREFER=mirror to choose one, or rename one of them",
    )
