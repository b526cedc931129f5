"""Read manifests from folders of `<name>/<version>.toml`, from packages and from memory.

For mirrors, see `dshub.mirrors.source`.
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
from dshub.catalog.search import Line, Summary, classes, newest_first, searchable
from dshub.errors import DshubError, ManifestError

if TYPE_CHECKING:  # listings avoid this import, because they parse no manifests
    from dshub.catalog.manifest import Manifest


class CatalogSource(Protocol):
    """Source of manifests."""

    @property
    def adds_versions(self) -> bool:
        """True if the source can add versions to datasets of earlier sources."""

    def names(self) -> Collection[str]:
        """Return the names of all datasets."""

    def versions(self, name: str) -> Sequence[str]:
        """Return the versions of a dataset, newest first; empty for an unknown name."""

    def manifest(self, name: str, version: str) -> "Manifest":
        """Return the manifest of a version; raises ManifestError."""

    def text(self, name: str, version: str) -> bytes:
        """Return the content of a manifest file; raises DshubError for a manifest in memory."""

    def lines(self) -> Iterator[Line]:
        """Yield the newest version of each dataset, skipping faulty manifests."""

    def texts(self) -> Iterator[tuple[Line, str]]:
        """Yield each of `lines` with its text to search; see `dshub.catalog.search.searchable`."""

    def notes(self) -> list[str]:
        """Return reasons why a dataset can be missing, for the error of an unknown name."""


@runtime_checkable
class RemoteSource(CatalogSource, Protocol):
    """Source on other machines."""

    def at_hand(self) -> "RemoteSource":
        """Return a copy of the source that sends no requests."""

    def warn(self) -> None:
        """Warn once of unreachable machines."""

    def rows(self, name: str, version: str) -> list[tuple[str, str]]:
        """Return the `Manifest.digest` and address of each manifest of a version."""

    def checksums(self) -> frozenset[str]:
        """Return the hexadecimal checksums of listed files without sending a request."""

    def take_table(self, manifest: "Manifest", split: str, key: str, recipe: Any) -> bool:
        """Download the table of a split into the cache; return False if the source lacks it.

        Args:
            manifest: manifest of the dataset.
            split: name of the split.
            key: recipe key of the table.
            recipe: expected recipe in `table.json`.
        """


class FolderSource:
    """Source of manifests in folders, as `<name>/<version>.toml` or `<family>/<name>/…`.

    Args:
        roots: folders to search. Missing folders count as empty.
        store: persistent store for indexes of the folders.
    """

    adds_versions = True

    def __init__(self, roots: Sequence[Path] = (), store: IndexStore | None = None) -> None:
        self._roots, self._store = roots, store
        self._by_name: dict[str, dict[str, Index]] = {}  # lookups, kept so that later ones agree

    @cached_property
    def roots(self) -> Sequence[Path]:
        """Folders to search."""
        return self._roots

    @cached_property
    def _indexes(self) -> list[Index]:
        return [Index(root, self._store) for root in dict.fromkeys(self.roots)]

    @cached_property
    def _all(self) -> dict[str, dict[str, Index]]:
        """Index of every manifest's folder, by name and version.

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
        """Return the index of each version's folder for one dataset."""
        if "_all" in self.__dict__ or not NAME.fullmatch(name):
            return self._all.get(name, {})
        if name in self._by_name:
            return self._by_name[name]
        versions: dict[str, Index] = {}
        for index in self._indexes:
            _add(versions, index, name, index.versions(name))
        self._by_name[name] = versions
        return versions

    def names(self) -> Collection[str]:
        return self._all.keys()

    def versions(self, name: str) -> Sequence[str]:
        return newest_first(self._of(name))

    def path(self, name: str, version: str) -> Path:
        """Return the path of a manifest."""
        return self._of(name)[version].path(name, version)

    def manifest(self, name: str, version: str) -> "Manifest":
        from dshub.catalog.parsing import parse_as, read_bytes

        path = self.path(name, version)
        return parse_as(f"{name}@{version}", read_bytes(path), source=str(path))

    def text(self, name: str, version: str) -> bytes:
        return self.path(name, version).read_bytes()

    def lines(self) -> Iterator[Line]:
        for line, _, _ in self._newest():
            yield line

    def texts(self) -> Iterator[tuple[Line, str]]:
        for line, version, index in self._newest():
            yield line, index.text(line.name, version)

    def _newest(self) -> Iterator[tuple[Line, str, Index]]:
        """Yield the line, version and index of each newest manifest, and save the indexes."""
        for name, versions in self._all.items():
            newest = newest_first(versions)[0] if len(versions) > 1 else next(iter(versions))
            index = versions[newest]
            try:
                line = index.line(name, newest)
            except ManifestError as error:
                logging.getLogger("dshub").warning("%s; skipped", error)
                continue
            yield line, newest, index
        for index in self._indexes:
            index.save()

    def notes(self) -> list[str]:
        return [
            f"the manifest folder {root} does not exist"
            for root in self.roots
            if not os.path.isdir(root)  # noqa: PTH112  # also False without permission
        ]


_PACKAGES = "packages"


class _Packages(msgspec.Struct, frozen=True, array_like=True):
    """Cached manifest folders of packages, valid while the import folders keep their status."""

    places: tuple[tuple[str, Status], ...]
    roots: tuple[str, ...]


class PackageSource(FolderSource):
    """Source of manifests in folders of installed packages; see `dshub.plugins.registries`.

    A package cannot add versions to a dataset of another source. Searching packages is slow, so
    the result is cached until a package is installed or removed.
    """

    adds_versions = False

    def __init__(self, store: IndexStore | None = None) -> None:
        super().__init__((), store)

    @cached_property
    def roots(self) -> Sequence[Path]:
        with suppress(ValueError):
            packages = decode(self._cached() or b"", _Packages)
            if packages.places == tuple(_places(status_of)):
                return [Path(root) for root in packages.roots]
        return plugins.registries()

    def _cached(self) -> bytes | None:
        return None if self._store is None else self._store.read(_PACKAGES)

    def _newest(self) -> Iterator[tuple[Line, str, Index]]:
        yield from super()._newest()
        packages = _Packages(tuple(_places(settled_status_of)), tuple(map(str, self.roots)))
        data = msgspec.json.encode(packages)
        is_sure = all(status for _, status in packages.places)
        if self._store is not None and is_sure and data != self._cached():
            self._store.write(_PACKAGES, data)


def _places(status: Callable[[str], Status]) -> Iterator[tuple[str, Status]]:
    """Yield each import folder and its status, which changes when a package is installed."""
    for place in dict.fromkeys(path or "." for path in sys.path):
        with suppress(OSError):
            # Path.resolve would follow symlinks
            yield os.path.abspath(place), status(place)  # noqa: PTH100


class ManifestSource:
    """Source of manifests in memory, such as manifests of synthetic data."""

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
            hint="write the manifest to a file, and pass the path of the file",
        )

    def lines(self) -> Iterator[Line]:
        return (line for line, _ in self.texts())

    def texts(self) -> Iterator[tuple[Line, str]]:
        for name in self._manifests:
            manifest = self.manifest(name, self.versions(name)[0])
            summary = Summary.of(manifest)
            yield Line.of(summary), searchable(summary, classes(manifest))

    def notes(self) -> list[str]:
        return []


def encode_index(root: Path) -> dict[str, bytes]:
    """Return the index files of a folder, by file name, to ship in the wheel."""
    index = Index(root)
    for name, versions in index.walk():
        index.line(name, newest_first(versions)[0])
    return index.encode()


def _add(indexes: dict[str, Index], index: Index, name: str, versions: Sequence[str]) -> None:
    """Add the versions of a dataset in another folder.

    Raises:
        DshubError: two folders have different manifests of one version.
    """
    for version in versions:
        first = indexes.setdefault(version, index).path(name, version)
        path = index.path(name, version)
        if first != path and first.read_bytes() != path.read_bytes():
            raise DshubError(
                f"two different manifests have the name {name}@{version}: {path} and {first}",
                hint="change the name or version of one, or pass the path of one instead",
            )


def built_in_root() -> Path:
    """Return the folder of dshub's own manifests, in the package or next to it in a checkout."""
    return INSIDE if INSIDE.is_dir() else INSIDE.parents[1] / "registry"
