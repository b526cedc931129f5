"""Files that have to be read from their end, stored member by member.

A file that has to be read from its end, such as a zip or a Parquet file.
"""

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast

import numpy as np

from dshub.errors import ReadError, StoreError
from dshub.formats._records import Bytes, fill

if TYPE_CHECKING:
    from dshub.formats import File

_PIECE = 1 << 20  # bytes copied at a time


@contextmanager
def seekable(file: "File") -> Iterator[BinaryIO]:
    """The bytes of a file, copied to a temporary one, which is gone afterwards.

    Files come as streams, for they lie in archives and in compressions.

    Raises:
        ReadError: the file is damaged.
        StoreError: there is no space for the copy, or no folder for it.
    """
    with ExitStack() as stack:
        with _translated():
            copy = stack.enter_context(tempfile.TemporaryFile(buffering=0))
        with file.open() as stream:
            while piece := stream.read(_PIECE):
                _write(copy, piece)
        copy.seek(0)
        yield cast("BinaryIO", io.BufferedReader(copy))


def _write(copy: io.FileIO, piece: bytes) -> None:
    view = memoryview(piece)
    with _translated():
        while view:
            view = view[copy.write(view) :]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "make space there, or name another folder in the environment variable TMPDIR"
        reason = error.strerror or str(error)
        folder = tempfile.tempdir or "a temporary file"
        raise StoreError(path=folder, action="write", reason=reason, hint=hint) from error


LARGEST_ROW = 256 << 20  # bytes; a header that promises more is lying
LARGEST_WHOLE = 2 << 30  # bytes of an array whose rows do not lie side by side
DIMENSIONS = 32  # as many as every NumPy has


class Header(NamedTuple):
    """What a file says of an array.

    Attributes:
        dtype: of one value, with its byte order.
        lengths: of its axes.
        fortran: whether the first axis is the fastest, not the last.
    """

    dtype: np.dtype
    lengths: tuple[int, ...]
    fortran: bool


class Stored:
    """An array in a file.

    Attributes:
        name: file and array, for errors.
        rows: how many there are.
        shape: of one row: the lengths of all axes but that which counts rows.
        row_bytes: of one row.
    """

    def __init__(self, stream: BinaryIO | Bytes, name: str, header: "Header", *, axis: int) -> None:
        """An array whose header has been read.

        Args:
            stream: its values come next.
            name: see above.
            header: what it says.
            axis: which axis counts rows.

        Raises:
            ReadError: it has no such axis, or is larger than any sane array.
        """
        dtype, lengths, fortran = header
        self.name, self._stream, self._dtype = name, stream, dtype
        shape = "x".join(map(str, lengths)) or "one value"
        if not 0 <= axis < len(lengths) <= DIMENSIONS:
            raise ReadError(file=name, reason=f"its shape, {shape}, has no axis {axis}")
        self.rows = lengths[axis]
        self.shape = lengths[:axis] + lengths[axis + 1 :]
        self.row_bytes = dtype.itemsize * prod(self.shape)
        if not 0 < self.row_bytes <= LARGEST_ROW:
            raise ReadError(file=name, reason=f"its header promises {shape} values")
        # the same values with the last axis fastest
        self._fortran = fortran
        self._lengths = lengths[::-1] if fortran else lengths
        self._axis = len(lengths) - 1 - axis if fortran else axis
        self._whole: np.ndarray | None = None
        self._place = 0

    def read(self, rows: int) -> np.ndarray:
        """The next rows, (rows, *shape), native byte order."""
        if self._streams:
            found = self._values((rows, *self._lengths[self._axis + 1 :]))
            found = found.reshape(rows, *self._rest)
        else:
            if self._whole is None:
                self._whole = self._all()
            found = self._whole[self._place : self._place + rows]
        self._place += rows
        axes = range(len(self._rest), 0, -1) if self._fortran else range(1, len(self._rest) + 1)
        return found.transpose(0, *axes)

    @property
    def _rest(self) -> tuple[int, ...]:
        """The lengths of a row, as they are stored."""
        return self._lengths[: self._axis] + self._lengths[self._axis + 1 :]

    @property
    def _streams(self) -> bool:
        """Whether the values of each row lie side by side."""
        return prod(self._lengths[: self._axis]) == 1

    def _all(self) -> np.ndarray:
        """(rows, *rest) of an array whose rows are interleaved."""
        if self.rows * self.row_bytes > LARGEST_WHOLE:
            reason = "its rows do not lie side by side, and all of it is too large for memory"
            raise ReadError(file=self.name, reason=reason)
        return np.moveaxis(self._values(self._lengths), self._axis, 0)

    def _values(self, lengths: tuple[int, ...]) -> np.ndarray:
        found = np.empty(lengths, self._dtype)
        filled = fill(self._stream, found)
        if filled < found.nbytes:
            total = self.rows * self.row_bytes
            place = self._place * self.row_bytes + filled
            reason = f"its header promises {total:,} bytes of data, but {place:,} follow"
            raise ReadError(file=self.name, reason=reason)
        return found.astype(self._dtype.newbyteorder("="), copy=False)


class Rows(Protocol):
    """Rows of one column, as `Stored` gives them.

    Attributes:
        name, rows, row_bytes: see `Stored`.
    """

    name: str
    rows: int
    row_bytes: int

    def read(self, rows: int, /) -> Any:
        """The next rows: an array, or a column of Arrow's."""


def together(arrays: Mapping[str, Rows], *, budget: int) -> Iterator[dict[str, Any]]:
    """The rows of several arrays, some at a time.

    Args:
        arrays: by column.
        budget: bytes of all columns together in one piece, where a row is not larger.

    Raises:
        ReadError: they differ in their number of rows; the bytes end too early.
    """
    counts = {array.name: array.rows for array in arrays.values()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {rows:,}" for name, rows in counts.items())
        raise ReadError(file=next(iter(counts)), reason=f"its arrays differ in rows: {told}")
    rows: int = next(iter(counts.values()))
    step = max(1, budget // sum(array.row_bytes for array in arrays.values()))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        yield {column: array.read(count) for column, array in arrays.items()}
