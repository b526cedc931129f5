"""Read the files of an imported layout, and hash them at the same time.

Checksums are stored in the format of GNU `sha256sum`, with a line `<hex digits>  <name>` per file
(GNU coreutils manual, "md5sum invocation").
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.cache.files import new_file, open_file, read_file
from dshub.checksums import is_hex
from dshub.errors import ReadError
from dshub.importing.places import Listed, Place, as_read_error

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE = 1 << 20  # bytes per read


class Sums:
    """The checksums of the files read so far; threads can add checksums concurrently."""

    def __init__(self) -> None:
        self._sums: dict[str, str] = {}
        self._fresh: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._sums

    def note(self, name: str, digest: str) -> None:
        """Add the checksum of a completely read file."""
        self._sums[name] = digest
        self._fresh.append(name)

    def append(self, path: Path) -> None:
        """Append the checksums added since the last call to a file; raise StoreError on failure."""
        fresh, self._fresh = self._fresh, []
        with disk_faults(path, "write"), open_file(path, "ab") as file:
            file.writelines(_line(name, self._sums[name]) for name in fresh)

    def write(self, path: Path, names: Iterable[str]) -> str:
        """Write the checksums of some files to a new file, and return the new file's checksum.

        Raises:
            StoreError: the file cannot be written.
        """
        hasher = hashlib.sha256()
        with disk_faults(path, "write"), new_file(path) as file:
            for name in names:
                line = _line(name, self._sums[name])
                hasher.update(line)
                file.write(line)
        return hasher.hexdigest()

    def read(self, path: Path) -> None:
        """Add the checksums in a file, ignoring damaged lines."""
        self._sums |= dict(read_sums(path))


def read_sums(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the names and checksums written by `Sums`, or nothing if the file does not exist."""
    try:
        lines = read_file(path).split(b"\n")
    except OSError:
        return
    for line in lines:
        digest, _, name = line.lstrip(b"\\").partition(b"  ")
        if is_hex("sha256", digest.decode("latin-1")) and name:
            text = name.decode("utf-8", "surrogateescape")
            yield (_unescaped(text) if line.startswith(b"\\") else text), digest.decode("ascii")


def _line(name: str, digest: str) -> bytes:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n".encode("utf-8", "surrogateescape")


def _unescaped(name: str) -> str:
    parts = name.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)


@dataclass(frozen=True)
class Holding:
    """The files of a layout in a folder or archive.

    Attributes:
        layout: name of the layout.
        path: folder or archive with the files.
        prefix: prefix of all file names, which is empty or ends with `/`.
        matches: files that match each name or pattern of the layout, in reading order. Their
            names do not include the prefix.
    """

    layout: str
    path: Path
    prefix: str
    matches: Mapping[str, tuple[Listed, ...]]

    @cached_property
    def files(self) -> dict[str, Listed]:
        """All files by name."""
        return {file.name: file for files in self.matches.values() for file in files}

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(max(file.size, 0) for file in self.files.values())

    @property
    def identity(self) -> str:
        """SHA-256 of the file names and sizes, which is equal for all copies of the files."""
        return _sha256(f"{file.size} {file.name}\n" for file in sorted(self.files.values()))

    @property
    def stamp(self) -> str:
        """SHA-256 of the file names, sizes and modification times, to detect changes."""
        files = sorted(self.files.values())
        return _sha256(f"{file.size} {file.changed} {file.name}\n" for file in files)


def _sha256(lines: Iterable[str]) -> str:
    hasher = hashlib.sha256()
    for line in lines:
        hasher.update(line.encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()


class LocalFiles:
    """The files of a layout in an open folder or archive.

    Attributes:
        holding: listed files.
        sums: checksums of the files read so far.
    """

    def __init__(self, holding: Holding, place: Place) -> None:
        self.holding, self.place, self.sums = holding, place, Sums()

    def files(self, member: str) -> list["LocalFile"]:
        """Return the files that match a name or pattern of the layout, in reading order."""
        return [LocalFile(self, listed) for listed in self.holding.matches[member]]

    def hash_remaining(self) -> None:
        """Hash the files that were not read; raise ReadError if that fails."""
        remaining = [item for name, item in self.holding.files.items() if name not in self.sums]
        for listed in remaining:
            with LocalFile(self, listed).open() as stream:
                while stream.read(_PIECE):
                    pass


@dataclass(frozen=True)
class LocalFile:
    """A file for a reader (`dshub.formats.File`) that is hashed while it is read."""

    local: LocalFiles
    listed: Listed

    @property
    def name(self) -> str:
        return self.local.place.title(self._path)

    @property
    def member(self) -> str:
        return self.listed.name

    @property
    def _path(self) -> str:
        return self.local.holding.prefix + self.listed.name

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        with self.local.place.open(self._path) as stream:
            yield cast("BinaryIO", io.BufferedReader(_Hashed(stream, self)))

    def check_size(self, size: int) -> None:
        archives.check_size(size, self.listed.size, self.name)


class _Hashed(io.RawIOBase):
    """A stream that records the checksum of a file when it reaches the end."""

    def __init__(self, stream: BinaryIO, file: LocalFile) -> None:
        self._stream, self._file, self._title = stream, file, file.name
        self._hasher, self._size = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        with as_read_error(self._title):
            count: int = self._stream.readinto(view)  # type: ignore[attr-defined]
        self._hasher.update(view[:count])
        self._size += count
        if count == 0 and len(view):
            self._end()
        return count

    def _end(self) -> None:
        name, size, _ = self._file.listed
        if self._size != size:
            reason = f"it has {self._size:,} bytes, but had {size:,} when it was listed"
            hint = "make sure that no program modifies it, then import it again"
            raise ReadError(file=self._title, reason=reason, hint=hint)
        sums = self._file.local.sums
        if name not in sums:
            sums.note(name, self._hasher.hexdigest())
