"""Arrow IPC: streams (as Hugging Face `datasets` keeps its tables), files, and Feather version 2.

Layout, as in Arrow's format: a stream is a schema and record batches, each a message, then the
eight bytes that mark its end. A file is `ARROW1` and two zero bytes, a stream, a footer, the
footer's length as int32, and `ARROW1`. Both are read forward, a batch at a time. A stream may end
without its mark; it is refused all the same, for one that was cut short looks like that.
"""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import msgspec
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats._records import (
    as_stored,
    only_part,
    plain_pieces,
    runs,
    translated,
    with_numbers,
)
from dshub.formats.arrow.messages import compressed_buffers

if TYPE_CHECKING:
    from dshub.formats import File, Output

FILE = b"ARROW1\0\0"
END = b"\xff\xff\xff\xff\0\0\0\0"
LARGEST_FOOTER = 256 << 20  # bytes
_PIECE = 1 << 20  # bytes read at a time: a length may lie


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads the columns of the files of its one part, which follow one another.

    Values keep their types, but dictionaries are resolved and offsets have 32 bits.

    Attributes:
        columns: for each column, where it is in the file: its name there, or `struct.field`
            (Hugging Face keeps pictures in `image.bytes`); all columns where it is left out.
    """

    text_labels: ClassVar[bool] = False

    columns: dict[str, str] = {}

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files, "Arrow"):
            with file.open() as stream:
                source = _Source(stream, file)
                is_file = _begin(source, file.name)
                yield from plain_pieces(_batches(source, file.name), self.columns, file)
                _check_end(source, file.name, is_file=is_file)

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Columns that no feature asks for hold the row's number."""
        return with_numbers(rows, self.columns, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        (output,) = parts.values()
        for name, some in runs(rows, output):
            table = as_stored(some, self.columns)
            with output.create(name) as sink, pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)


class _Source(io.RawIOBase):
    """A stream that is read in pieces, and remembers the last bytes that were read.

    Arrow unpacks a message when it has read it: so what its buffers promise is checked here.
    """

    def __init__(self, stream: BinaryIO, file: "File") -> None:
        self._stream, self.last, self._again = stream, b"", b""
        self._file, self._unpacked = file, 0
        self._buffers: list[int] = []

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """As many bytes as are asked for, fewer at the end."""
        found, self._again = [self._again[:size]], self._again[size:]
        left = size - len(found[0])
        while left and (piece := self._stream.read(min(left, _PIECE))):
            found.append(piece)
            left -= len(piece)
        data = b"".join(found)
        self.last = (self.last + data[-len(END) :])[-len(END) :]
        self._check(data)
        return data

    def _check(self, data: bytes) -> None:
        """A message's description is read at once, and then its body."""
        for place in self._buffers:
            self._unpacked += max(0, int.from_bytes(data[place : place + 8], "little", signed=True))
        if self._buffers:
            self._file.check_size(self._unpacked)
        self._buffers = compressed_buffers(data)

    def give_back(self, data: bytes) -> None:
        """Bytes to be read again."""
        self._again = data


def _begin(source: _Source, name: str) -> bool:
    """Whether it is a file, whose stream comes next."""
    begin = source.read(len(FILE))
    if begin.startswith(b"FEA1"):
        reason = "it is a Feather file of version 1; write it again with a newer pandas or Arrow"
        raise ReadError(file=name, reason=reason)
    if begin == FILE:
        return True
    source.give_back(begin)
    return False


def _batches(source: _Source, name: str) -> Iterator[pa.RecordBatch]:
    with translated(name):
        reader = pa.ipc.open_stream(pa.PythonFile(source, mode="r"))
    while True:
        with translated(name):
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        yield batch


def _check_end(source: _Source, name: str, *, is_file: bool) -> None:
    """What must stand behind the last batch."""
    if source.last != END:
        raise ReadError(file=name, reason="it ends without the mark of its end: it is cut short")
    rest = source.read(LARGEST_FOOTER)
    if not is_file and rest:
        raise ReadError(file=name, reason="bytes follow the mark of its end")
    if not is_file:
        return
    tail = FILE.rstrip(b"\0")
    size = len(tail) + 4
    promised = struct.unpack("<i", rest[-size : -len(tail)])[0] if len(rest) >= size else -1
    if not rest.endswith(tail) or promised != len(rest) - size:
        raise ReadError(file=name, reason="its footer is damaged or cut short")
