"""Gathering a column of unknown length on disk, so that a shard needs no memory.

Each buffer of an Arrow array goes to a file of its own while batches arrive; at the end the
files are mapped and become one array over all of it. Only the types that `dshub.schema` makes
are known here.
"""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

OFFSET_LIMIT = 2**31 - 1  # bytes of text that 32-bit offsets can address


class Spool:
    """One column on its way to a shard.

    Args:
        kind: the Arrow type.
        path: beginning of the names of its files.
    """

    def __init__(self, kind: pa.DataType, path: Path) -> None:
        self._kind, self._path = kind, path
        self._rows = 0
        self.size = 0
        self._inner = _inner_type(kind)
        self._files: list[BinaryIO] = [
            path.with_name(f"{path.name}.{i}").open("wb+") for i in range(2 if self._is_text else 1)
        ]
        if self._is_text:
            self._write(0, np.zeros(1, np.int32))

    @property
    def _is_text(self) -> bool:
        return bool(pa.types.is_string(self._kind))

    @property
    def text_size(self) -> int:
        """Bytes of text so far; at most `OFFSET_LIMIT` fit into a shard."""
        return self.size if self._is_text else 0

    def append(self, column: pa.Array) -> None:
        """Add the rows of an array without nulls."""
        self._rows += len(column)
        if self._is_text:
            self._append_text(column)
        else:
            while pa.types.is_fixed_size_list(column.type):
                column = column.flatten()
            self._write(0, column.to_numpy())

    def _append_text(self, column: pa.Array) -> None:
        _, offsets, data = column.buffers()
        if not len(column):
            return
        starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        begin, end = int(starts[0]), int(starts[-1])
        self._write(0, starts[1:] - np.int32(begin) + np.int32(self.size))
        self.size += end - begin
        if data is not None:
            self._files[1].write(memoryview(data)[begin:end])

    def _write(self, index: int, values: np.ndarray) -> None:
        contiguous: Any = np.ascontiguousarray(values)
        self._files[index].write(memoryview(contiguous).cast("B") if contiguous.size else b"")
        if not self._is_text:
            self.size += contiguous.nbytes

    def finish(self) -> pa.Array:
        """All rows as one array over the mapped files."""
        buffers = []
        for file in self._files:
            file.flush()
            buffers.append(_mapped(Path(file.name)))
            file.close()
        if self._is_text:
            return pa.Array.from_buffers(self._kind, self._rows, [None, *buffers])
        values = buffers[0].size // np.dtype(self._inner.to_pandas_dtype()).itemsize
        column = pa.Array.from_buffers(self._inner, values, [None, buffers[0]])
        return _nested(column, self._kind)

    def drop(self) -> None:
        """Remove its files."""
        for file in self._files:
            file.close()
            Path(file.name).unlink(missing_ok=True)


def _mapped(path: Path) -> pa.Buffer:
    if path.stat().st_size == 0:
        return pa.py_buffer(b"")
    return pa.memory_map(str(path)).read_buffer()


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
