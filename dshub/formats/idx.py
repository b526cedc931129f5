"""IDX, the format of MNIST and its relatives.

Layout, as on MNIST's own page: two zero bytes; one byte for the type (08 uint8, 09 int8, 0B
int16, 0C int32, 0D float32, 0E float64); one byte for the number of dimensions; that many
big-endian uint32 lengths; then the values, big-endian, last dimension fastest. The first
dimension counts the rows.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats._records import flat, nested, with_numbers

if TYPE_CHECKING:
    from dshub.formats import File, Output

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
BATCH_BYTES = 8 << 20  # of all parts together
LARGEST_ROW = 256 << 20  # bytes; a header that promises more is lying
DIMENSIONS = 32  # as many as every NumPy has


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads one column from each part, or several where `columns` names them.

    Attributes:
        transpose: parts whose rows are stored column by column (EMNIST): rows and columns of
            each picture change places.
        columns: for a part with a two-dimensional array, the names of its columns; each becomes
            one column of numbers (QMNIST's labels).
    """

    text_labels: ClassVar[bool] = False

    transpose: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = {}

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        self._check_parts(files)
        with ExitStack() as stack:
            parts = {
                name: _Part(_only(name, found), stack.enter_context(_only(name, found).open()))
                for name, found in files.items()
            }
            rows = _same_rows(parts)
            step = max(1, BATCH_BYTES // max(1, sum(part.row_bytes for part in parts.values())))
            for start in range(0, rows, step):
                count = min(step, rows - start)
                arrays = {name: part.read(count) for name, part in parts.items()}
                yield pa.RecordBatch.from_pydict(self._columns(arrays, parts))
            for part in parts.values():
                part.expect_end()

    def _check_parts(self, files: Mapping[str, Sequence["File"]]) -> None:
        """An option for a part that is not there is a slip, and would be without effect."""
        for part in (*self.transpose, *self.columns):
            if part not in files:
                names = ", ".join(file.name for found in files.values() for file in found)
                reason = (
                    f"an option of the reader is for {part!r}, but the parts are {', '.join(files)}"
                )
                raise ReadError(file=names, reason=reason)

    def _columns(
        self, arrays: Mapping[str, np.ndarray], parts: Mapping[str, "_Part"]
    ) -> dict[str, pa.Array]:
        columns: dict[str, pa.Array] = {}
        for name, array in arrays.items():
            if name in self.transpose:
                columns[name] = nested(array.swapaxes(1, 2) if array.ndim > 2 else array)
                continue
            if name not in self.columns:
                columns[name] = nested(array)
                continue
            names = self.columns[name]
            if array.ndim != 2 or array.shape[1] != len(names):
                shape = "x".join(str(length) for length in array.shape[1:]) or "one number"
                reason = f"a row is {shape}, but {len(names)} columns are named for it"
                raise ReadError(file=parts[name].file.name, reason=reason)
            for i, column in enumerate(names):
                columns[column] = pa.array(np.ascontiguousarray(array[:, i]))
        return columns

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Columns of a two-dimensional part that no feature asks for hold the row's number."""
        return with_numbers(
            rows, [name for names in self.columns.values() for name in names], first
        )

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        for name, output in parts.items():
            if name in self.columns:
                where = f"IDX part {name}"
                found = [flat(rows, column, where=where) for column in self.columns[name]]
                array = np.stack(found, axis=1)
            else:
                array = flat(rows, name, where=f"IDX part {name}")
                array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
            if name in self.transpose and array.ndim > 2:
                array = array.swapaxes(1, 2)
            with output.create(output.members[0]) as sink:
                write_idx(sink, array)


class _Part:
    """One open IDX file: its header, and its rows piece by piece."""

    def __init__(self, file: "File", stream: BinaryIO) -> None:
        self.file, self._stream = file, stream
        zeros, code, dimensions = struct.unpack(">HBB", self._exactly(4, "its header"))
        if zeros != 0 or code not in TYPES or not 0 < dimensions <= DIMENSIONS:
            magic = f"{zeros:04x}{code:02x}{dimensions:02x}"
            raise ReadError(file=file.name, reason=f"it is no IDX file: it begins with {magic}")
        lengths = struct.unpack(f">{dimensions}I", self._exactly(4 * dimensions, "its header"))
        self.rows, self.shape = lengths[0], lengths[1:]
        self.dtype = np.dtype(TYPES[code])
        self.row_bytes = self.dtype.itemsize * prod(self.shape)
        self.total = self.rows * self.row_bytes
        if not 0 < self.row_bytes <= LARGEST_ROW:
            shape = "x".join(str(length) for length in lengths)
            raise ReadError(file=file.name, reason=f"its header promises {shape} values")
        self._read = 0

    def read(self, rows: int) -> np.ndarray:
        """The next rows, shape (rows, *shape), native byte order."""
        data = np.empty((rows, *self.shape), self.dtype)
        view = memoryview(cast("Any", data)).cast("B")
        filled = 0
        while filled < len(view):
            count = cast("Any", self._stream).readinto(view[filled:])
            if not count:
                reason = (
                    f"its header promises {self.total:,} bytes of data, "
                    f"but {self._read + filled:,} follow"
                )
                raise ReadError(file=self.file.name, reason=reason)
            filled += count
        self._read += filled
        return data.astype(self.dtype.newbyteorder("="), copy=False)

    def expect_end(self) -> None:
        """Nothing may follow; reading on also makes a compression check its checksum."""
        if self._stream.read(1):
            reason = f"its header promises {self.total:,} bytes of data, but more follow"
            raise ReadError(file=self.file.name, reason=reason)

    def _exactly(self, size: int, what: str) -> bytes:
        data = self._stream.read(size)
        if len(data) != size:
            raise ReadError(file=self.file.name, reason=f"it ends within {what}")
        return data


def write_idx(sink: BinaryIO, array: np.ndarray) -> None:
    """Write an array of at least one dimension as IDX.

    Raises:
        SchemaError: the format has no type for it.
    """
    codes = {np.dtype(text).newbyteorder("="): code for code, text in TYPES.items()}
    code = codes.get(array.dtype)
    if code is None:
        known = " or ".join(str(dtype) for dtype in codes)
        raise SchemaError(where="an IDX file", expected=known, got=str(array.dtype))
    sink.write(struct.pack(">HBB", 0, code, array.ndim))
    sink.write(struct.pack(f">{array.ndim}I", *array.shape))
    sink.write(np.ascontiguousarray(array, TYPES[code]).tobytes())


def _only(part: str, files: Sequence["File"]) -> "File":
    if len(files) != 1:
        names = ", ".join(file.name for file in files)
        raise ReadError(file=names or part, reason=f"IDX reads one file for {part}")
    return files[0]


def _same_rows(parts: Mapping[str, _Part]) -> int:
    counts = {part.file.name: part.rows for part in parts.values()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {rows:,}" for name, rows in counts.items())
        raise ReadError(file=next(iter(counts)), reason=f"its files differ in rows: {told}")
    rows: int = next(iter(counts.values()))
    return rows
