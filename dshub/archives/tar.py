"""tar, plain or within a compression; see `_tar_headers` for the formats that are read.

All headers are read before the first member is; of a compressed tar that is the pass that unpacks
it. Members are handed out in the order of the archive, from their place.
"""

import tarfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from dshub.archives._decoding import Damage
from dshub.archives._members import Entry
from dshub.archives._tar_headers import is_header, read_entries

if TYPE_CHECKING:
    from dshub.archives._sources import Region, Source


class Tar:
    """Members under names."""

    suffix: ClassVar[str] = ".tar"
    errors: ClassVar[tuple[type[Exception], ...]] = (Damage,)
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

    def entries(self) -> Generator[Entry, None, None]:
        with self._source.forward() as cursor:
            yield from read_entries(cursor)

    def open(self, entry: Entry) -> BinaryIO:
        return self._source.region.piece(entry.place[0], entry.size)

    def region(self, entry: Entry) -> "Region":
        return self._source.region.part(entry.place[0], entry.size)


archive = Tar()
