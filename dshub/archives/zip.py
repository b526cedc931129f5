"""Zip archives, with the directory read by `zipfile` and members by this package's decoders.

A zip stores names and sizes in several places (APPNOTE 6.3.10), so two programs can see different
contents. This module requires that all places agree. It also rejects members that share bytes,
because they can unpack to any size (Fifield, "A better zip bomb", 2019).
"""

import bz2
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from dshub.archives._decoding import (
    DEFLATE,
    TAIL,
    ByteStream,
    Damage,
    Decoded,
    Inflate,
    Readable,
    unzstd,
)
from dshub.archives._members import Entry, Kind
from dshub.archives._sources import Region

if TYPE_CHECKING:
    from typing_extensions import Buffer

_END, _LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # password, strong encryption, encrypted central directory
_UTF8, _PATCH = 0x0800, 0x0020
_ZSTANDARD, _AES = 93, 99  # compression methods without constants in `zipfile`
_MEMORY = 512 << 20  # limit in bytes for decoding a member
_EPOCH = (1980, 1, 1, 0, 0, 0)  # fixed, so that output is reproducible


def _ends(tail: bytes) -> list[int]:
    """Return the offsets of end-of-central-directory records with a comment up to the file's end.

    A valid zip has exactly one.
    """
    places, at = [], len(tail)
    while (at := tail.rfind(b"PK\5\6", 0, at)) >= 0:
        end = at + _END.size
        if end <= len(tail) and end + int.from_bytes(tail[end - 2 : end], "little") == len(tail):
            places.append(at)
    return places


def _directory(file: Region) -> tuple[list[zipfile.ZipInfo], int]:
    """Return the entries and the offset of the directory, checked against the end record."""
    start = max(0, file.size - TAIL)
    tail = file.read(start, TAIL)
    ends = _ends(tail)
    if not ends:
        raise Damage("it is truncated, because its directory is missing")
    if len(ends) > 1:
        raise Damage("it has two possible directories")
    disk, first_disk, _, count = _END.unpack_from(tail, ends[0])[1:5]
    if disk or first_disk:
        raise Damage("it is part of a multi-part archive")
    # zipfile also searches comments for the end record
    without_comment = file.part(0, start + ends[0] + _END.size)
    try:
        with zipfile.ZipFile(without_comment.open()) as directory:
            items, place = directory.infolist(), directory.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise Damage(str(error)) from error
    # 65,535 means any larger number; programs without zip64 write the last 16 bits instead
    if count not in {0xFFFF, len(items) & 0xFFFF}:
        raise Damage(f"it declares {count:,} members, but its directory has {len(items):,}")
    return items, place


def _name(item: zipfile.ZipInfo, raw_name: bytes) -> tuple[str, bytes]:
    """Return the name of an entry, and its bytes if their encoding is unknown.

    Info-ZIP's UTF-8 extra field has the name, or the flag for UTF-8 is set. Programs on Windows
    often write neither, but names in the code page of the system; some others write UTF-8.
    """
    if name := _extra_name(item, raw_name):
        return name, b""
    if item.flag_bits & _UTF8 or raw_name.isascii():
        return item.orig_filename, b""
    try:
        return raw_name.decode(), b""
    except UnicodeDecodeError:
        return item.orig_filename, raw_name


def _extra_name(item: zipfile.ZipInfo, raw_name: bytes) -> str:
    """Return the name in Info-ZIP's UTF-8 extra field; empty without one."""
    extra, mark = item.extra, b"\x01" + zlib.crc32(raw_name).to_bytes(4, "little")
    while len(extra) >= 4:
        key, size = struct.unpack_from("<2H", extra)
        if key == 0x7075 and extra[4:9] == mark:
            return extra[9 : 4 + size].decode("utf-8", "surrogateescape")
        extra = extra[4 + size :]
    return ""


def _kind(item: zipfile.ZipInfo) -> tuple[Kind, str]:
    mode = item.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "link", "is a symbolic link, and links are not followed"
    if stat.S_IFMT(mode) in {stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}:
        return "unsafe", "is a device or a pipe"
    if item.orig_filename.endswith("/"):
        return "folder", ""
    if item.compress_type not in _DECODERS or item.flag_bits & _PATCH:
        return "unsupported", f"is compressed with method {item.compress_type}"
    return "file", ""


def _entry(file: Region, item: zipfile.ZipInfo, end: int) -> Entry:
    """Check an entry against its local header; its data must end by the offset `end`."""
    utf8 = item.flag_bits & _UTF8
    raw_name = item.orig_filename.encode("utf-8" if utf8 else "cp437")
    head = file.read(item.header_offset, _LOCAL.size + len(raw_name))
    if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
        raise Damage(f"the header of the member {item.filename!r} is missing")
    _, _, flags, method, *_, name_size, extra_size = _LOCAL.unpack_from(head)
    place = item.header_offset + _LOCAL.size + name_size + extra_size
    same_encoding = raw_name.isascii() or flags & _UTF8 == utf8
    kind, note = _kind(item)
    if (item.flag_bits | flags) & _ENCRYPTED or item.compress_type == _AES:
        kind, note = "unsafe", "is encrypted"
    elif head[_LOCAL.size :] != raw_name or name_size != len(raw_name) or not same_encoding:
        kind, note = "unsafe", "has different names in its own header and in the directory"
    elif method != item.compress_type:
        kind, note = "unsafe", "has different compressions in its own header and in the directory"
    elif place + item.compress_size > end:
        kind, note = "unsafe", "shares bytes with another member"
    (name, unknown), size, packed = _name(item, raw_name), item.file_size, item.compress_size
    return Entry(name, size, packed, (place, method, item.CRC), kind, note, unknown)


class Zip:
    """The zip archive format."""

    suffix: ClassVar[str] = ".zip"
    by_name: ClassVar[bool] = True

    def matches(self, head: bytes, tail: bytes) -> bool:
        return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or bool(_ends(tail))

    def open(self, file: Region) -> "OpenZip":
        return OpenZip(file)

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:
            for name, path in sorted(members):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.file_size = path.stat().st_size  # decides whether zip64 is needed
                with path.open("rb") as content, file.open(info, "w") as member:
                    shutil.copyfileobj(content, member)


class OpenZip:
    """An open zip archive."""

    def __init__(self, file: Region) -> None:
        self._file = file

    def entries(self) -> Iterator[Entry]:
        items, directory = _directory(self._file)
        offsets = sorted(item.header_offset for item in items)
        ends: dict[int, int] = {}
        for offset, following in zip(offsets, [*offsets, directory][1:], strict=True):
            ends.setdefault(offset, following)  # `offset` itself if two members share it
        for item in items:
            yield _entry(self._file, item, ends[item.header_offset])

    def open(self, entry: Entry) -> ByteStream:
        place, method, crc = entry.place
        packed = self._file.part(place, entry.packed).open()
        return _Checked(_DECODERS[method](packed), entry.size, crc)

    def region(self, entry: Entry) -> None:  # noqa: ARG002
        return None  # even for stored members, because their checksums must be verified


def _inflated(packed: ByteStream) -> Decoded:
    return Decoded(packed, partial(Inflate, DEFLATE), many=False)


def _bunzipped(packed: ByteStream) -> Decoded:
    return Decoded(packed, bz2.BZ2Decompressor, (OSError, ValueError), many=False)


def _unlzma(packed: ByteStream) -> Decoded:
    """Decode LZMA after a header with the decoder's properties (APPNOTE 5.8.8)."""
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, _MEMORY)
    properties = (packed.read(9) or b"")[4:]
    try:
        decoder.decompress(properties + b"\xff" * 8)  # header of an .lzma file of unknown size
    except lzma.LZMAError as error:
        raise Damage(str(error)) from error
    return Decoded(packed, lambda: decoder, lzma.LZMAError, many=False, marked=False)


# decoders by method number (APPNOTE 4.4.5)
_DECODERS: Mapping[int, Callable[[ByteStream], ByteStream]] = {
    zipfile.ZIP_STORED: lambda packed: packed,
    zipfile.ZIP_DEFLATED: _inflated,
    zipfile.ZIP_BZIP2: _bunzipped,
    zipfile.ZIP_LZMA: _unlzma,
    _ZSTANDARD: unzstd,
}


class _Checked(Readable):
    """A member that must match the size and checksum in the directory."""

    def __init__(self, raw: ByteStream, size: int, crc: int) -> None:
        self._raw, self._left, self._expected, self._crc = raw, size, crc, 0

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        if (self._raw.readinto(view) or 0) < len(view):
            raise Damage("it unpacks to fewer bytes than its directory declares")
        self._crc = zlib.crc32(view, self._crc)
        self._left -= len(view)
        if not self._left:
            self._check_end()
        return len(view)

    def _check_end(self) -> None:
        if self._raw.read(1):
            raise Damage("it unpacks to more bytes than its directory declares")
        if self._crc != self._expected:
            raise Damage(f"its CRC-32 is {self._crc:08x}, not {self._expected:08x}")


archive = Zip()
