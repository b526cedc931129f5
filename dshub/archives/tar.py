"""Tar archives: v7, ustar, PAX (POSIX.1-2017) and GNU.

A member is a header of 512 bytes and its data, padded with zeros to a multiple of 512. Blocks of
zeros mark the end, but some programs omit them. `tarfile` parses the headers. This module iterates
over them, because `tarfile` treats an unreadable header as the end of the archive, reads names of
any length into memory, and keeps every header.
"""

import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar

from dshub.archives._decoding import Damage
from dshub.archives._members import Entry, Kind
from dshub.archives._sources import Region, RegionStream

BLOCK = tarfile.BLOCKSIZE
_ZEROS = bytes(BLOCK)
_LARGEST_EXTENSION = 1 << 20  # bytes in a long name or an extended header
_GNU_HOLES, _GNU_MORE_HOLES = 482, 504  # offsets of the flags that announce another sparse block
_PIECE = 1 << 16  # bytes per read
_HOLES = "GNU.sparse."  # prefix of the attributes of a sparse file

_KINDS: Mapping[bytes, tuple[Kind, str]] = {
    tarfile.AREGTYPE: ("file", ""),
    tarfile.REGTYPE: ("file", ""),
    tarfile.CONTTYPE: ("file", ""),
    tarfile.LNKTYPE: ("link", "is a hard link, and links are not followed"),
    tarfile.SYMTYPE: ("link", "is a symbolic link, and links are not followed"),
    tarfile.CHRTYPE: ("unsafe", "is a device"),
    tarfile.BLKTYPE: ("unsafe", "is a device"),
    tarfile.DIRTYPE: ("folder", ""),
    tarfile.FIFOTYPE: ("unsafe", "is a named pipe"),
    tarfile.GNUTYPE_SPARSE: ("unsupported", "is a sparse file"),
}
_EXTENSIONS = b"xXgLK"  # headers for the next member, or for all later members (`g`)
_WITHOUT_DATA = b"123456"  # types without data, although links often have the size of the target


def _parse(block: bytes) -> tarfile.TarInfo:
    """Parse a header; raise tarfile.HeaderError if it is invalid."""
    header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    if block[257:263] != b"ustar\0" and header.type != tarfile.DIRTYPE:
        # only ustar has a second part of the name; GNU stores times there
        header.name = block[:100].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return header


def _read_header(file: Region, place: int) -> tarfile.TarInfo | None:
    """Return the header at offset `place`, or None at the end of the archive."""
    block = file.read(place, BLOCK)
    if block in {b"", _ZEROS}:
        return None
    try:
        header = _parse(block)
    except tarfile.HeaderError as error:
        raise Damage(f"{error} at byte {place:,}") from error
    if header.size < 0:
        raise Damage(f"the size of a member is negative at byte {place:,}")
    header.offset_data = place + BLOCK
    if header.type == tarfile.GNUTYPE_SPARSE:
        more = block[_GNU_HOLES]
        while more:
            more = _read(file, header.offset_data, BLOCK)[_GNU_MORE_HOLES]
            header.offset_data += BLOCK
    return header


def _read(file: Region, place: int, size: int) -> bytes:
    data = file.read(place, size)
    if len(data) < size:
        raise Damage("it ends within a header")
    return data


def _after(place: int, size: int) -> int:
    """Return the offset of the header after `size` bytes of data at offset `place`."""
    return place + size + -size % BLOCK


def _attributes(file: Region, header: tarfile.TarInfo) -> dict[str, str]:
    """Read the attributes for the next member from an extended header."""
    if header.size > _LARGEST_EXTENSION:
        raise Damage(f"an extended header has {header.size:,} bytes")
    data = _read(file, header.offset_data, header.size)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return {}
    records = _records(data)
    if header.type == tarfile.XGLTYPE:  # global headers usually contain only a comment or a time
        if records:
            raise Damage("a global header sets the name or size of all members")
        return {}
    return records


def _records(data: bytes) -> dict[str, str]:
    r"""Parse the records of a PAX header, such as `30 mtime=1321711775.972059463\n`.

    Only records for names, sizes and sparse files are kept, to save memory.
    """
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        length = data[at : at + 8].partition(b" ")[0]
        end = at + int(length) if length.isdigit() else at
        key, sign, value = data[at + len(length) + 1 : max(end - 1, at)].partition(b"=")
        valid = key != b"size" or (value.isdigit() and len(value) < 20)
        if not sign or not valid or data[end - 1 : end] != b"\n":
            raise Damage("an extended header is malformed")
        name = key.decode("utf-8", "surrogateescape")
        if name in {"path", "size", f"{_HOLES}name"}:
            records[name] = value.decode("utf-8", "surrogateescape")
        if name.startswith(_HOLES):
            records[_HOLES] = ""
        at = end
    return records


def _entry(header: tarfile.TarInfo, attributes: Mapping[str, str]) -> Entry:
    kind, note = _KINDS.get(header.type, ("unsupported", f"is of type {header.type!r}"))
    name = attributes.get("path", header.name)
    if _HOLES in attributes:
        kind, note = _KINDS[tarfile.GNUTYPE_SPARSE]
        name = attributes.get(f"{_HOLES}name", name)
    size = 0 if header.type in _WITHOUT_DATA else int(attributes.get("size", header.size))
    return Entry(name, size, size, (header.offset_data,), kind, note)


class Tar:
    """The tar archive format."""

    suffix: ClassVar[str] = ".tar"
    by_name: ClassVar[bool] = False

    def matches(self, head: bytes, tail: bytes) -> bool:  # noqa: ARG002  # a tar has no end mark
        try:
            _parse(head)
        except tarfile.HeaderError:
            return False
        return True

    def open(self, file: Region) -> "OpenTar":
        return OpenTar(file)

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as file:
            for name, path in members:
                info = tarfile.TarInfo(name)  # no time or owner, so output is reproducible
                info.size = path.stat().st_size
                with path.open("rb") as content:
                    file.addfile(info, content)


class OpenTar:
    """An open tar archive."""

    def __init__(self, file: Region) -> None:
        self._file = file

    def entries(self) -> Iterator[Entry]:
        place, attributes = 0, dict[str, str]()
        while header := _read_header(self._file, place):
            if header.type in _EXTENSIONS:
                attributes |= _attributes(self._file, header)
                place = _after(header.offset_data, header.size)
                continue
            entry = _entry(header, attributes)
            place, attributes = _after(header.offset_data, entry.size), {}
            if place > self._file.size:
                raise Damage(f"it ends within its member {entry.name!r}")
            yield entry
        if attributes:
            raise Damage("it ends after an extended header")
        for at in range(place, self._file.size, _PIECE):
            if self._file.read(at, _PIECE).strip(b"\0"):
                raise Damage("more data follows its end")

    def open(self, entry: Entry) -> RegionStream:
        return self.region(entry).open()

    def region(self, entry: Entry) -> Region:
        return self._file.part(entry.place[0], entry.size)


archive = Tar()
