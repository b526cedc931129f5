"""Arrays stored in files, and copies of files that have to be read from their end."""

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from math import prod
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from dshub.errors import ReadError, StoreError
from dshub.formats import File
from dshub.formats._records import BATCH_BYTES, fill, mismatch

LARGEST_ROW = 256 << 20  # bytes; a header that promises more is lying
LARGEST_WHOLE = 2 << 30  # bytes of an array whose rows are interleaved
DIMENSIONS = 32  # the limit of NumPy 1
_PIECE = 1 << 20  # bytes copied at a time


@contextmanager
def seekable(file: File) -> Iterator[BinaryIO]:
    """Copy a file, which is a stream, to a temporary file that is deleted afterwards.

    Raises:
        ReadError: the file is damaged.
        StoreError: there is no space for the copy, or no folder for it.
    """
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile(buffering=0))
            with file.open() as stream:
                _copy(stream, copy)
        except OSError as error:
            folder = tempfile.tempdir or "a temporary file"
            reason = error.strerror or str(error)
            hint = "free some space there, or set TMPDIR to another folder"
            raise StoreError(path=folder, action="write", reason=reason, hint=hint) from error
        yield cast("BinaryIO", stack.enter_context(io.BufferedReader(copy)))


def _copy(stream: BinaryIO, copy: io.FileIO) -> None:
    while piece := memoryview(stream.read(_PIECE)):
        while piece:
            piece = piece[copy.write(piece) :]
    copy.seek(0)


def exactly(stream: BinaryIO, size: int, name: str) -> bytes:
    """Read `size` bytes of a header.

    Raises:
        ReadError: there are fewer.
    """
    data = stream.read(size)
    if len(data) < size:
        raise ReadError(file=name, reason="it ends within its header")
    return data


class Stored:
    """An array whose rows are read from a stream.

    Attributes:
        name: file and array, for errors.
        rows: number of rows.
        row_bytes: size of one row.
    """

    def __init__(
        self,
        stream: Any,
        name: str,
        dtype: np.dtype,
        shape: tuple[int, ...],
        *,
        fortran: bool = False,
        axis: int = 0,
    ) -> None:
        """Check the header of an array; the values come next in the stream.

        Args:
            stream: at the first value; has `readinto`.
            name: file and array, for errors.
            dtype: of one value, with its byte order.
            shape: all axes.
            fortran: whether the first axis is contiguous, not the last.
            axis: the axis that counts rows.

        Raises:
            ReadError: there is no such axis, or a row is empty or too large.
        """
        self.name, self._stream, self._dtype, self._axis = name, stream, dtype, axis
        text = "x".join(map(str, shape)) or "one value"
        if not 0 <= axis < len(shape) <= DIMENSIONS:
            raise mismatch(name, f"its shape, {text}, has no axis {axis}")
        self.rows = shape[axis]
        self._before, self._after = shape[:axis], shape[axis + 1 :]
        self.row_bytes = dtype.itemsize * prod(self._before + self._after)
        if not 0 < self.row_bytes <= LARGEST_ROW:
            raise ReadError(file=name, reason=f"its header promises {text} values")
        self._order = "F" if fortran else "C"
        self._is_interleaved = prod(self._after if fortran else self._before) > 1
        self._position = 0

    def read(self, rows: int) -> np.ndarray:
        """Return the next rows, (rows, *shape), in native byte order."""
        following = slice(self._position, self._position + rows)
        values = self._whole[following] if self._is_interleaved else self._read(rows)
        self._position += rows
        return values

    def finish(self) -> None:
        """Raise ReadError if data is left over.

        Reading to the end also verifies a trailing checksum.
        """
        if fill(self._stream, np.empty(1, np.uint8)):
            reason = f"its header promises {self.rows * self.row_bytes:,} bytes of data"
            raise ReadError(file=self.name, reason=f"{reason}, but more follow")

    @cached_property
    def _whole(self) -> np.ndarray:
        if self.rows * self.row_bytes > LARGEST_WHOLE:
            reason = "its rows are interleaved, and the array is too large for memory"
            raise ReadError(file=self.name, reason=reason)
        return self._read(self.rows)

    def _read(self, rows: int) -> np.ndarray:
        shape = (*self._before, rows, *self._after)
        values = np.empty(shape, self._dtype, order=cast("Any", self._order))
        filled = fill(self._stream, values)
        if filled < values.nbytes:
            reason = (
                f"its header promises {self.rows * self.row_bytes:,} bytes of data, "
                f"but {self._position * self.row_bytes + filled:,} follow"
            )
            raise ReadError(file=self.name, reason=reason)
        native = values.astype(self._dtype.newbyteorder("="), copy=False)
        return np.moveaxis(native, self._axis, 0)


class Rows(Protocol):
    """Rows of one column, as `Stored` reads them."""

    name: str
    rows: int
    row_bytes: int

    def read(self, rows: int, /) -> Any:
        """Return the next rows, as a NumPy or an Arrow array."""


def together(arrays: Mapping[str, Rows]) -> Iterator[dict[str, Any]]:
    """Read several columns side by side, in pieces of about `BATCH_BYTES`.

    Raises:
        ReadError: they differ in their number of rows, or end too early.
    """
    counts = {array.name: array.rows for array in arrays.values()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {rows:,}" for name, rows in counts.items())
        raise ReadError(file=next(iter(counts)), reason=f"its arrays differ in rows: {listed}")
    rows: int = next(iter(counts.values()))
    step = max(1, BATCH_BYTES // sum(array.row_bytes for array in arrays.values()))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        yield {column: array.read(count) for column, array in arrays.items()}
