"""IDX, the format of MNIST and related datasets.

Layout, from the MNIST page:

* two zero bytes
* one byte for the type (08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64)
* one byte for the number of dimensions
* the length of each dimension as big-endian uint32, beginning with the number of rows
* the values, big-endian, with the last dimension contiguous
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output, nested
from dshub.formats._records import Format, check_options, flat, mismatch, only_file
from dshub.formats._stored import Stored, exactly, together

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class Reader(Format, frozen=True):
    """Read one column from each part, or several from each part in `columns`.

    Attributes:
        transpose: parts with images that are stored column by column (EMNIST).
        columns: column names of each part with a two-dimensional array (QMNIST's labels).
    """

    transpose: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = {}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        check_options((*self.transpose, *self.columns), files, files)
        only_files = {part: only_file(part, of_part) for part, of_part in files.items()}
        with ExitStack() as stack:
            arrays = {
                part: _stored(stack.enter_context(file.open()), file.name)
                for part, file in only_files.items()
            }
            for pieces in together(arrays):
                columns: dict[str, pa.Array] = {}
                for part, values in pieces.items():
                    columns |= self._columns(part, values, arrays[part].name)
                yield pa.RecordBatch.from_pydict(columns)
            for array in arrays.values():
                array.finish()

    def _columns(self, part: str, values: np.ndarray, name: str) -> dict[str, pa.Array]:
        names = self.columns.get(part)
        if names is None:
            is_transposed = part in self.transpose and values.ndim > 2
            return {part: nested(values.swapaxes(1, 2) if is_transposed else values)}
        if values.shape[1:] != (len(names),):
            shape = "x".join(map(str, values.shape[1:])) or "one number"
            raise mismatch(name, f"a row is {shape}, but `columns` has {len(names)} names for it")
        return {column: pa.array(values[:, i]) for i, column in enumerate(names)}

    def filled(self) -> Iterable[str]:
        return chain.from_iterable(self.columns.values())

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for part, output in parts.items():
            where = f"IDX part {part}"
            if part in self.columns:
                columns = [flat(rows, column, where=where) for column in self.columns[part]]
                array = np.stack(columns, axis=1)
            else:
                array = flat(rows, part, where=where)
                array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
            if part in self.transpose and array.ndim > 2:
                array = array.swapaxes(1, 2)
            with output.create(output.members[0]) as sink:
                _write(sink, array)


def _stored(stream: BinaryIO, name: str) -> Stored:
    """Read the header of an array."""
    magic = exactly(stream, 4, name)
    code, dimensions = magic[2:]
    if not magic.startswith(b"\0\0") or code not in TYPES or not dimensions:
        raise ReadError(file=name, reason=f"it is not an IDX file: it begins with {magic!r}")
    shape = struct.unpack(f">{dimensions}I", exactly(stream, 4 * dimensions, name))
    return Stored(stream, name, np.dtype(TYPES[code]), shape)


def _write(sink: BinaryIO, array: np.ndarray) -> None:
    """Write an array of at least one dimension.

    Raises:
        SchemaError: IDX does not support the dtype of the array.
    """
    codes = {np.dtype(text).newbyteorder("="): code for code, text in TYPES.items()}
    code = codes.get(array.dtype)
    if code is None:
        expected = " or ".join(map(str, codes))
        raise SchemaError(where="an IDX file", expected=expected, got=str(array.dtype))
    sink.write(struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape))
    sink.write(np.ascontiguousarray(array, TYPES[code]).tobytes())
