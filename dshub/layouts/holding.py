"""What a layout found in a place, and its files as readers want them."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from dshub import archives
from dshub.layouts.places import Listed, Place
from dshub.layouts.sums import Summed, Sums

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
    """One file for a reader, see `dshub.readers.File`. It is hashed as it is read."""

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
