"""Write the shards of a table without keeping their rows in memory.

Each buffer of a column is appended to a separate file. To finish a shard, the files are
memory-mapped as Arrow arrays. Only the types of `dshub.tables.types` are supported: numbers, dates,
nested fixed-size lists of numbers, `string`, `binary`, and `list` and `struct` of these.
"""

import io
import mmap
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

from dshub.tables.types import inner_values

OFFSET_LIMIT = 2**31 - 1  # bytes or list items that 32-bit offsets can address


class Spool:
    """The temporary files of a column that is being written.

    Args:
        kind: Arrow type of the column.
        path: path of the temporary files without their suffixes.
        into: open file to write values to, instead of a temporary file. Not for lists and structs.
        in_memory: whether to keep the rows in memory instead of temporary files.
    """

    def __init__(
        self,
        kind: pa.DataType,
        path: Path,
        into: BinaryIO | None = None,
        *,
        in_memory: bool = False,
    ) -> None:
        self._kind, self._path, self._in_memory = kind, path, in_memory
        self._rows = self._end = self._written = self._nulls = 0
        self._files: list[BinaryIO] = []
        self._offsets: BinaryIO | None = None
        self._valid: BinaryIO | None = None
        self._children = [
            Spool(field.type, path.with_name(f"{path.name}.{number}"), in_memory=in_memory)
            for number, field in enumerate(_children(kind))
        ]
        if pa.types.is_list(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
            self._offsets = self._create("offsets")
            self._write(self._offsets, np.zeros(1, np.int32))
        self._start = into.tell() if into else 0
        self._values = into or self._create("values")

    def _create(self, suffix: str) -> BinaryIO:
        if self._in_memory:
            return io.BytesIO()
        file = self._path.with_name(f"{self._path.name}.{suffix}").open("xb+")
        self._files.append(file)
        return file

    @property
    def size(self) -> int:
        """Number of bytes written so far."""
        return self._written + sum(child.size for child in self._children)

    @property
    def addressed(self) -> int:
        """Largest offset so far, at most `OFFSET_LIMIT`."""
        return max(self._end, *(child.addressed for child in self._children), 0)

    def append(self, column: pa.Array) -> None:
        """Append the rows of an array."""
        self._append_valid(column)
        self._rows += len(column)
        if pa.types.is_struct(column.type):
            for number, child in enumerate(self._children):
                child.append(column.field(number))
        elif self._offsets is None:
            self._write(self._values, _fixed_values(column))
        elif len(column):
            self._append_varying(column, self._offsets)

    def _append_valid(self, column: pa.Array) -> None:
        """Note which rows are not missing, from the first missing row on."""
        if self._valid is None and column.null_count:
            self._valid = self._create("valid")
            self._write(self._valid, np.ones(self._rows, np.uint8))
        if self._valid is not None:
            self._nulls += column.null_count
            self._write(self._valid, _unpacked(column.is_valid()))

    def _append_varying(self, column: pa.Array, file: BinaryIO) -> None:
        offsets, data = column.buffers()[1:3]
        starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        begin, end = int(starts[0]), int(starts[-1])
        self._write(file, starts[1:] - np.int32(begin) + np.int32(self._end))
        self._end += end - begin
        if self._children:
            self._children[0].append(column.values[begin:end])
        elif data is not None:
            self._write(self._values, np.frombuffer(data, np.uint8)[begin:end])

    def _write(self, file: BinaryIO, values: np.ndarray) -> None:
        contiguous: Any = np.ascontiguousarray(values)
        file.write(memoryview(contiguous).cast("B") if contiguous.size else b"")
        self._written += contiguous.nbytes

    def finish(self) -> pa.Array:
        """Return all rows as one array over the memory-mapped files."""
        valid = None if self._valid is None else _packed(_map(self._valid))
        data = _map(self._values)
        data = data.slice(min(self._start, data.size))
        children = [child.finish() for child in self._children]
        if self._offsets is not None:
            content = [] if children else [data]
            buffers = [valid, _map(self._offsets), *content]
        elif children:
            buffers = [valid]
        else:
            return _fixed_size(self._kind, self._rows, data, valid, self._nulls)
        return pa.Array.from_buffers(
            self._kind, self._rows, buffers, null_count=self._nulls, children=children
        )

    def drop(self) -> None:
        """Remove the temporary files."""
        for child in self._children:
            child.drop()
        for file in self._files:
            file.close()
            Path(file.name).unlink(missing_ok=True)


def _children(kind: pa.DataType) -> list[pa.Field]:
    if pa.types.is_list(kind):
        return [kind.value_field]
    return list(kind) if pa.types.is_struct(kind) else []


def _fixed_values(column: pa.Array) -> np.ndarray:
    """Return the values of numbers or nested fixed-size lists, bools as one byte each."""
    while pa.types.is_fixed_size_list(column.type):
        column = inner_values(column)
    if pa.types.is_boolean(column.type):
        return _unpacked(column.fill_null(False) if column.null_count else column)  # noqa: FBT003
    width = column.type.bit_width // 8
    values = np.frombuffer(column.buffers()[1] or b"", np.uint8)
    return values[column.offset * width : (column.offset + len(column)) * width]


def _unpacked(bools: pa.Array) -> np.ndarray:
    return cast("np.ndarray", bools.to_numpy(zero_copy_only=False)).view(np.uint8)


def _packed(data: pa.Buffer) -> pa.Buffer:
    """Pack one byte per value to bits; the first value becomes the lowest bit."""
    return pa.py_buffer(np.packbits(np.frombuffer(data, np.uint8), bitorder="little"))


def _map(file: BinaryIO) -> pa.Buffer:
    if isinstance(file, io.BytesIO):
        return pa.py_buffer(file.getbuffer())
    file.flush()
    if os.fstat(file.fileno()).st_size == 0:
        return pa.py_buffer(b"")
    return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _fixed_size(
    kind: pa.DataType, rows: int, data: pa.Buffer, valid: pa.Buffer | None = None, nulls: int = 0
) -> pa.Array:
    """Return an array of numbers or nested fixed-size lists over a buffer."""
    if not pa.types.is_fixed_size_list(kind):
        data = _packed(data) if pa.types.is_boolean(kind) else data
        return pa.Array.from_buffers(kind, rows, [valid, data], null_count=nulls)
    values = _fixed_size(kind.value_type, rows * kind.list_size, data)
    return pa.Array.from_buffers(kind, rows, [valid], null_count=nulls, children=[values])


_ALIGNMENT = 64  # bytes, the alignment of buffers that Arrow recommends
_PAGE = 4096  # bytes
_MARGIN = 1024  # extra bytes for the batch message, which is longer than that of an empty batch
_CONTINUATION = b"\xff\xff\xff\xff"
_BODY_LENGTH, _HEADER, _BUFFERS = 3, 2, 2  # field numbers in Message.fbs


class ShardFile:
    """A new Arrow stream with one record batch, whose largest buffer is written in advance.

    Attributes:
        path: path of the file.
        file: open file, positioned where that buffer begins.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        no_rows = pa.RecordBatch.from_pylist([], schema=schema)
        room = schema.serialize().size + no_rows.serialize().size + _MARGIN
        self._body = room + -room % _PAGE
        self.file: BinaryIO = path.open("xb+")
        self.file.seek(self._body)

    def finish(self, batch: pa.RecordBatch, direct: pa.Buffer | None) -> None:
        """Write the messages and remaining buffers, and close the file.

        Args:
            batch: all rows of the shard.
            direct: buffer that was written in advance, if any.
        """
        sink = _Sink(self.file, self._body, direct)
        with pa.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(batch)
        end = sink.align()
        self.file.write(_CONTINUATION + bytes(4))
        schema, message = _split_head(b"".join(sink.head))
        room = self._body - len(schema) - 8
        self.file.seek(0)
        self.file.write(schema + _CONTINUATION + struct.pack("<I", room))
        self.file.write(_relocate(message, sink.places, end - self._body))
        self.file.close()

    def drop(self) -> None:
        """Close and remove the file."""
        self.file.close()
        self.path.unlink(missing_ok=True)


class _Sink(io.RawIOBase):
    """A sink for an Arrow stream that collects messages and writes buffers to a file.

    Attributes:
        head: pieces of the messages.
        places: offset of each buffer in the message body.
    """

    def __init__(self, file: BinaryIO, body: int, direct: pa.Buffer | None) -> None:
        self._file, self._body, self._direct = file, body, direct
        self.head: list[bytes] = []
        self.places: list[int] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        """Write a buffer to the file, or collect the bytes of a message."""
        if not isinstance(data, pa.Buffer):
            plain = cast("bytes", data)
            if not self.places:  # only padding and the end mark follow the first buffer
                self.head.append(plain)
            return len(plain)
        if self._direct is not None and data.address == self._direct.address:
            self.places.append(0)
        else:
            self.places.append(self.align() - self._body)
            self._file.write(data)
        return cast("int", data.size)

    def align(self) -> int:
        """Pad the file with zeros to the next aligned position, and return that position."""
        end = self._file.tell()
        self._file.write(bytes(-end % _ALIGNMENT))
        return end + -end % _ALIGNMENT


def _split_head(head: bytes) -> tuple[bytes, bytes]:
    """Return the complete schema message, and the batch message without its prefix."""
    (length,) = struct.unpack_from("<I", head, 4)
    return head[: 8 + length], head[8 + length + 8 :]


def _relocate(message: bytes, places: list[int], body: int) -> bytes:
    """Set the body length and the offsets of non-empty buffers in a batch message.

    The message is a FlatBuffer. Each of its tables has a separate table with the offsets of fields.
    """
    data = bytearray(message)
    root = _follow(data, 0)
    struct.pack_into("<q", data, _field(data, root, _BODY_LENGTH), body)
    batch = _follow(data, _field(data, root, _HEADER))
    buffers = _follow(data, _field(data, batch, _BUFFERS))
    (count,) = struct.unpack_from("<I", data, buffers)
    remaining = iter(places)
    for at in range(buffers + 4, buffers + 4 + 16 * count, 16):
        if struct.unpack_from("<q", data, at + 8) != (0,):
            struct.pack_into("<q", data, at, next(remaining))
    return bytes(data)


def _follow(data: bytearray, at: int) -> int:
    """Return the target of the pointer at position `at`."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytearray, table: int, number: int) -> int:
    """Return the position of an existing field in a FlatBuffers table."""
    offsets = table - int(struct.unpack_from("<i", data, table)[0])
    return table + int(struct.unpack_from("<H", data, offsets + 4 + 2 * number)[0])
