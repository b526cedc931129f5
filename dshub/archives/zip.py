"""Zip archives.

The directory of a zip (APPNOTE 6.3.10), held against what it points to.

Layout: for each member a local header and its bytes; then the directory, with an entry for each;
then the end, which says where the directory is. Zip64 adds a second end, for larger numbers. Bytes
may stand before all of it: places are counted from the first header.

Two readers of one zip may disagree about what is in it, since names and sizes stand in several
places. Here all of them have to agree, and no two members may share bytes: a zip of which they
do can unpack to any size (the bomb of D. Fifield, 2019).
"""

import bz2
import io
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, NamedTuple, cast

from dshub.archives._decoding import Damage, Decoded, Inflate, Unzstd
from dshub.archives._members import Entry, Kind
from dshub.archives._sources import Region

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dshub.archives._sources import Source

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF  # where zip64 holds the number
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # a password, strong encryption, a directory that is hidden
_UTF8 = 0x0800
_PATCH = 0x0020
METHODS = {0: "stored", 8: "deflate", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"}


class _Item(NamedTuple):
    """An entry of the directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    place: int
    mode: int


@dataclass(frozen=True)
class _Directory:
    place: int
    size: int
    count: int
    shift: int  # bytes before the first member
    zip64: bool


def has_end(tail: bytes) -> bool:
    """Whether the last bytes of a file are the end of a zip."""
    return bool(_ends(tail))


def read_entries(file: Region, *, tail: bytes, most: int) -> Generator[Entry, None, None]:
    """Every entry, in the order of the directory.

    Args:
        file: the zip.
        tail: its last bytes, as many as its end may take.
        most: how many entries are wanted; another one is read to tell that there are more.

    Yields:
        Entries whose place is where their bytes are, their method and their CRC-32.

    Raises:
        Damage: the directory cannot be read, or points to where no member is.
    """
    directory = _find(file, tail)
    items = list(islice(_items(file, directory), most + 1))
    places = sorted(item.place for item in items)
    ends: dict[int, int] = {}
    for place, following in zip(places, [*places, directory.place][1:], strict=True):
        ends.setdefault(place, following)  # of two at the same place, the first pair tells
    for item in items:
        yield _entry(file, item, ends[item.place])


def _ends(tail: bytes) -> list[int]:
    """Where in the tail an end of the directory is, whose comment reaches to the end."""
    found, at = [], tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if len(tail) - at >= _END.size:
            comment = _END.unpack_from(tail, at)[-1]
            if at + _END.size + comment == len(tail):
                found.append(at)
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return found


def _find(file: Region, tail: bytes) -> _Directory:
    ends = _ends(tail)
    if not ends:
        raise Damage("it is cut short: its directory is missing")
    if len(ends) > 1:
        raise Damage("it has two directories, and either could be meant")
    at = file.size - len(tail) + ends[0]
    numbers = _END.unpack_from(tail, ends[0])
    disks, count, length, start = numbers[1:3], numbers[4], numbers[5], numbers[6]
    end, zip64 = at, _zip64(file, at)
    if zip64 is not None:
        small = zip((count, length, start), (_FULL16, _FULL32, _FULL32), zip64[2:], strict=True)
        if any(value not in {full, wide} for value, full, wide in small):
            raise Damage("its two ends disagree")
        end, disks, count, length, start = zip64
    if disks != (0, 0):
        raise Damage("it is one of several parts")
    shift = end - length - start
    if shift < 0:
        raise Damage("its directory is not where its end says")
    return _Directory(end - length, length, count, shift, zip64 is not None)


def _zip64(file: Region, end: int) -> tuple[int, tuple[int, int], int, int, int] | None:
    """Place of the second end, disks, members, and size and place of the directory; or None."""
    locator = _read(file, end - _LOCATOR64.size, _LOCATOR64.size)
    if not locator.startswith(b"PK\x06\x07"):
        return None
    promised = _LOCATOR64.unpack(locator)[2]
    usual = end - _LOCATOR64.size - _END64.size  # also where bytes stand before the zip
    for place in (usual, promised):
        data = _read(file, place, _END64.size)
        if data.startswith(b"PK\x06\x06"):
            numbers = _END64.unpack(data)
            disks = numbers[4], numbers[5]
            return place, disks, numbers[7], numbers[8], numbers[9]
    raise Damage("its second end (zip64) is missing")


def _items(file: Region, directory: _Directory) -> Iterator[_Item]:
    window = _Window(file, directory.place, directory.size)
    count = 0
    while window.left:
        yield _item(window, directory.shift)
        count += 1
    # programs that know no zip64 write the last 16 bits of larger numbers
    if count != directory.count and (directory.zip64 or count & _FULL16 != directory.count):
        raise Damage(f"it promises {directory.count:,} members, but its directory has {count:,}")


def _item(window: "_Window", shift: int) -> _Item:
    fields = _ENTRY.unpack(window.take(_ENTRY.size))
    if fields[0] != b"PK\x01\x02":
        raise Damage("its directory holds something else than members")
    flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
    raw_name, extra = window.take(fields[10]), dict(_extra(window.take(fields[11])))
    window.take(fields[12])  # a comment
    size, packed, place = _wide(extra.get(0x0001, b""), (size, packed, fields[16]))
    name = _text(raw_name, flags, extra.get(0x7075, b""))
    return _Item(name, raw_name, flags, method, crc, packed, size, place + shift, fields[15] >> 16)


def _extra(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields of an entry; rubbish behind them, as some programs leave it, is let be."""
    at = 0
    while len(data) - at >= 4:
        key, size = struct.unpack_from("<2H", data, at)
        at += 4 + size
        if at > len(data):
            return
        yield key, data[at - size : at]


def _wide(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """The values, where they were too large for 32 bits, from the extra field of zip64."""
    found = []
    for value in values:
        if value == _FULL32:
            if len(extra) < 8:
                raise Damage("the size of a member is missing (zip64)")
            value, extra = int.from_bytes(extra[:8], "little"), extra[8:]  # noqa: PLW2901
        found.append(value)
    return tuple(found)


def _text(raw: bytes, flags: int, unicode_path: bytes) -> str:
    """A name; `unicode_path` is Info-ZIP's extra field with the same name in UTF-8."""
    try:
        if flags & _UTF8:
            return raw.decode("utf-8")
        if unicode_path[:5] == b"\x01" + zlib.crc32(raw).to_bytes(4, "little"):
            return unicode_path[5:].decode("utf-8")
    except UnicodeDecodeError:
        raise Damage(f"the name {raw!r} is not in UTF-8, as it claims") from None
    return raw.decode("cp437")


def _entry(file: Region, item: _Item, end: int) -> Entry:
    """An entry, checked against its local header; `end` is where something else begins."""
    head = _read(file, item.place, _LOCAL.size + len(item.raw_name))
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise Damage(f"where its member {item.name!r} should be, there is none")
    fields = _LOCAL.unpack_from(head)
    flags, method, name_size, extra_size = fields[2], fields[3], *fields[9:]
    place = item.place + _LOCAL.size + name_size + extra_size
    kind, note = _kind(item)
    if (item.flags | flags) & _ENCRYPTED or 99 in {method, item.method}:
        kind, note = "unsafe", "is encrypted"
    elif name_size != len(item.raw_name) or not _same_name(head[_LOCAL.size :], flags, item):
        kind, note = "unsafe", "has another name where its bytes are than in the directory"
    elif method != item.method:
        kind, note = "unsafe", "is packed otherwise than the directory says"
    elif place + item.packed > end:
        kind, note = "unsafe", "shares bytes with another member"
    return Entry(item.name, item.size, item.packed, (place, method, item.crc), kind, note)


def _same_name(raw_name: bytes, flags: int, item: _Item) -> bool:
    encoding_is_same = raw_name.isascii() or not (flags ^ item.flags) & _UTF8
    return raw_name == item.raw_name and encoding_is_same


def _kind(item: _Item) -> tuple[Kind, str]:
    if stat.S_ISLNK(item.mode):
        return "link", "is a symbolic link, and links are not followed"
    if stat.S_IFMT(item.mode) in {stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}:
        return "unsafe", "is a device or a pipe"
    if item.name.endswith("/"):
        return "folder", ""
    if item.method not in METHODS or item.flags & _PATCH:
        return "strange", f"is packed by method {item.method}"
    return "file", ""


def _read(file: Region, place: int, size: int) -> bytes:
    """Bytes at a place; fewer, or none, where the file has no more."""
    if place < 0:
        return b""
    buffer = bytearray(size)
    return bytes(buffer[: file.read_at(place, buffer)])


class _Window:
    """The directory, read forward."""

    def __init__(self, file: Region, place: int, size: int) -> None:
        raw = cast("io.RawIOBase", file.piece(place, size))
        self._stream, self.left = io.BufferedReader(raw, 1 << 18), size

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self.left -= size
        if self.left < 0:
            raise Damage("its directory ends within a member")
        return self._stream.read(size)


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
            raw = cast("BinaryIO", Decoded(packed, Unzstd, padded=False))
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
