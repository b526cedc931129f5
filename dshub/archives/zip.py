"""zip (APPNOTE 6.3.10), zip64 and streamed ones included, members read in place.

Members are handed out sorted by name, for the order in a zip means nothing. A zip is known by its
beginning or, where a program stands before it, by its end.
"""

import bz2
import io
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, cast

from dshub.archives._decoding import Damage, Decoded, Inflate
from dshub.archives._members import Entry
from dshub.archives._zip_directory import has_end, read_entries
from dshub.archives._zstd import Frames

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dshub.archives._sources import Region, Source

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can state: same members, same bytes
_MEMORY = 512 << 20  # bytes a member may make us keep


class Zip:
    """Members under names."""

    suffix: ClassVar[str] = ".zip"
    errors: ClassVar[tuple[type[Exception], ...]] = (
        Damage,
        OSError,  # bzip2
        ValueError,  # the same
        lzma.LZMAError,
        struct.error,
    )
    by_name: ClassVar[bool] = True

    def matches(self, head: bytes, tail: bytes) -> bool:
        return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or has_end(tail)

    def open(self, source: "Source") -> "OpenZip":
        return OpenZip(source)

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:
            for name, path in sorted(members):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.file_size = path.stat().st_size  # tells whether zip64 is needed
                with path.open("rb") as content, file.open(info, "w") as member:
                    shutil.copyfileobj(content, member)


class OpenZip:
    """An open zip."""

    def __init__(self, source: "Source") -> None:
        self._source, self._file = source, source.region

    def entries(self) -> Generator[Entry, None, None]:
        return read_entries(self._file, tail=self._source.tail(), most=self._source.most)

    def open(self, entry: Entry) -> BinaryIO:
        place, method, crc = entry.place
        packed = self._file.piece(place, entry.packed)
        return cast("BinaryIO", _Checked(_unpacked(packed, method), entry.size, crc))

    def region(self, entry: Entry) -> "Region | None":  # noqa: ARG002
        return None  # even where it is stored plain: its checksum has to be looked at


def _unpacked(packed: BinaryIO, method: int) -> BinaryIO:
    """The bytes inside, by the method's number (APPNOTE 4.4.5)."""
    match method:
        case 0:
            raw = packed
        case 8:
            raw = cast("BinaryIO", Decoded(packed, lambda: Inflate(-15), many=False))
        case 12:
            raw = cast("BinaryIO", Decoded(packed, bz2.BZ2Decompressor, many=False))
        case 14:
            begin = _lzma(packed)
            raw = cast("BinaryIO", Decoded(packed, lambda: begin, many=False, marked=False))
        case 93:
            raw = cast("BinaryIO", Frames(packed))
        case _:
            raw = cast("BinaryIO", Decoded(packed, _xz, many=False))
    return raw


def _lzma(packed: BinaryIO) -> lzma.LZMADecompressor:
    """The decompressor that the first bytes describe (APPNOTE 5.8.8)."""
    _, size = struct.unpack("<2H", packed.read(4))
    numbers, dictionary = struct.unpack("<BL", packed.read(size))
    if dictionary > _MEMORY:
        raise Damage(f"its dictionary would take {dictionary:,} bytes")
    rest, lc = divmod(numbers, 9)
    pb, lp = divmod(rest, 5)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)


class _Checked(io.RawIOBase):
    """As many bytes as the directory promises, with the checksum that it promises."""

    def __init__(self, raw: BinaryIO, size: int, crc: int) -> None:
        self._raw, self._left, self._wanted, self._crc = raw, size, crc, 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        count: int = self._raw.readinto(view) if view else 0  # type: ignore[attr-defined]
        if view and not count:
            raise Damage("it unpacks to fewer bytes than its directory promises")
        self._crc = zlib.crc32(view[:count], self._crc)
        self._left -= count
        if not self._left and not self._ended:
            self._end()
        return count

    def _end(self) -> None:
        """Nothing may follow, and the checksum must be right; told with the last bytes."""
        self._ended = True
        if self._raw.read(1):
            raise Damage("it unpacks to more bytes than its directory promises")
        if self._crc != self._wanted:
            raise Damage(f"its CRC-32 is {self._crc:08x} and should be {self._wanted:08x}")


archive = Zip()
