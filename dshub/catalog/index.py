"""An index of a folder of manifests, so that a listing parses only what changed.

An entry is reused while the status of its file (size and times of change) or its content stays
the same. A file that has just changed gets no recorded status: a second change within the
resolution of the clock would go unnoticed.
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
FOLDERS, TEXTS = "", "texts"  # the parts of an index; only a search reads the second
_SETTLED = 3_000_000_000  # nanoseconds; no file system's clock is coarser

Status = int  # a digest of size and times of change; one number is faster to decode than three
_UNSURE: Status = 0


class IndexStore(Protocol):
    """Keeps indexes between processes."""

    def read(self, key: str) -> bytes | None:
        """The bytes written under a key; None if there are none."""

    def write(self, key: str, data: bytes) -> None:
        """Replace the bytes of a key if possible; a failure only costs time."""


class Listed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A manifest, and the line that a listing shows of it."""

    status: Status
    version: str
    digest: str  # of the bytes of the manifest
    line: Line


class Folder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The content of a folder: versions of a dataset, and further folders."""

    status: Status
    versions: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    listed: Listed | None = None  # the newest version


class _Searched(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The text of a manifest that a search looks at; see `searchable`."""

    digest: str
    text: str


T = TypeVar("T")


class _Content(msgspec.Struct, Generic[T], frozen=True, array_like=True):
    """The bytes of an index. Another release of dshub can find other faults in a manifest."""

    release: str
    items: dict[str, T]  # by the name of a dataset or family


class Index:
    """The manifests in a folder.

    Args:
        root: the folder; a missing one counts as empty.
        store: keeps the index between processes; None keeps nothing.
    """

    def __init__(self, root: Path, store: IndexStore | None = None) -> None:
        self._root, self._store = str(root), store
        self._key = _digest(os.fsencode(root))
        self._old = self._read(FOLDERS, Folder)
        self._new: dict[str, Folder] = {}
        self._new_texts: dict[str, _Searched] = {}  # of manifests that changed

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
        """Name and versions of every dataset."""
        for name in self._look("").folders:
            folder = self._look(name)
            if folder.versions:
                yield name, folder.versions
            for inner in folder.folders:
                member = f"{name}/{inner}"
                if versions := self._look(member).versions:
                    yield member, versions

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of one dataset, without looking at others."""
        return self._look(name).versions

    def path(self, name: str, version: str) -> Path:
        """The file of a manifest."""
        return Path(f"{self._root}/{name}/{version}.toml")

    def line(self, name: str, version: str) -> Line:
        """The line of a manifest whose folder `walk` has passed.

        Raises:
            ManifestError: it cannot be read, or has faults.
        """
        folder = self._new[name]
        listed = folder.listed
        try:
            status = status_of(f"{self._root}/{name}/{version}.toml")
        except OSError:
            status = -1  # of no file: reading it says why
        if listed is None or listed.status != status or listed.version != version:
            listed = self._summarize(name, version, listed)
            self._new[name] = msgspec.structs.replace(folder, listed=listed)
        return listed.line

    def text(self, name: str, version: str) -> str:
        """The searchable text of a manifest, after `line`."""
        listed = self._new[name].listed
        searched = self._new_texts.get(name) or self._old_texts.get(name)
        if searched is None or listed is None or searched.digest != listed.digest:
            self._summarize(name, version, None)
            searched = self._new_texts[name]
        return searched.text

    def _summarize(self, name: str, version: str, old: Listed | None) -> Listed:
        path, status = self.path(name, version), _UNSURE
        with suppress(OSError):  # reading it says why
            status = settled_status_of(str(path))
        if old is not None and old.version == version and old.digest == _digest(_bytes(path)):
            return Listed(status, version, old.digest, old.line)
        from dshub.catalog.parsing import parse_as, read_text  # as slow as all else of a listing

        text = read_text(path)
        manifest = parse_as(f"{name}@{version}", text, source=str(path))
        summary, digest = Summary.of(manifest), _digest(text.encode())
        self._new_texts[name] = _Searched(digest, searchable(summary, classes(manifest)))
        return Listed(status, version, digest, Line.of(summary))

    def encode(self) -> dict[str, bytes]:
        """The index for another machine, where files have another status; by name of a file."""
        replace = msgspec.structs.replace
        for name, folder in self._new.items():
            listed = folder.listed and replace(folder.listed, status=_UNSURE)
            self._new[name] = replace(folder, status=_UNSURE, listed=listed)
        return {_shipped(part): data for part, data in self._parts()}

    def save(self) -> None:
        """Keep what changed for the next process."""
        if self._store is not None and self._new != self._old:
            for part, data in self._parts():
                self._store.write(self._key + part, data)

    def _parts(self) -> Iterator[tuple[str, bytes]]:
        texts = self._old_texts | self._new_texts
        yield FOLDERS, msgspec.json.encode(_Content(__version__, self._new))
        kept = {name: texts[name] for name in self._new if name in texts}
        yield TEXTS, msgspec.json.encode(_Content(__version__, kept))

    def _look(self, name: str) -> Folder:
        path, folder = f"{self._root}/{name}", self._old.get(name)
        try:
            if folder is None or folder.status != status_of(path):
                folder = _list(path, folder)
        except OSError:
            return Folder(_UNSURE)
        self._new[name] = folder
        return folder


def status_of(path: str) -> Status:
    """A number that changes with the size of a file and its times of change; never 0."""
    status = os.stat(path)  # noqa: PTH116  # ten thousand times
    return hash((status.st_size, status.st_mtime_ns, status.st_ctime_ns)) or 1


def settled_status_of(path: str) -> Status:
    """The same if every further change will give another number; else 0."""
    status, found = status_of(path), os.stat(path)  # noqa: PTH116
    latest = max(found.st_mtime_ns, found.st_ctime_ns)
    return status if latest < time.time_ns() - _SETTLED else _UNSURE


def _list(path: str, old: Folder | None) -> Folder:
    """List a folder without hidden files: macOS writes `._1.0.0.toml` on foreign disks.

    A link can change its target without a trace in the folder, so a folder with a link has no
    recorded status.
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
    """The file of a part in the wheel."""
    return f"{part or 'index'}.json"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _bytes(path: Path) -> bytes:
    """The bytes of a file; none if it cannot be read."""
    with suppress(OSError):
        return path.read_bytes()
    return b""
