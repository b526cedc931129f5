"""Sources of manifests: folders of `<name>/<version>.toml`, packages, manifests in memory.

Mirrors are another source; see `dshub.mirrors.source`.
"""

import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from dshub import plugins
from dshub._validate import NAME, decode
from dshub.catalog.index import (
    INSIDE,
    Index,
    IndexStore,
    Status,
    settled_status_of,
    status_of,
)
from dshub.catalog.search import Line, Summary, classes, matches, newest_first, searchable
from dshub.errors import DshubError, ManifestError

if TYPE_CHECKING:  # listing datasets parses no manifest
    from dshub.catalog.manifest import Manifest


class CatalogSource(Protocol):
    """A source of manifests."""

    @property
    def adds_versions(self) -> bool:
        """True if it can have further versions of datasets in earlier sources."""

    def names(self) -> Collection[str]:
        """Every dataset."""

    def versions(self, name: str) -> Sequence[str]:
        """The versions of a dataset, newest first; empty if the source does not have it."""

    def manifest(self, name: str, version: str) -> "Manifest":
        """The manifest of a version; raises ManifestError."""

    def text(self, name: str, version: str) -> bytes:
        """The bytes of a manifest's file; raises DshubError if it is not in a file."""

    def lines(self, words: Sequence[str] = ()) -> Iterator[Line]:
        """The newest version of each dataset that contains all words, without faulty ones."""

    def notes(self) -> list[str]:
        """Reasons why a dataset can be missing, for the error of an unknown name."""


@runtime_checkable
class RemoteSource(CatalogSource, Protocol):
    """A source on other machines, with as few requests as possible."""

    def at_hand(self) -> "RemoteSource":
        """The same source without any request."""

    def warn(self) -> None:
        """Warn once of unreachable machines."""

    def rows(self, name: str, version: str) -> list[tuple[str, str]]:
        """`Manifest.digest` and address of each manifest of a version."""

    def checksums(self) -> frozenset[str]:
        """The checksums of listed files as hexadecimal digits, without a request."""

    def take_table(self, manifest: "Manifest", split: str, key: str, recipe: Any) -> bool:
        """Download the table of a split into the cache; False if the source does not have it.

        Args:
            manifest: of the dataset.
            split: one of its splits.
            key: of the table's recipe.
            recipe: the expected recipe in `table.json`.
        """


class FolderSource:
    """Folders of `<name>/<version>.toml`; a name can have a family, `glue/cola`.

    Args:
        roots: the folders; missing ones count as empty.
        store: keeps their indexes between processes.
    """

    adds_versions = True

    def __init__(self, roots: Sequence[Path] = (), store: IndexStore | None = None) -> None:
        self._given, self._store = roots, store
        self._looked_up: dict[str, dict[str, Index]] = {}  # so that answers stay consistent

    @cached_property
    def roots(self) -> Sequence[Path]:
        """The folders."""
        return self._given

    @cached_property
    def _indexes(self) -> list[Index]:
        return [Index(root, self._store) for root in dict.fromkeys(self.roots)]

    @cached_property
    def _all(self) -> dict[str, dict[str, Index]]:
        """The folder of every manifest, by name and version.

        Raises:
            DshubError: two folders have different manifests of one version.
        """
        datasets: dict[str, dict[str, Index]] = {}
        for index in self._indexes:
            for name, versions in index.walk():
                if name in datasets:
                    _add(datasets[name], index, name, versions)
                else:
                    datasets[name] = dict.fromkeys(versions, index)
        return datasets

    def _of(self, name: str) -> dict[str, Index]:
        """The folder of each version of a dataset."""
        if "_all" in self.__dict__ or not NAME.fullmatch(name):
            return self._all.get(name, {})
        if name in self._looked_up:
            return self._looked_up[name]
        versions: dict[str, Index] = {}
        for index in self._indexes:
            _add(versions, index, name, index.versions(name))
        self._looked_up[name] = versions
        return versions

    def names(self) -> Collection[str]:
        return self._all.keys()

    def versions(self, name: str) -> Sequence[str]:
        return newest_first(self._of(name))

    def path(self, name: str, version: str) -> Path:
        """The file of a manifest."""
        return self._of(name)[version].path(name, version)

    def manifest(self, name: str, version: str) -> "Manifest":
        from dshub.catalog.parsing import parse_as, read_bytes

        path = self.path(name, version)
        return parse_as(f"{name}@{version}", read_bytes(path), source=str(path))

    def text(self, name: str, version: str) -> bytes:
        return self.path(name, version).read_bytes()

    def lines(self, words: Sequence[str] = ()) -> Iterator[Line]:
        for name, versions in self._all.items():
            newest = newest_first(versions)[0] if len(versions) > 1 else next(iter(versions))
            index = versions[newest]
            try:
                line = index.line(name, newest)
            except ManifestError as error:
                logging.getLogger("dshub").warning("%s; left out", error)
                continue
            if not words or matches(words, index.text(name, newest)):
                yield line
        for index in self._indexes:
            index.save()

    def notes(self) -> list[str]:
        return [
            f"the folder {root} of manifests does not exist"
            for root in self.roots
            if not os.path.isdir(root)  # noqa: PTH112  # also False without permission
        ]


_PACKAGES = "packages"


class _Packages(msgspec.Struct, frozen=True, array_like=True):
    """The folders of manifests that packages announced, and the status of their own folders."""

    places: tuple[tuple[str, Status], ...]
    roots: tuple[str, ...]


class PackageSource(FolderSource):
    """Folders that installed packages announce; see `dshub.plugins.registries`.

    A package cannot add versions to datasets of others. Searching packages takes as long as the
    rest of a listing, so its result is kept until a package is installed or removed.
    """

    adds_versions = False

    def __init__(self, store: IndexStore | None = None) -> None:
        super().__init__((), store)

    @cached_property
    def roots(self) -> Sequence[Path]:
        with suppress(ValueError):
            kept = decode(self._kept() or b"", _Packages)
            if kept.places == tuple(_places(status_of)):
                return [Path(root) for root in kept.roots]
        return plugins.registries()

    def _kept(self) -> bytes | None:
        return None if self._store is None else self._store.read(_PACKAGES)

    def lines(self, words: Sequence[str] = ()) -> Iterator[Line]:
        yield from super().lines(words)
        packages = _Packages(tuple(_places(settled_status_of)), tuple(map(str, self.roots)))
        data = msgspec.json.encode(packages)
        is_sure = all(status for _, status in packages.places)
        if self._store is not None and is_sure and data != self._kept():
            self._store.write(_PACKAGES, data)


def _places(status: Callable[[str], Status]) -> Iterator[tuple[str, Status]]:
    """Yield each import folder and its status, which changes when a package is installed."""
    for place in dict.fromkeys(path or "." for path in sys.path):
        with suppress(OSError):
            yield os.path.abspath(place), status(place)  # noqa: PTH100  # as `sys.path` has it


class ManifestSource:
    """Manifests in memory, such as those of synthetic data."""

    adds_versions = True

    def __init__(self, manifests: Sequence["Manifest"]) -> None:
        self._manifests: dict[str, dict[str, Manifest]] = {}
        for item in manifests:
            self._manifests.setdefault(item.name, {})[item.version] = item

    def names(self) -> Collection[str]:
        return self._manifests.keys()

    def versions(self, name: str) -> Sequence[str]:
        return newest_first(self._manifests.get(name, ()))

    def manifest(self, name: str, version: str) -> "Manifest":
        return self._manifests[name][version]

    def text(self, name: str, version: str) -> bytes:
        raise DshubError(
            f"the manifest of {name}@{version} is not in a file",
            hint="write it to a file, and use the path of the file",
        )

    def lines(self, words: Sequence[str] = ()) -> Iterator[Line]:
        for name in self._manifests:
            manifest = self.manifest(name, self.versions(name)[0])
            summary = Summary.of(manifest)
            if matches(words, searchable(summary, classes(manifest))):
                yield Line.of(summary)

    def notes(self) -> list[str]:
        return []


def encode_index(root: Path) -> dict[str, bytes]:
    """The index of a folder, by file name, for machines without an index of their own."""
    index = Index(root)
    for name, versions in index.walk():
        index.line(name, newest_first(versions)[0])
    return index.encode()


def _add(known: dict[str, Index], index: Index, name: str, versions: Sequence[str]) -> None:
    """Add the versions of a dataset in another folder.

    Raises:
        DshubError: two folders have different manifests of one version.
    """
    for version in versions:
        first = known.setdefault(version, index).path(name, version)
        path = index.path(name, version)
        if first != path and first.read_bytes() != path.read_bytes():
            raise DshubError(
                f"two different manifests claim to be {name}@{version}: {path} and {first}",
                hint="give one of them another name or version, or use one by its path",
            )


def built_in_root() -> Path:
    """The folder of dshub's own manifests, inside the package or beside it in a checkout."""
    return INSIDE if INSIDE.is_dir() else INSIDE.parents[1] / "registry"
