"""tar, plain or within a compression; see `_tar_headers` for the formats that are read.

All headers are read before the first member is: of a compressed tar that takes one pass over all
of it, and reading its members another. Members are handed out in the order of the archive.
"""

import tarfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from dshub.archives._decoding import Damage
from dshub.archives._members import Entry
from dshub.archives._sources import Cursor, Cursors, FileCursor, SharedFile
from dshub.archives._tar_headers import is_header, read_entries

if TYPE_CHECKING:
    from dshub.archives._sources import Source


class Tar:
    """Members under names."""

    suffix: ClassVar[str] = ".tar"
    errors: ClassVar[tuple[type[Exception], ...]] = (Damage,)
    streamed: ClassVar[bool] = True
    by_name: ClassVar[bool] = False

    def matches(self, head: bytes, tail: bytes) -> bool:  # noqa: ARG002  # its end says nothing
        return is_header(head)

    def open(self, source: "Source") -> "OpenTar":
        return OpenTar(source)

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as file:
            for name, path in members:
                info = tarfile.TarInfo(name)  # of no time and nobody: same members, same bytes
                info.size = path.stat().st_size
                with path.open("rb") as content:
                    file.addfile(info, content)


class OpenTar:
    """An open tar."""

    def __init__(self, source: "Source") -> None:
        self._source = source
        self._bytes = Cursors(source) if source.streamed else SharedFile(source.path)

    def entries(self) -> Generator[Entry, None, None]:
        if self._source.streamed:
            with self._source.open() as stream:
                yield from read_entries(Cursor(stream))
        else:
            with self._source.path.open("rb") as file:
                yield from read_entries(FileCursor(file, self._source.packed))

    def open(self, entry: Entry) -> BinaryIO:
        return self._bytes.piece(entry.place[0], entry.size)

    def close(self) -> None:
        self._bytes.close()


archive = Tar()
