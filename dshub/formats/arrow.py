"""Arrow IPC: streams (as Hugging Face `datasets` keeps its tables), files, and Feather version 2.

Layout, from Arrow's format: a stream is a schema and record batches, each a message, then eight
bytes that mark its end. A file is `ARROW1` and two zero bytes, a stream, a footer, the footer's
length as int32, and `ARROW1`. Both are read forward, a batch at a time. A stream may end without
its mark; it is refused all the same, because a truncated one looks like that.
"""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File, Output
from dshub.formats._records import Format, as_stored, only_part, plain_pieces, spread, translated

FILE = b"ARROW1\0\0"
END = b"\xff\xff\xff\xff\0\0\0\0"
LARGEST_FOOTER = 256 << 20  # bytes
_PIECE = 1 << 20  # bytes read at a time: a length may lie

# Arrow's `Message.fbs`: numbers of the fields of its tables, and types of a header
_TYPE, _HEADER = 1, 2  # fields of a message
_DICTIONARY, _BATCH = 2, 3  # types
_DATA = 1  # field of a dictionary: its batch
_BUFFERS, _COMPRESSION = 2, 3  # fields of a batch


class Reader(Format, frozen=True):
    """Read columns from the files of the only part, which follow one another.

    Values keep their types, but dictionaries are resolved and offsets have 32 bits.

    Attributes:
        columns: the place of each column in the file: its name there, or `struct.field` (Hugging
            Face keeps images in `image.bytes`); all columns if empty.
    """

    columns: dict[str, str] = {}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files)[1]:
            with file.open() as stream, translated(file.name):
                source = _Source(stream, file)
                batches = pa.ipc.open_stream(pa.PythonFile(source, mode="r"))
                yield from plain_pieces(batches, self.columns, file)
                source.check_end()

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            table = as_stored(some, self.columns)
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)


class _Source(io.RawIOBase):
    """The stream in a file, read in pieces.

    Arrow decompresses a message once it has read it, so the sizes that its buffers promise are
    checked here.
    """

    def __init__(self, stream: BinaryIO, file: File) -> None:
        self._stream, self._file = stream, file
        self._unpacked, self._buffers = 0, list[int]()
        begin, self._last = stream.read(len(FILE)), b""
        if begin.startswith(b"FEA1"):
            raise self._fault("it is a Feather file of version 1; write it with a newer pandas")
        self._is_file = begin == FILE
        self._begin = b"" if self._is_file else begin

    def _fault(self, reason: str) -> ReadError:
        return ReadError(file=self._file.name, reason=reason)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read as many bytes as requested, fewer only at the end."""
        pieces, self._begin = [self._begin[:size]], self._begin[size:]
        left = size - len(pieces[0])
        while left and (piece := self._stream.read(min(left, _PIECE))):
            pieces.append(piece)
            left -= len(piece)
        data = b"".join(pieces)
        self._last = (self._last + data[-len(END) :])[-len(END) :]
        self._check(data)
        return data

    def _check(self, data: bytes) -> None:
        """Check sizes in the body of a message, whose description was read just before."""
        for place in self._buffers:
            self._unpacked += max(0, int.from_bytes(data[place : place + 8], "little", signed=True))
        if self._buffers:
            self._file.check_size(self._unpacked)
        self._buffers = _compressed_buffers(data)

    def check_end(self) -> None:
        """Raise ReadError unless the end mark was read, and a footer follows only in a file."""
        if self._last != END:
            raise self._fault("it ends without its end mark, so it is truncated")
        rest = self.read(LARGEST_FOOTER)
        mark = FILE.rstrip(b"\0")
        size = len(rest) - 4 - len(mark)
        if not self._is_file and rest:
            raise self._fault("bytes follow its end mark")
        if self._is_file and (size < 0 or rest[size:] != struct.pack("<i", size) + mark):
            raise self._fault("its footer is damaged or truncated")


def _compressed_buffers(message: bytes) -> list[int]:
    """Return the place in its body of each buffer of a message that may be compressed.

    A compressed buffer begins with its uncompressed size, eight bytes.

    Args:
        message: its description; other bytes have no buffers.
    """
    try:
        (root,) = struct.unpack_from("<I", message)
        kind = message[_field(message, root, _TYPE)]
        batch = _table(message, root, _HEADER)
        if kind == _DICTIONARY:
            batch = _table(message, batch, _DATA)
        elif kind != _BATCH:
            return []
        if not _field(message, batch, _COMPRESSION):
            return []
        start = _table(message, batch, _BUFFERS)
        (count,) = struct.unpack_from("<I", message, start)
        pairs = struct.unpack_from(f"<{2 * count}q", message, start + 4)
    except (struct.error, IndexError):
        return []
    return [place for place, length in zip(pairs[::2], pairs[1::2], strict=True) if length]


def _field(data: bytes, table: int, number: int) -> int:
    """Return the place of a field of a FlatBuffers table, from its list of offsets; 0 if absent."""
    (back,) = struct.unpack_from("<i", data, table)
    (size,) = struct.unpack_from("<H", data, table - back)
    if 4 + 2 * number >= size:
        return 0
    (place,) = struct.unpack_from("<H", data, table - back + 4 + 2 * number)
    return table + place if place else 0


def _table(data: bytes, table: int, number: int) -> int:
    """Return the place of the table or vector to which a field points."""
    place = _field(data, table, number)
    return place + int(struct.unpack_from("<I", data, place)[0])
