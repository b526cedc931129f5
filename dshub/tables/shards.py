"""Shards of a table while they are written.

Gathering a column of unknown length on disk, so that a shard needs no memory.

Each buffer of an Arrow array goes to a file of its own while batches arrive; at the end the
files are mapped and become one array over all of it. Only the types that `dshub.tables.types` makes
are known here: numbers in nested fixed-size lists; `string` and `binary`, which have offsets into
their bytes; and `list`, which has offsets into a column of its own.
"""

import io
import mmap
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa

OFFSET_LIMIT = 2**31 - 1  # bytes, or values of lists, that 32-bit offsets can address


class Spool:
    """One column on its way to a shard.

    Args:
        kind: the Arrow type.
        path: beginning of the names of its files.
        into: an open file that takes its values, from where it stands on, in place of one of
            its own; for columns that are no lists.
    """

    def __init__(self, kind: pa.DataType, path: Path, into: BinaryIO | None = None) -> None:
        self._kind = kind
        self._rows = self._end = self._written = 0
        is_list = pa.types.is_list(kind)
        self._has_offsets = is_list or pa.types.is_string(kind) or pa.types.is_binary(kind)
        self._item = (
            Spool(kind.value_type, path.with_name(f"{path.name}.item")) if is_list else None
        )
        count = 2 if self._has_offsets and not is_list else 1
        self._into, self._start = into, into.tell() if into else 0
        self._files: list[BinaryIO] = [
            path.with_name(f"{path.name}.{i}").open("xb+") for i in range(count - bool(into))
        ]
        if self._has_offsets:
            self._write(self._files[0], np.zeros(1, np.int32))

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._written + (self._item.size if self._item else 0)

    @property
    def addressed(self) -> int:
        """The largest offset so far; at most `OFFSET_LIMIT` fits into a shard."""
        return max(self._end, self._item.addressed if self._item else 0)

    @property
    def _values(self) -> BinaryIO:
        return self._into or self._files[-1]

    def append(self, column: pa.Array) -> None:
        """Add the rows of an array without nulls."""
        self._rows += len(column)
        if not self._has_offsets:
            while pa.types.is_fixed_size_list(column.type):
                column = column.flatten()
            self._write(self._values, column.to_numpy())
        elif len(column):
            self._append_rows(column)

    def _append_rows(self, column: pa.Array) -> None:
        """Add rows that have offsets: where each ends now, and what lies in between."""
        offsets, data = column.buffers()[1:3]
        starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        begin, end = int(starts[0]), int(starts[-1])
        self._write(self._files[0], starts[1:] - np.int32(begin) + np.int32(self._end))
        self._end += end - begin
        if self._item is not None:
            self._item.append(column.values[begin:end])
        elif data is not None:
            self._write(self._values, np.frombuffer(data, np.uint8)[begin:end])

    def _write(self, file: BinaryIO, values: np.ndarray) -> None:
        contiguous: Any = np.ascontiguousarray(values)
        file.write(memoryview(contiguous).cast("B") if contiguous.size else b"")
        self._written += contiguous.nbytes

    def finish(self) -> pa.Array:
        """All rows as one array over the mapped files."""
        buffers = []
        for file in self._files:
            file.flush()
            buffers.append(_mapped(file))
            file.close()
        if self._into is not None:
            self._into.flush()
            whole = _mapped(self._into)
            buffers.append(whole.slice(min(self._start, whole.size)))
        if self._has_offsets:
            items = [self._item.finish()] if self._item else []
            found = [None, *buffers]
            return pa.Array.from_buffers(self._kind, self._rows, found, children=items)
        inner = _inner_type(self._kind)
        values = buffers[0].size // np.dtype(inner.to_pandas_dtype()).itemsize
        column = pa.Array.from_buffers(inner, values, [None, buffers[0]])
        return _nested(column, self._kind)

    def drop(self) -> None:
        """Remove its files."""
        if self._item is not None:
            self._item.drop()
        for file in self._files:
            file.close()
            Path(file.name).unlink(missing_ok=True)


def _mapped(file: BinaryIO) -> pa.Buffer:
    if os.fstat(file.fileno()).st_size == 0:
        return pa.py_buffer(b"")
    return pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _inner_type(kind: pa.DataType) -> pa.DataType:
    while pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return kind


def _nested(column: pa.Array, kind: pa.DataType) -> pa.Array:
    lengths = []
    while pa.types.is_fixed_size_list(kind):
        lengths.append(kind.list_size)
        kind = kind.value_type
    for length in reversed(lengths):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


_ALIGNED = 64  # bytes: the boundary on which the format wants buffers to begin
_PAGE = 4096
_MORE = 1024  # bytes by which the message of many rows may be longer than that of none
_CONTINUATION = b"\xff\xff\xff\xff"
_BODY_LENGTH, _HEADER, _BUFFERS = 3, 2, 2  # numbers of fields in Message.fbs


class ShardFile:
    """A new file with one record batch.

    Attributes:
        path: its name.
        file: where to write the bytes of one buffer, before `finish`.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        none = pa.RecordBatch.from_pylist([], schema=schema)
        room = schema.serialize().size + none.serialize().size + _MORE
        self._body = room + -room % _PAGE
        self.file: BinaryIO = path.open("xb+")
        self.file.seek(self._body)

    def finish(self, batch: pa.RecordBatch, direct: pa.Buffer | None) -> None:
        """Write what is missing, and close the file.

        Args:
            batch: all rows.
            direct: the buffer of it that was written already.
        """
        sink = _Sink(self.file, self._body, direct)
        with pa.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(batch)
        end = sink.align()
        self.file.write(_CONTINUATION + bytes(4))
        schema, message = _messages(b"".join(sink.head))
        room = self._body - len(schema) - 8
        self.file.seek(0)
        self.file.write(schema + _CONTINUATION + struct.pack("<I", room))
        self.file.write(_placed(message, sink.places, end - self._body))
        self.file.close()

    def drop(self) -> None:
        """Remove it, unfinished as it is."""
        self.file.close()
        self.path.unlink(missing_ok=True)


class _Sink(io.RawIOBase):
    """Takes an Arrow stream apart: messages, and buffers, which are written.

    Attributes:
        head: the messages, in pieces.
        places: where each buffer lies, in bytes from the beginning of the body.
    """

    def __init__(self, file: BinaryIO, body: int, direct: pa.Buffer | None) -> None:
        self._file, self._body, self._direct = file, body, direct
        self.head: list[bytes] = []
        self.places: list[int] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        """Arrow hands over buffers as such, and anything else as bytes."""
        if not isinstance(data, pa.Buffer):
            plain = cast("bytes", data)
            if not self.places:  # behind that come zeros between buffers, and the end
                self.head.append(plain)
            return len(plain)
        if self._direct is not None and data.address == self._direct.address:
            self.places.append(0)
        else:
            self.places.append(self.align() - self._body)
            self._file.write(data)
        return cast("int", data.size)

    def align(self) -> int:
        """Fill up with zeros to where a buffer may begin; that place."""
        end = self._file.tell()
        self._file.write(bytes(-end % _ALIGNED))
        return end + -end % _ALIGNED


def _messages(head: bytes) -> tuple[bytes, bytes]:
    """The whole message of the schema, and the inner part of that of the batch."""
    (length,) = struct.unpack_from("<I", head, 4)
    return head[: 8 + length], head[8 + length + 8 :]


def _placed(message: bytes, places: list[int], body: int) -> bytes:
    """The message of a batch, with other places for its buffers, those that are not empty.

    It is a FlatBuffer: tables point to their fields by a table of offsets before them.
    """
    made = bytearray(message)
    root = _followed(made, 0)
    struct.pack_into("<q", made, _field(made, root, _BODY_LENGTH), body)
    batch = _followed(made, _field(made, root, _HEADER))
    buffers = _followed(made, _field(made, batch, _BUFFERS))
    (count,) = struct.unpack_from("<I", made, buffers)
    left = iter(places)
    for at in range(buffers + 4, buffers + 4 + 16 * count, 16):
        if struct.unpack_from("<q", made, at + 8) != (0,):
            struct.pack_into("<q", made, at, next(left))
    return bytes(made)


def _followed(data: bytearray, at: int) -> int:
    """What the pointer at a place points to."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytearray, table: int, number: int) -> int:
    """The place of a field of a table; it has to be there."""
    offsets = table - int(struct.unpack_from("<i", data, table)[0])
    return table + int(struct.unpack_from("<H", data, offsets + 4 + 2 * number)[0])
