"""The index of a folder of manifests: listing it parses only what changed.

An entry holds while the status of its file (size, times of change) is the same, or the content.
The status of a file that has just changed is not recorded: another change within the resolution
of the clock would look the same.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from dshub import __version__
from dshub._validate import decode
from dshub.catalog.search import Summary, classes

INSIDE = Path(__file__).parents[1] / "_registry"  # dshub's own manifests, in the wheel
SHIPPED = "index.json"  # their index, made when the wheel is built
_SETTLED = 3_000_000_000  # nanoseconds; the clock of a file system is at least that fine

Status = tuple[int, int, int]  # size, and the times when content and inode changed
_UNSURE: Status = (0, 0, 0)


class IndexStore(Protocol):
    """Keeps indexes between processes."""

    def read(self, key: str) -> bytes | None:
        """The bytes that were written under a key; None where there are none."""

    def write(self, key: str, data: bytes) -> None:
        """Replace the bytes of a key if that is possible: failing only costs time."""


class Folder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The content of a folder: versions of a dataset, and further folders."""

    status: Status
    versions: tuple[str, ...]
    folders: tuple[str, ...]


class Indexed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The part of a manifest that listing and searching need."""

    status: Status
    sha256: str
    summary: Summary
    classes: tuple[str, ...]


class _Content(msgspec.Struct, frozen=True, array_like=True):
    """The bytes of an index. Another release of dshub can find other faults in a manifest."""

    release: str
    folders: dict[str, Folder]
    manifests: dict[str, Indexed]


class Index:
    """The manifests in a folder.

    Args:
        root: the folder; a missing one is empty.
        store: keeps the index between processes; nothing does where None.
    """

    def __init__(self, root: Path, store: IndexStore | None = None) -> None:
        self._root, self._store = str(root), store
        self._key = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
        self._old = self._read()
        self._folders: dict[str, Folder] = {}
        self._manifests: dict[str, Indexed] = {}

    def _read(self) -> _Content:
        kept = self._store.read(self._key) if self._store is not None else None
        if kept is None and self._root == str(INSIDE):
            kept = _bytes(INSIDE / SHIPPED)
        with suppress(ValueError):
            content = decode(kept or b"", _Content)
            if content.release == __version__:
                return content
        return _Content(__version__, {}, {})

    def walk(self) -> Iterator[tuple[str, str]]:
        """Name and version of every manifest."""
        for name in self._look("").folders:
            folder = self._look(name)
            for version in folder.versions:
                yield name, version
            for inner in folder.folders:
                member = f"{name}/{inner}"
                for version in self._look(member).versions:
                    yield member, version

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of one dataset, without looking at others."""
        return self._look(name).versions

    def path(self, name: str, version: str) -> Path:
        """The file of a manifest."""
        return Path(f"{self._root}/{name}/{version}.toml")

    def summary(self, name: str, version: str) -> Indexed:
        """What listings show of a manifest.

        Raises:
            ManifestError: it cannot be read, or has faults.
        """
        key = f"{name}/{version}"
        old = self._old.manifests.get(key)
        try:
            status = status_of(f"{self._root}/{key}.toml")
        except OSError:
            return self._summarize(name, version, None, _UNSURE)  # says why
        if old is None or old.status != status:
            old = self._summarize(name, version, old, _settled(status))
        self._manifests[key] = old
        return old

    def _summarize(self, name: str, version: str, old: Indexed | None, status: Status) -> Indexed:
        path = self.path(name, version)
        if old is not None and old.sha256 == _digest(_bytes(path) or b""):
            return msgspec.structs.replace(old, status=status)
        from dshub.catalog.parsing import parse_as, read_text  # as slow as all else of a listing

        text = read_text(path)
        digest = _digest(text.encode())
        manifest = parse_as(f"{name}@{version}", text, source=str(path))
        return Indexed(status, digest, Summary.of(manifest), classes(manifest))

    def encode(self) -> bytes:
        """The index for another machine, where files have another status."""
        replace = msgspec.structs.replace
        folders = {key: replace(item, status=_UNSURE) for key, item in self._folders.items()}
        manifests = {key: replace(item, status=_UNSURE) for key, item in self._manifests.items()}
        return msgspec.json.encode(_Content(__version__, folders, manifests))

    def save(self) -> None:
        """Keep what changed for the next process."""
        new, old = _Content(__version__, self._folders, self._manifests), self._old
        if self._store is not None and new != old:
            self._store.write(self._key, msgspec.json.encode(new))

    def _look(self, relative: str) -> Folder:
        path, old = f"{self._root}/{relative}", self._old.folders.get(relative)
        try:
            status = status_of(path)
            if old is None or old.status != status:
                old = _listed(path, _settled(status))
        except OSError:
            return Folder(_UNSURE, (), ())
        self._folders[relative] = old
        return old


def is_settled(status: Status) -> bool:
    """Whether any further change of a file will give it another status."""
    return max(status[1:]) < time.time_ns() - _SETTLED


def _settled(status: Status) -> Status:
    return status if is_settled(status) else _UNSURE


def status_of(path: str) -> Status:
    """The size of a file, and the times when its content and its inode changed."""
    status = os.stat(path)  # noqa: PTH116  # ten thousand times
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _listed(path: str, status: Status) -> Folder:
    """List a folder without hidden files: macOS puts `._1.0.0.toml` on foreign disks.

    A link can lead elsewhere although the folder is unchanged, so a folder with one is not known.
    """
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
    return Folder(status, tuple(versions), tuple(folders))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes | None:
    with suppress(OSError):
        return path.read_bytes()
    return None
