"""The files of an imported layout, hashed as they are read.

The SHA-256 of each file, gathered while it is read for other reasons.

They are kept as `sha256sum` writes and checks them, a line for each file:
`<hexadecimal digits>  <name>`; see the manual of GNU coreutils, "md5sum invocation".
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
from dshub.importing.places import Listed, Place, readable

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Sums:
    """What was read so far. Files may be read in several threads."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._fresh: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def note(self, name: str, digest: str) -> None:
        """A file was read to its end."""
        self._found[name] = digest
        self._fresh.append(name)

    def append(self, path: Path) -> None:
        """Add those that came since this was last called; raises StoreError."""
        fresh, self._fresh = self._fresh, []
        with disk_faults(path, "write"), open_file(path, "ab") as file:
            file.writelines(_line(name, self._found[name]) for name in fresh)

    def write(self, path: Path, names: Iterable[str]) -> str:
        """Write those of some files, which were read, and return the checksum of what is written.

        Raises:
            StoreError: the file cannot be written.
        """
        hasher = hashlib.sha256()
        with disk_faults(path, "write"), new_file(path) as file:
            for name in names:
                line = _line(name, self._found[name])
                hasher.update(line)
                file.write(line)
        return hasher.hexdigest()

    def read(self, path: Path) -> None:
        """Take over what was written; lines that are damaged are passed over."""
        self._found |= dict(written(path))


def written(path: Path) -> Iterator[tuple[str, str]]:
    """Names and checksums that `Sums` wrote; none where there is no such file."""
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


class Summed(io.RawIOBase):
    """A stream that is hashed as it is read.

    Args:
        stream: read from its beginning; not closed with this.
        name, size: of the file, as it was listed.
        title: for errors.
        sums: what is told the checksum once the end is reached.
    """

    def __init__(self, stream: BinaryIO, name: str, size: int, *, title: str, sums: Sums) -> None:
        self._stream, self._name, self._size = stream, name, size
        self._title, self._sums = title, sums
        self._hasher, self._done = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        with readable(self._title):
            count: int = self._stream.readinto(view)  # type: ignore[attr-defined]
        self._hasher.update(view[:count])
        self._done += count
        if count == 0 and len(view):
            self._end()
        return count

    def _end(self) -> None:
        if self._done != self._size:
            reason = f"it has {self._done:,} bytes, but had {self._size:,} when it was listed"
            hint = "something changes it: wait until that is over, and import it again"
            raise ReadError(file=self._title, reason=reason, hint=hint)
        if self._name not in self._sums:
            self._sums.note(self._name, self._hasher.hexdigest())


_PIECE = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Holding:
    """The files of a layout that lie in a place.

    Attributes:
        layout: its name.
        path: the folder or the archive.
        prefix: what the names in it begin with before those of the layout: empty, or ending in
            `/`.
        found: for each name or pattern of the layout the files that fit, in the order in which
            they are read, under their names without the prefix.
    """

    layout: str
    path: Path
    prefix: str
    found: Mapping[str, tuple[Listed, ...]]

    @cached_property
    def files(self) -> dict[str, Listed]:
        """Every file once, by its name."""
        return {file.name: file for files in self.found.values() for file in files}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(max(file.size, 0) for file in self.files.values())

    @property
    def identity(self) -> str:
        """SHA-256 over names and sizes: the same wherever the files lie, whenever they were copied.

        What the files hold is hashed when they are read.
        """
        lines = (f"{file.size} {file.name}\n" for file in self._sorted())
        return _sha256(lines)

    @property
    def stamp(self) -> str:
        """SHA-256 over names, sizes and times of change: other after any change that shows."""
        lines = (f"{file.size} {file.changed} {file.name}\n" for file in self._sorted())
        return _sha256(lines)

    def _sorted(self) -> list[Listed]:
        return sorted(self.files.values())


def _sha256(lines: Iterator[str]) -> str:
    hasher = hashlib.sha256()
    for line in lines:
        hasher.update(line.encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()


@dataclass(frozen=True)
class LocalFile:
    """One file for a reader, see `dshub.formats.File`. It is hashed as it is read."""

    place: Place
    prefix: str
    listed: Listed
    sums: Sums

    @property
    def name(self) -> str:
        return self.place.title(self.prefix + self.listed.name)

    @property
    def member(self) -> str:
        return self.listed.name

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        name, size = self.listed.name, self.listed.size
        with self.place.open(self.prefix + name) as stream:
            summed = Summed(stream, name, size, title=self.name, sums=self.sums)
            yield cast("BinaryIO", io.BufferedReader(summed))

    def check_size(self, size: int) -> None:
        archives.check_size(size, self.listed.size, self.name)


class LocalFiles:
    """The files of a holding whose place is open.

    Attributes:
        holding: what was found.
        sums: the checksums of the files that were read.
    """

    def __init__(self, holding: Holding, place: Place) -> None:
        self.holding, self.sums, self._place = holding, Sums(), place

    def files(self, member: str) -> list[LocalFile]:
        """The files that fit a name or pattern of the layout, in order."""
        holding = self.holding
        return [
            LocalFile(self._place, holding.prefix, listed, self.sums)
            for listed in holding.found[member]
        ]

    def read_rest(self) -> None:
        """Read what was not read to its end yet, so that all of it is hashed; raises ReadError."""
        rest = [item for name, item in self.holding.files.items() if name not in self.sums]
        for listed in rest:
            file = LocalFile(self._place, self.holding.prefix, listed, self.sums)
            with file.open() as stream:
                while stream.read(_PIECE):
                    pass
