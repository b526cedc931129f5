"""Index a folder of manifests, so that a listing parses only files that changed.

An entry is reused while its file has the same status (size and times of change) or the same
content. The status of a recently changed file is not recorded, because the clock is too coarse to
detect another change.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from dshub import __version__
from dshub._validate import decode
from dshub.catalog.search import Line, Summary, classes, searchable

INSIDE = Path(__file__).parents[1] / "_registry"  # dshub's own manifests, in the wheel
FOLDERS, TEXTS = "", "texts"  # parts of an index; only a search reads `TEXTS`
_SETTLED = 3_000_000_000  # nanoseconds, longer than the clock resolution of any file system

Status = int  # hash of size and times of change, faster to decode than three numbers
_UNSURE: Status = 0


class IndexStore(Protocol):
    """Persistent store for indexes."""

    def read(self, key: str) -> bytes | None:
        """Return the data of a key, or None if it is missing."""

    def write(self, key: str, data: bytes) -> None:
        """Replace the data of a key, ignoring errors."""


class Listed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Line of a manifest in a listing, with the file's status and digest."""

    status: Status
    version: str
    digest: str  # digest of the file's content
    line: Line


class Folder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Content of a folder with versions of a dataset and subfolders."""

    status: Status
    versions: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    listed: Listed | None = None  # entry of the newest version


class _Searched(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Searchable text of a manifest; see `searchable`."""

    digest: str
    text: str


T = TypeVar("T")


class _Content(msgspec.Struct, Generic[T], frozen=True, array_like=True):
    """Stored part of an index, valid only for the dshub release that wrote it."""

    release: str
    items: dict[str, T]  # by name of the dataset or family


class Index:
    """Index of the manifests in a folder.

    Args:
        root: folder of manifests. A missing folder counts as empty.
        store: persistent store for the index, or None.
    """

    def __init__(self, root: Path, store: IndexStore | None = None) -> None:
        self._root, self._store = str(root), store
        self._key = _digest(os.fsencode(root))
        self._old = self._read(FOLDERS, Folder)
        self._new: dict[str, Folder] = {}
        self._new_texts: dict[str, _Searched] = {}  # searchable text of changed manifests

    def _read(self, part: str, kind: type[T]) -> dict[str, T]:
        data = self._store.read(self._key + part) if self._store is not None else None
        if data is None and self._root == str(INSIDE):
            data = _bytes(INSIDE / _shipped(part))
        with suppress(ValueError):
            content = decode(data or b"", _Content[kind])  # type: ignore[valid-type]
            if content.release == __version__:
                return content.items
        return {}

    @cached_property
    def _old_texts(self) -> dict[str, _Searched]:
        return self._read(TEXTS, _Searched)

    def walk(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the name and versions of every dataset."""
        for name in self._folder("").folders:
            folder = self._folder(name)
            if folder.versions:
                yield name, folder.versions
            for inner in folder.folders:
                member = f"{name}/{inner}"
                if versions := self._folder(member).versions:
                    yield member, versions

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of a dataset without listing other datasets."""
        return self._folder(name).versions

    def path(self, name: str, version: str) -> Path:
        """Return the path of a manifest."""
        return Path(f"{self._root}/{name}/{version}.toml")

    def line(self, name: str, version: str) -> Line:
        """Return the line of a manifest. Call `walk` first.

        Raises:
            ManifestError: the manifest is unreadable or has faults.
        """
        folder = self._new[name]
        listed = folder.listed
        try:
            status = status_of(f"{self._root}/{name}/{version}.toml")
        except OSError:
            status = -1  # matches no file; reading the file raises the error
        if listed is None or listed.status != status or listed.version != version:
            listed = self._summarize(name, version, listed)
            self._new[name] = msgspec.structs.replace(folder, listed=listed)
        return listed.line

    def text(self, name: str, version: str) -> str:
        """Return the searchable text of a manifest. Call `line` first."""
        listed = self._new[name].listed
        searched = self._new_texts.get(name) or self._old_texts.get(name)
        if searched is None or listed is None or searched.digest != listed.digest:
            self._summarize(name, version, None)
            searched = self._new_texts[name]
        return searched.text

    def _summarize(self, name: str, version: str, old: Listed | None) -> Listed:
        path, status = self.path(name, version), _UNSURE
        with suppress(OSError):  # reading the file below raises the same error
            status = settled_status_of(str(path))
        if old is not None and old.version == version and old.digest == _digest(_bytes(path)):
            return Listed(status, version, old.digest, old.line)
        # imported here, because the import takes as long as a listing
        from dshub.catalog.parsing import parse_as, read_bytes

        data = read_bytes(path)
        manifest = parse_as(f"{name}@{version}", data, source=str(path))
        summary, digest = Summary.of(manifest), _digest(data)
        self._new_texts[name] = _Searched(digest, searchable(summary, classes(manifest)))
        return Listed(status, version, digest, Line.of(summary))

    def encode(self) -> dict[str, bytes]:
        """Return the index files for other machines, by file name, without file statuses."""
        replace = msgspec.structs.replace
        for name, folder in self._new.items():
            listed = folder.listed and replace(folder.listed, status=_UNSURE)
            self._new[name] = replace(folder, status=_UNSURE, listed=listed)
        return {_shipped(part): data for part, data in self._parts()}

    def save(self) -> None:
        """Save the index for the next process, if it changed."""
        if self._store is not None and self._new != self._old:
            for part, data in self._parts():
                self._store.write(self._key + part, data)

    def _parts(self) -> Iterator[tuple[str, bytes]]:
        texts = self._old_texts | self._new_texts
        yield FOLDERS, msgspec.json.encode(_Content(__version__, self._new))
        current_texts = {name: texts[name] for name in self._new if name in texts}
        yield TEXTS, msgspec.json.encode(_Content(__version__, current_texts))

    def _folder(self, name: str) -> Folder:
        path, folder = f"{self._root}/{name}", self._old.get(name)
        try:
            if folder is None or folder.status != status_of(path):
                folder = _list(path, folder)
        except OSError:
            return Folder(_UNSURE)
        self._new[name] = folder
        return folder


def status_of(path: str) -> Status:
    """Return a nonzero hash of the size, mtime and ctime of a file."""
    status = os.stat(path)  # noqa: PTH116  # faster than Path.stat in a loop
    return hash((status.st_size, status.st_mtime_ns, status.st_ctime_ns)) or 1


def settled_status_of(path: str) -> Status:
    """Return the status of a file, or 0 if it changed too recently to detect a later change."""
    status, info = status_of(path), os.stat(path)  # noqa: PTH116
    latest = max(info.st_mtime_ns, info.st_ctime_ns)
    return status if latest < time.time_ns() - _SETTLED else _UNSURE


def _list(path: str, old: Folder | None) -> Folder:
    """List a folder without hidden files, such as `._1.0.0.toml` from macOS.

    The status of a folder with a symlink is not recorded, because it does not change with the
    target of the symlink.
    """
    status = settled_status_of(path)
    versions, folders = [], []
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                status = _UNSURE
            if entry.name.endswith(".toml"):
                versions.append(entry.name.removesuffix(".toml"))
            elif entry.is_dir():
                folders.append(entry.name)
    return Folder(status, tuple(versions), tuple(folders), old.listed if old else None)


def _shipped(part: str) -> str:
    """Return the file name of a part in the wheel."""
    return f"{part or 'index'}.json"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _bytes(path: Path) -> bytes:
    """Return the content of a file; empty if it is unreadable."""
    with suppress(OSError):
        return path.read_bytes()
    return b""
