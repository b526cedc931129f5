"""Columns as NumPy sees them: views of Arrow's memory, and rows gathered from them.

A column gives rows in two ways: `gather` those of some numbers, as something new that may be
written to, and `span` those side by side, as views where their type allows.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature, ListFeature
from dshub.errors import DshubError
from dshub.tables.types import row_dtype, row_shape

Values = np.ndarray | list[Any]  # what is in a list is in the features, as dtypes are
"""A column or a part of it.

An array (rows, …); or a list with an item for each row where rows are no arrays of one shape:
`str` for text, `bytes` for files, an array (values, …) or a list of `str` for lists.
"""

Fault = Callable[[str], DshubError]
"""The error for what is wrong with a column's memory."""


class Column(Protocol):
    """Rows under numbers from 0."""

    def gather(self, rows: np.ndarray) -> Values:
        """The rows of those numbers, int64, in that order; something new."""

    def span(self, start: int, stop: int) -> Values:
        """Consecutive rows; read-only views where the type allows."""


class ArrayColumn:
    """Rows of one dtype and shape, viewed in place."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return self.values.take(rows, axis=0)

    def span(self, start: int, stop: int) -> np.ndarray:
        return self.values[start:stop]


class BytesColumn:
    """Text or files, made when they are asked for.

    Where each lies is checked as it is read: to believe a damaged offset would end the process.

    Args:
        offsets: (rows + 1,), where each begins in `data`, and where the last one ends.
        data: uint8.
        is_text: whether rows are `str`, of UTF-8, or `bytes`.
        fault: makes the error where they are damaged.
    """

    def __init__(
        self, offsets: np.ndarray, data: np.ndarray, *, is_text: bool, fault: Fault
    ) -> None:
        self._offsets, self._data = offsets, data
        self._is_text, self._fault = is_text, fault

    def gather(self, rows: np.ndarray) -> list[str] | list[bytes]:
        return self._made(self._offsets[rows], self._offsets[rows + 1])

    def span(self, start: int, stop: int) -> list[str] | list[bytes]:
        offsets = self._offsets[start : stop + 1]
        return self._made(offsets[:-1], offsets[1:])

    def _made(self, starts: np.ndarray, stops: np.ndarray) -> list[str] | list[bytes]:
        check_offsets(starts, stops, len(self._data), self._fault)
        memory = memoryview(cast("Any", self._data))
        places = zip(starts.tolist(), stops.tolist(), strict=True)
        if not self._is_text:
            return [bytes(memory[start:stop]) for start, stop in places]
        try:
            return [str(memory[start:stop], "utf-8") for start, stop in places]
        except UnicodeDecodeError as error:
            raise self._fault(f"a text is not UTF-8: {error.reason}") from error


class ListColumn:
    """Rows of as many values as each has.

    Args:
        offsets: (rows + 1,), where the values of each row begin, and where the last ones end.
        values: of all rows.
        count: how many those are.
        fault: makes the error where the offsets are damaged.
    """

    def __init__(self, offsets: np.ndarray, values: Column, *, count: int, fault: Fault) -> None:
        self._offsets, self._values, self._count = offsets, values, count
        self._fault = fault

    def gather(self, rows: np.ndarray) -> list[Any]:
        starts, stops = self._offsets[rows], self._offsets[rows + 1]
        check_offsets(starts, stops, self._count, self._fault)
        lengths = (stops - starts).astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        where = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)
        return _cut(self._values.gather(where), ends)

    def span(self, start: int, stop: int) -> list[Any]:
        offsets = self._offsets[start : stop + 1].astype(np.int64)
        check_offsets(offsets[:-1], offsets[1:], self._count, self._fault)
        if not len(offsets):
            return []
        return _cut(self._values.span(int(offsets[0]), int(offsets[-1])), offsets - offsets[0])


def _cut(values: Values, ends: np.ndarray) -> list[Any]:
    return [values[a:b] for a, b in pairwise(ends.tolist())]


def check_offsets(starts: np.ndarray, stops: np.ndarray, size: int, fault: Fault) -> None:
    """Rows lie where they can."""
    if ((starts < 0) | (starts > stops) | (stops > size)).any():
        raise fault("a row lies outside of it")


class ChunkedColumn:
    """Columns one behind the other, as one.

    Args:
        starts: int64, the number of the first row of each, and the number of all rows.
        chunk: one of them by its number, asked for when a row of it is.
        feature: what they hold.
    """

    def __init__(
        self, starts: np.ndarray, chunk: Callable[[int], Column], feature: Feature
    ) -> None:
        self._starts, self._chunk, self._feature = starts, chunk, feature

    def gather(self, rows: np.ndarray) -> Values:
        if len(self._starts) == 2:
            return self._chunk(0).gather(rows)
        which = np.searchsorted(self._starts, rows, side="right") - 1
        out = self._blank(len(rows))
        for number in np.unique(which).tolist():
            places = np.flatnonzero(which == number)
            found = self._chunk(number).gather(rows[places] - self._starts[number])
            if isinstance(out, np.ndarray):
                out[places] = found
                continue
            for place, value in zip(places.tolist(), found, strict=True):
                out[place] = value
        return out

    def span(self, start: int, stop: int) -> Values:
        pieces = [
            self._chunk(number).span(max(start, begin) - begin, min(stop, end) - begin)
            for number, (begin, end) in enumerate(pairwise(self._starts.tolist()))
            if start < end and stop > begin
        ]
        return self._joined(pieces)

    def _joined(self, pieces: Sequence[Values]) -> Values:
        """One behind the other; a single piece as it is."""
        if len(pieces) == 1:
            return pieces[0]
        if row_dtype(self._feature) is None:
            return [value for piece in pieces for value in piece]
        if not pieces:
            return self._blank(0)
        return np.concatenate(pieces)

    def _blank(self, rows: int) -> Values:
        """Room for so many rows: an array, or a list where they are none of one shape."""
        dtype, shape = row_dtype(self._feature), row_shape(self._feature)
        return [None] * rows if dtype is None else np.empty((rows, *shape), dtype)


def column_of(array: pa.Array, feature: Feature, fault: Fault) -> Column:
    """An Arrow array without nulls, of the type that holds a feature, as a column.

    Offsets may be of 64 bits too. Nothing is copied.
    """
    if isinstance(feature, ListFeature):
        values = column_of(array.values, feature.of, fault)
        return ListColumn(_offsets(array), values, count=len(array.values), fault=fault)
    dtype = row_dtype(feature)
    if dtype is None:
        data = array.buffers()[2]
        content = _viewed(data, np.dtype(np.uint8), 0, data.size if data is not None else 0)
        is_text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
        return BytesColumn(_offsets(array), content, is_text=is_text, fault=fault)
    rows = len(array)
    while pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    # not array.to_numpy(): where pandas is installed, that imports it, for a fifth of a second
    flat = _viewed(array.buffers()[1], dtype, array.offset, len(array))
    return ArrayColumn(flat.reshape((rows, *row_shape(feature))))


def check_array(array: pa.Array, feature: Feature, fault: Fault) -> None:
    """Check where rows of an Arrow array lie: its readers follow a damaged offset out of memory."""
    if isinstance(feature, ListFeature):
        size = len(array.values)
        check_array(array.values, feature.of, fault)
    elif row_dtype(feature) is not None:
        return
    else:
        data = array.buffers()[2]
        size = data.size if data is not None else 0
    offsets = _offsets(array)
    check_offsets(offsets[:-1], offsets[1:], size, fault)


def _offsets(array: pa.Array) -> np.ndarray:
    kind = array.type
    wide = pa.types.is_large_list(kind) or pa.types.is_large_string(kind)
    dtype = np.dtype(np.int64 if wide or pa.types.is_large_binary(kind) else np.int32)
    if not len(array):  # Arrow lets an empty array do without its one offset
        return np.zeros(1, dtype)
    return _viewed(array.buffers()[1], dtype, array.offset, len(array) + 1)


def _viewed(data: pa.Buffer, dtype: np.dtype, first: int, count: int) -> np.ndarray:
    if not count:
        return np.empty(0, dtype)
    values = np.frombuffer(data, dtype, count, first * dtype.itemsize)
    values.flags.writeable = False  # what Arrow made in memory would let itself be written to
    return values
