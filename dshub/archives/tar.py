"""Tar archives.

The headers of a tar, one after the other: v7, ustar, PAX (POSIX.1-2017, pax) and GNU.

Layout: a header of 512 bytes, then the data, filled up with zeros to a multiple of 512; at the end
blocks of zeros, which some programs leave out. Python's `tarfile` takes a header that cannot be
read for the end of the archive; here it is damage.
"""

import tarfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, NamedTuple

from dshub.archives._decoding import Damage
from dshub.archives._members import Entry, Kind
from dshub.archives._sources import Cursor

if TYPE_CHECKING:
    from dshub.archives._sources import Region, Source

BLOCK = 512
_LARGEST_EXTENSION = 1 << 20  # bytes of a long name, or of a table of attributes
_GNU_HOLES, _GNU_MORE_HOLES = 482, 504  # where a byte says that a block with more of them follows
_PIECE = 1 << 16
_HOLES = "GNU.sparse."  # what the attributes of a file with holes begin with
_WANTED = {"path", "size", f"{_HOLES}name"}

# what an entry is, by its type; others are `strange`
_KINDS: Mapping[bytes, tuple[Kind, str]] = {
    b"\0": ("file", ""),
    b"0": ("file", ""),
    b"7": ("file", ""),  # contiguous on disk: nothing but a file to us
    b"1": ("link", "is a hard link, and links are not followed"),
    b"2": ("link", "is a symbolic link, and links are not followed"),
    b"3": ("unsafe", "is a device"),
    b"4": ("unsafe", "is a device"),
    b"5": ("folder", ""),
    b"6": ("unsafe", "is a named pipe"),
    b"S": ("strange", "is stored with holes"),
}
_WITHOUT_DATA = b"123456"  # whatever their size says: many writers note that of the target


class _Header(NamedTuple):
    name: str
    size: int
    type: bytes


def is_header(block: bytes) -> bool:
    """Whether 512 bytes are a header: the sum of its bytes is in it."""
    if len(block) < BLOCK:
        return False
    try:
        promised = _number(block[148:156])
    except Damage:
        return False
    blanked = block[:148] + b" " * 8 + block[156:]
    if sum(blanked) == promised:
        return True
    # some old programs took bytes for signed numbers
    return sum(blanked) - 256 * sum(byte > 127 for byte in blanked) == promised


def read_entries(cursor: Cursor) -> Iterator[Entry]:
    """Every entry, with the place of its data; reads to the very end.

    Raises:
        Damage: a header is none, the archive ends within a header or a member, or something
            follows its end.
    """
    attributes: dict[str, str] = {}
    while header := _next_header(cursor):
        if header.type in b"xXLKg":
            attributes |= _attributes(header, _extension(cursor, header))
            continue
        yield _entry(cursor, header, attributes)
        attributes = {}
    if attributes:
        raise Damage("it ends behind the long name of a member")
    while piece := cursor.read(_PIECE):
        if piece.strip(b"\0"):
            raise Damage("more bytes follow its end")


def _next_header(cursor: Cursor) -> _Header | None:
    """The next header, or None at the end."""
    place = cursor.place
    block = cursor.read(BLOCK)
    if not block:
        return None
    if len(block) < BLOCK:
        raise Damage("it ends within a header")
    if not block.strip(b"\0"):
        return None
    if not is_header(block):
        raise Damage(f"at byte {place:,} there is no header of a member")
    kind = block[156:157]
    if kind == b"S":
        _pass_holes(cursor, block)
    return _Header(_name(block), _number(block[124:136]), kind)


def _entry(cursor: Cursor, header: _Header, attributes: Mapping[str, str]) -> Entry:
    """An entry, whose data have been passed over."""
    name = attributes.get("path", header.name)
    kind, note = _KINDS.get(header.type, ("strange", f"is of the type {header.type!r}"))
    if _HOLES in attributes:
        kind, note = _KINDS[b"S"]
        name = attributes.get(f"{_HOLES}name", name)
    size = _decimal(attributes["size"]) if "size" in attributes else header.size
    if kind == "file" and name.endswith("/") and not size:
        kind = "folder"  # v7 had no type for it
    if kind == "folder" or header.type in _WITHOUT_DATA:
        size = 0
    place = cursor.place
    padded = size + -size % BLOCK
    if cursor.skip(padded) < padded:
        raise Damage(f"it ends within its member {name!r}")
    return Entry(name, size, size, (place,), kind, note)


def _extension(cursor: Cursor, header: _Header) -> bytes:
    """The data of a header that is about the next one."""
    if header.size > _LARGEST_EXTENSION:
        raise Damage(f"the attributes of a member take {header.size:,} bytes")
    padded = header.size + -header.size % BLOCK
    data = cursor.read(padded)
    if len(data) < padded:
        raise Damage("it ends within the attributes of a member")
    return data[: header.size]


def _attributes(header: _Header, data: bytes) -> dict[str, str]:
    """What such a header says about the next one."""
    if header.type == b"L":
        return {"path": _text(data.rstrip(b"\0"))}
    if header.type == b"K":
        return {}  # the long target of a link
    found = _records(data)
    if header.type == b"g":
        # about every member that follows: a comment or a time, in all archives we know of
        if found:
            raise Damage("one header of it names all members that follow, or gives their size")
        return {}
    return found


def _records(data: bytes) -> dict[str, str]:
    """The records of a PAX header: `30 mtime=1321711775.972059463`, each closed by a newline.

    Only those are kept that matter: header may follow header, each with a megabyte of others.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        length = data[at : at + 8].partition(b" ")[0]
        end = at + int(length) if length.isdigit() else at
        key, sign, value = data[at + len(length) + 1 : max(end - 1, at)].partition(b"=")
        if not sign or data[end - 1 : end] != b"\n":
            raise Damage("the attributes of a member cannot be read")
        _keep(found, _text(key), value)
        at = end
    return found


def _keep(found: dict[str, str], key: str, value: bytes) -> None:
    if key in _WANTED:
        found[key] = _text(value)
    if key.startswith(_HOLES):
        found[_HOLES] = ""


def _pass_holes(cursor: Cursor, block: bytes) -> None:
    """Pass over what follows the header of a file with holes (GNU, before PAX)."""
    more = block[_GNU_HOLES]
    while more:
        block = cursor.read(BLOCK)
        if len(block) < BLOCK:
            raise Damage("it ends within a header")
        more = block[_GNU_MORE_HOLES]


def _name(block: bytes) -> str:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Damage(f"the size of a member is given as {text!r}")
    return int(text)


def _number(field: bytes) -> int:
    """An octal number in ASCII; or, where the first bit is set, a binary one (GNU)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip() or b"0"
    if digits.strip(b"01234567"):
        raise Damage(f"a number in a header is {field!r}")
    return int(digits, 8)


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
