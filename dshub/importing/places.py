"""Where a person has files: a folder, or an archive whose members are read in place."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from dshub import archives
from dshub.errors import ReadError, StoreError

ARCHIVES = (".zip", ".tar")  # kinds whose members can be read without unpacking all of it
UNREADABLE = -1  # the size of a file that cannot even be looked at


class Listed(NamedTuple):
    """A file in a place.

    Attributes:
        name: from the place on, with `/`.
        size: bytes; `UNREADABLE` where it cannot be looked at, such as a link that leads nowhere.
        changed: when, in nanoseconds since the epoch; 0 in an archive.
    """

    name: str
    size: int
    changed: int


class Place(Protocol):
    """A folder or an archive.

    Attributes:
        path: where it is.
    """

    @property
    def path(self) -> Path: ...

    def list(self, below: str = "") -> Iterator[Listed]:
        """Every file, or those below a folder in it; raises StoreError or ReadError."""

    def title(self, name: str) -> str:
        """What a file of it is called in messages."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file; raises ReadError, also while they are read."""


@contextmanager
def open_place(path: Path) -> Iterator[Place]:
    """A folder, or an archive for as long as the context is entered.

    Raises:
        StoreError: there is none.
        ReadError, UnsafeArchiveError: it is a file, but no archive that can be read.
    """
    if path.is_dir():
        yield Folder(path)
    elif path.is_file():
        with archives.open_archive(path, title=str(path)) as archive:
            yield _Archive(path, archive)
    else:
        raise StoreError(
            path=str(path),
            action="read",
            reason="it was imported from there and is gone",
            hint="bring it back, or `dshub import` it again from where it is now",
        )


@contextmanager
def readable(title: str) -> Iterator[None]:
    """Turn an OSError inside the block into a ReadError of that file."""
    try:
        yield
    except OSError as error:
        reason = f"it cannot be read: {error.strerror or error}"
        hint = "it is a file of yours: mend it, or its permissions, and try again"
        raise ReadError(file=title, reason=reason, hint=hint) from error


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that may be such a place, by its name."""
    return path.name.endswith(ARCHIVES) and path.is_file()


class Folder:
    """A folder. Links in it are followed: it is the person's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list(self, below: str = "") -> Iterator[Listed]:
        yield from _walk(self.path / below, below.rstrip("/") + "/" if below else "", frozenset())

    def title(self, name: str) -> str:
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with readable(self.title(name)):
            file = (self.path / name).open("rb", buffering=0)
        with file:
            yield file


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Listed]:
    """Every file below a folder that is not among those `above` it, as a link can make it."""
    try:
        status = folder.stat()
        known = (status.st_dev, status.st_ino)
        entries = [] if known in above else sorted(os.scandir(folder), key=lambda item: item.name)
    except FileNotFoundError:
        return
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(path=str(folder), action="read", reason=reason, hint=_MAY) from error
    for entry in entries:
        listed = _listed(entry, prefix)
        if listed is None:
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", above | {known})
        else:
            yield listed


_MAY = "ask for permission to read it, or name the files that you may read"


def _listed(entry: "os.DirEntry[str]", prefix: str) -> Listed | None:
    """A file; None for a folder."""
    try:
        status = entry.stat()
    except OSError:
        return Listed(prefix + entry.name, UNREADABLE, 0)
    if stat.S_ISDIR(status.st_mode):
        return None
    return Listed(prefix + entry.name, status.st_size, status.st_mtime_ns)


class _Archive:
    """An open archive."""

    def __init__(self, path: Path, archive: archives.Archive) -> None:
        self.path, self._archive = path, archive
        self._files: dict[str, archives.ArchiveFile] = {}

    def list(self, below: str = "") -> Iterator[Listed]:
        for file in self._all().values():
            if file.member.startswith(below) and file.entry is not None:
                yield Listed(file.member, file.entry.size, 0)

    def _all(self) -> dict[str, archives.ArchiveFile]:
        if not self._files:
            self._files = {file.member: file for file in self._archive.files("*")}
        return self._files

    def title(self, name: str) -> str:
        return f"{self.path}:{name}"

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        return self._all()[name].open()
