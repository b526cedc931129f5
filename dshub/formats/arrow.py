"""Arrow IPC streams (the table format of Hugging Face `datasets`) and files (Feather version 2).

Layout, from Arrow's specification: a stream is a schema and record batches, each in a message,
then an eight-byte end mark. A file is `ARROW1` and two zero bytes, a stream, a footer, the length
of the footer as int32, and `ARROW1`. Both are read sequentially, one batch at a time. The end mark
is optional in Arrow but required here, because a stream without it can be truncated.
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
_PIECE = 1 << 20  # bytes per read, because a declared length can be wrong

# field numbers and header types from Arrow's `Message.fbs`
_TYPE, _HEADER = 1, 2  # fields of Message
_DICTIONARY, _BATCH = 2, 3  # header types
_DATA = 1  # field of DictionaryBatch
_BUFFERS, _COMPRESSION = 2, 3  # fields of RecordBatch


class Reader(Format, frozen=True):
    """Read columns from the files of the only part, in order.

    Values keep their types, but dictionaries are resolved and offsets have 32 bits.

    Attributes:
        columns: path of each column in the file, a column name or `struct.field` (Hugging Face
            stores images in `image.bytes`). Empty for all columns.
    """

    columns: dict[str, str] = {}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files)[1]:
            with file.open() as stream, translated(file.name):
                source = _Source(stream, file)
                batches = pa.ipc.open_stream(pa.PythonFile(source, mode="r"))
                metadata = batches.schema.metadata
                for batch in plain_pieces(batches, self.columns, file):
                    yield batch.replace_schema_metadata(metadata)
                source.check_end()

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            table = as_stored(some, self.columns)
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)


class _Source(io.RawIOBase):
    """The stream in a file, read in pieces.

    Arrow decompresses a message as soon as it has read it, so this class checks the uncompressed
    sizes of its buffers first.
    """

    def __init__(self, stream: BinaryIO, file: File) -> None:
        self._stream, self._file = stream, file
        self._unpacked, self._buffers = 0, list[int]()
        begin, self._last = stream.read(len(FILE)), b""
        if begin.startswith(b"FEA1"):
            reason = "it is a Feather version 1 file, which is not supported"
            hint = "convert it to Feather version 2, for example with a recent pandas"
            raise ReadError(file=file.name, reason=reason, hint=hint)
        self._is_file = begin == FILE
        self._begin = b"" if self._is_file else begin

    def _fault(self, reason: str) -> ReadError:
        return ReadError(file=self._file.name, reason=reason)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read as many bytes as requested, or fewer at the end of the stream."""
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
        """Check buffer sizes in a message body, with the header from the previous read."""
        for place in self._buffers:
            self._unpacked += max(0, int.from_bytes(data[place : place + 8], "little", signed=True))
        if self._buffers:
            self._file.check_size(self._unpacked)
        self._buffers = _compressed_buffers(data)

    def check_end(self) -> None:
        """Raise ReadError unless the stream ends with its end mark and, in a file, a footer."""
        if self._last != END:
            raise self._fault("it has no end mark, so it is truncated")
        footer = self.read(LARGEST_FOOTER)
        mark = FILE.rstrip(b"\0")
        size = len(footer) - 4 - len(mark)
        if not self._is_file and footer:
            raise self._fault("more bytes follow its end mark")
        if self._is_file and (size < 0 or footer[size:] != struct.pack("<i", size) + mark):
            raise self._fault("its footer is damaged or truncated")


def _compressed_buffers(message: bytes) -> list[int]:
    """Return the offset in the message body of each buffer that can be compressed.

    A compressed buffer begins with its uncompressed size in eight bytes.

    Args:
        message: message header; the result is empty for any other bytes.
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
    """Return the offset of a field in a FlatBuffers table, or 0 if it is absent."""
    (back,) = struct.unpack_from("<i", data, table)
    (size,) = struct.unpack_from("<H", data, table - back)
    if 4 + 2 * number >= size:
        return 0
    (place,) = struct.unpack_from("<H", data, table - back + 4 + 2 * number)
    return table + place if place else 0


def _table(data: bytes, table: int, number: int) -> int:
    """Return the offset of the table or vector that a field points to."""
    place = _field(data, table, number)
    return place + int(struct.unpack_from("<I", data, place)[0])
