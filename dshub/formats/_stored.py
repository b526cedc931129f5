"""Read arrays from streams, and copy streams to seekable temporary files."""

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

LARGEST_ROW = 256 << 20  # bytes; a larger row means a damaged header
LARGEST_INTERLEAVED = 2 << 30  # maximum bytes of an array with interleaved rows
DIMENSIONS = 32  # NumPy 1 supports no more
_PIECE = 1 << 20  # bytes per copy


@contextmanager
def seekable(file: File) -> Iterator[BinaryIO]:
    """Copy a file stream to a temporary file, which is deleted on exit.

    Raises:
        ReadError: the file is damaged.
        StoreError: the copy cannot be written, for example because the disk is full.
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
        ReadError: the stream ends early.
    """
    data = stream.read(size)
    if len(data) < size:
        raise ReadError(file=name, reason="it ends within its header")
    return data


class Stored:
    """An array in a stream, read some rows at a time.

    Attributes:
        name: names of the file and the array, for errors.
        rows: number of rows.
        row_bytes: bytes per row.
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
        """Check the header of an array.

        Args:
            stream: object with `readinto`, positioned at the first value.
            name: names of the file and the array, for errors.
            dtype: type of the values, with their byte order.
            shape: lengths of all axes.
            fortran: whether the first axis is contiguous instead of the last.
            axis: axis that counts rows.

        Raises:
            ReadError: the axis does not exist, or a row is empty or too large.
        """
        self.name, self._stream, self._dtype, self._axis = name, stream, dtype, axis
        text = "x".join(map(str, shape)) or "one value"
        if not 0 <= axis < len(shape) <= DIMENSIONS:
            raise mismatch(name, f"its shape {text} has no axis {axis}")
        self.rows = shape[axis]
        self._before, self._after = shape[:axis], shape[axis + 1 :]
        self.row_bytes = dtype.itemsize * prod(self._before + self._after)
        if not 0 < self.row_bytes <= LARGEST_ROW:
            reason = f"its shape {text} has rows of {self.row_bytes:,} bytes"
            raise ReadError(file=name, reason=f"{reason}, not 1 to {LARGEST_ROW:,}")
        self._order = "F" if fortran else "C"
        self._is_interleaved = prod(self._after if fortran else self._before) > 1
        self._position = 0

    def read(self, rows: int) -> np.ndarray:
        """Return the next rows as an array of (rows, *shape), in native byte order."""
        following = slice(self._position, self._position + rows)
        values = self._all_rows[following] if self._is_interleaved else self._read(rows)
        self._position += rows
        return values

    def finish(self) -> None:
        """Raise ReadError if the stream has more data.

        Reading to the end also verifies a trailing checksum.
        """
        if fill(self._stream, np.empty(1, np.uint8)):
            reason = f"its header promises {self.rows * self.row_bytes:,} bytes of data"
            raise ReadError(file=self.name, reason=f"{reason}, but more follow")

    @cached_property
    def _all_rows(self) -> np.ndarray:
        if self.rows * self.row_bytes > LARGEST_INTERLEAVED:
            reason = (
                f"its rows are interleaved, and it is larger than {LARGEST_INTERLEAVED:,} bytes"
            )
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
    """A column that can be read some rows at a time, such as `Stored`."""

    name: str
    rows: int
    row_bytes: int

    def read(self, rows: int, /) -> Any:
        """Return the next rows as a NumPy or Arrow array."""


def together(arrays: Mapping[str, Rows]) -> Iterator[dict[str, Any]]:
    """Yield batches of about `BATCH_BYTES` from several columns.

    Raises:
        ReadError: the columns have different numbers of rows, or one ends early.
    """
    counts = {array.name: array.rows for array in arrays.values()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {rows:,}" for name, rows in counts.items())
        raise ReadError(file=next(iter(counts)), reason=f"its arrays differ in length: {listed}")
    rows: int = next(iter(counts.values()))
    step = max(1, BATCH_BYTES // sum(array.row_bytes for array in arrays.values()))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        yield {column: array.read(count) for column, array in arrays.items()}
