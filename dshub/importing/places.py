"""Places where the user has files: a folder, or an archive whose members are read in place."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dshub import archives
from dshub.errors import ReadError, StoreError

ARCHIVES = (".zip", ".tar")  # kinds whose members can be read without unpacking all of them
UNREADABLE = -1  # the size of a file that cannot be examined


class Listed(NamedTuple):
    """A file in a place.

    Attributes:
        name: below the place, with `/`.
        size: bytes; `UNREADABLE` if it cannot be examined, such as a broken link.
        changed: when, in nanoseconds since the epoch; 0 in an archive.
    """

    name: str
    size: int
    changed: int


@contextmanager
def as_read_error(title: str) -> Iterator[None]:
    """Turn an OSError inside the block into a ReadError of that file."""
    try:
        yield
    except OSError as error:
        reason = f"it cannot be read: {error.strerror or error}"
        hint = "repair the file or its permissions, and try again"
        raise ReadError(file=title, reason=reason, hint=hint) from error


def is_archive(path: Path) -> bool:
    """Tell by its name whether a file is an archive that can be a place."""
    return path.name.endswith(ARCHIVES) and path.is_file()


class Folder:
    """A folder. Links in it are followed, since it is the user's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list(self, below: str = "") -> Iterator[Listed]:
        """Yield every file, or those below a folder; raises StoreError or ReadError."""
        yield from _walk(self.path / below, below.rstrip("/") + "/" if below else "", frozenset())

    def title(self, name: str) -> str:
        """Name a file for messages."""
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file; raises ReadError."""
        with as_read_error(self.title(name)):
            file = (self.path / name).open("rb", buffering=0)
        with file:
            yield file


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Listed]:
    """Yield every file below a folder; one `above` itself, as links can make it, has none."""
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        entries = [] if identity in above else sorted(os.scandir(folder), key=lambda e: e.name)
    except FileNotFoundError:
        return
    except OSError as error:
        reason, hint = error.strerror or str(error), "check its permissions, or name files instead"
        raise StoreError(path=str(folder), action="read", reason=reason, hint=hint) from error
    for entry in entries:
        name = prefix + entry.name
        try:
            status = entry.stat()
        except OSError:
            yield Listed(name, UNREADABLE, 0)
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(Path(entry.path), f"{name}/", above | {identity})
        else:
            yield Listed(name, status.st_size, status.st_mtime_ns)


class Archive:
    """An open archive, with the methods of a `Folder`."""

    def __init__(self, path: Path, archive: archives.Archive) -> None:
        self.path, self._archive = path, archive

    @cached_property
    def _files(self) -> dict[str, archives.ArchiveFile]:
        return {file.member: file for file in self._archive.files("*")}

    def list(self, below: str = "") -> Iterator[Listed]:
        for file in self._files.values():
            if file.member.startswith(below) and file.entry is not None:
                yield Listed(file.member, file.entry.size, 0)

    def title(self, name: str) -> str:
        return f"{self.path}:{name}"

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        return self._files[name].open()


Place = Folder | Archive


@contextmanager
def open_place(path: Path) -> Iterator[Place]:
    """Open a folder or an archive.

    Raises:
        StoreError: nothing is there.
        ReadError, UnsafeArchiveError: it is a file, but not an archive that can be read.
    """
    if path.is_dir():
        yield Folder(path)
    elif path.is_file():
        with archives.open_archive(path, title=str(path)) as archive:
            yield Archive(path, archive)
    else:
        raise StoreError(
            path=str(path),
            action="read",
            reason="it was imported by reference and has been moved or deleted",
            hint="move it back, or run `dshub import` with its new path",
        )
