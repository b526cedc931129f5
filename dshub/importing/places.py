"""List and open the user's files in a folder or an archive."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dshub import archives
from dshub.errors import ReadError, StoreError

ARCHIVES = (".zip", ".tar")  # suffixes of archives that are read in place
UNREADABLE = -1  # size of a file whose metadata cannot be read


class Listed(NamedTuple):
    """A file in a folder or archive.

    Attributes:
        name: path relative to the folder or archive, with `/`.
        size: size in bytes; `UNREADABLE` for broken links and other unreadable files.
        changed: modification time in nanoseconds since the epoch; 0 in an archive.
    """

    name: str
    size: int
    changed: int


@contextmanager
def as_read_error(title: str) -> Iterator[None]:
    """Convert an OSError to a ReadError with the name of the file."""
    try:
        yield
    except OSError as error:
        reason = f"it cannot be read: {error.strerror or error}"
        hint = "check the file and its permissions, then try again"
        raise ReadError(file=title, reason=reason, hint=hint) from error


def is_archive(path: Path) -> bool:
    """Return True if a file has the name of an archive that can be read in place."""
    return path.name.endswith(ARCHIVES) and path.is_file()


class Folder:
    """A folder of the user, in which symbolic links are followed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def list(self, below: str = "") -> Iterator[Listed]:
        """Yield the files below a subfolder, or all files; raise StoreError if that fails."""
        yield from _walk(self.path / below, below.rstrip("/") + "/" if below else "", frozenset())

    def title(self, name: str) -> str:
        """Return the name of a file for messages."""
        return str(self.path / name)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file; raise ReadError if that fails."""
        with as_read_error(self.title(name)):
            file = (self.path / name).open("rb", buffering=0)
        with file:
            yield file


def _walk(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Listed]:
    """Yield every file below a folder, but skip links to the parent folders `above`."""
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        entries = [] if identity in above else sorted(os.scandir(folder), key=lambda e: e.name)
    except FileNotFoundError:
        return
    except OSError as error:
        reason, hint = error.strerror or str(error), "check its permissions, or pass files instead"
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
        StoreError: the path does not exist.
        ReadError, UnsafeArchiveError: the path is a file, but not a readable archive.
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
