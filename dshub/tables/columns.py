"""Read rows from Arrow columns as NumPy arrays, without copies where possible."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature, ListFeature, StructFeature
from dshub.errors import DshubError
from dshub.tables.missing import concatenated, empty_array, hidden, item
from dshub.tables.types import inner_values, is_text, row_dtype, row_shape

Values = np.ndarray | list[Any]
"""Rows of a column.

This is an array of shape (rows, …) if all rows have the same shape. Otherwise, it is a list with
one item per row: `str` for text, `bytes` for files, an array or a list for lists, and `dict` for
structs. `dshub.tables.missing` describes how missing values are represented.
"""

BEYOND = "a row extends past the end of the values"

Fault = Callable[[str], DshubError]
"""Creates the error for a damaged column from the reason."""


class Column(Protocol):
    """A column with rows numbered from 0."""

    def gather(self, rows: np.ndarray) -> Values:
        """Return a copy of the rows with these int64 numbers, in the requested order."""

    def span(self, start: int, stop: int) -> Values:
        """Return consecutive rows, as read-only views if the type allows."""


class ArrayColumn:
    """A column of rows with one dtype and shape, viewed in place."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return self.values.take(rows, axis=0)

    def span(self, start: int, stop: int) -> np.ndarray:
        return self.values[start:stop]


class DayColumn(ArrayColumn):
    """A column of days since 1970, int32, converted to `datetime64[D]` on each read."""

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return super().gather(rows).astype("datetime64[D]")

    def span(self, start: int, stop: int) -> np.ndarray:
        return super().span(start, stop).astype("datetime64[D]")


class BitColumn:
    """A column of bools, stored as bits and unpacked on each read.

    Args:
        bits: uint8 array; the lowest bit of each byte comes first.
        first: index of the first value in `bits`.
        shape: shape of each row.
    """

    def __init__(self, bits: np.ndarray, first: int = 0, shape: tuple[int, ...] = ()) -> None:
        self._bits, self._first, self._shape = bits, first, shape
        self._size = prod(shape)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        places = rows[:, None] * self._size + np.arange(self._size) + self._first
        bits: np.ndarray = (self._bits[places >> 3] >> (places & 7).astype(np.uint8)) & np.uint8(1)
        return bits.view(bool).reshape(len(rows), *self._shape)

    def span(self, start: int, stop: int) -> np.ndarray:
        first, last = (self._first + row * self._size for row in (start, stop))
        packed = self._bits[first >> 3 : -(-last // 8)]
        bits = np.unpackbits(packed, bitorder="little")[first & 7 :][: last - first]
        return bits.view(bool).reshape(stop - start, *self._shape)


class OptionalColumn:
    """A column with missing values.

    Args:
        values: column with arbitrary values in place of missing ones.
        valid: column of bools, False for missing values.
    """

    def __init__(self, values: Column, valid: BitColumn) -> None:
        self._values, self._valid = values, valid

    def gather(self, rows: np.ndarray) -> Values:
        values: Values = hidden(self._values.gather(rows), self._valid.gather(rows))
        return values

    def span(self, start: int, stop: int) -> Values:
        values: Values = hidden(self._values.span(start, stop), self._valid.span(start, stop))
        return values

    def contents(self, rows: np.ndarray) -> list[memoryview | None]:
        """Return the bytes of rows of files without copying them; None for missing files."""
        files = cast("BytesColumn", self._values).contents(rows)
        valid = self._valid.gather(rows)
        return [file if ok else None for file, ok in zip(files, valid, strict=True)]

    def content(self, row: int) -> memoryview | None:
        """Return the bytes of a file without copying them; None for a missing file."""
        is_valid = self._valid.span(row, row + 1)[0]
        return cast("BytesColumn", self._values).content(row) if is_valid else None


class StructColumn:
    """A column of structs, read as dicts."""

    def __init__(self, fields: Mapping[str, Column]) -> None:
        self._fields = fields

    def gather(self, rows: np.ndarray) -> list[dict[str, Any]]:
        return _rows_of({name: column.gather(rows) for name, column in self._fields.items()})

    def span(self, start: int, stop: int) -> list[dict[str, Any]]:
        return _rows_of({name: column.span(start, stop) for name, column in self._fields.items()})


def _rows_of(columns: Mapping[str, Values]) -> list[dict[str, Any]]:
    rows = zip(*(map(item, values) for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


class BytesColumn:
    """A column of text or files, copied on each read.

    Offsets are checked on each read, because a damaged offset would crash the process.

    Args:
        offsets: start of each row in `data`, and the end of the last row.
        data: uint8 array of the bytes of all rows.
        is_text: whether to return `str` decoded from UTF-8 instead of `bytes`.
        fault: function that creates the error for damaged rows.
    """

    def __init__(
        self, offsets: np.ndarray, data: np.ndarray, *, is_text: bool, fault: Fault
    ) -> None:
        self._offsets, self._data = offsets, data
        self._is_text, self._fault = is_text, fault

    def gather(self, rows: np.ndarray) -> list[str] | list[bytes]:
        return self._read(self._offsets[rows], self._offsets[rows + 1])

    def span(self, start: int, stop: int) -> list[str] | list[bytes]:
        offsets = self._offsets[start : stop + 1]
        return self._read(offsets[:-1], offsets[1:])

    def contents(self, rows: np.ndarray) -> list[memoryview]:
        """Return the bytes of rows without copying them."""
        starts, stops = self._offsets[rows], self._offsets[rows + 1]
        _check_offsets(starts, stops, len(self._data), self._fault)
        memory = memoryview(cast("Any", self._data))
        places = zip(starts.tolist(), stops.tolist(), strict=True)
        return [memory[start:stop] for start, stop in places]

    def content(self, row: int) -> memoryview:
        """Return the bytes of a row without copying them."""
        start, stop = int(self._offsets[row]), int(self._offsets[row + 1])
        if not 0 <= start <= stop <= len(self._data):
            raise self._fault(BEYOND)
        return memoryview(cast("Any", self._data))[start:stop]

    def _read(self, starts: np.ndarray, stops: np.ndarray) -> list[str] | list[bytes]:
        _check_offsets(starts, stops, len(self._data), self._fault)
        memory = memoryview(cast("Any", self._data))
        places = zip(starts.tolist(), stops.tolist(), strict=True)
        if not self._is_text:
            return [bytes(memory[start:stop]) for start, stop in places]
        try:
            return [str(memory[start:stop], "utf-8") for start, stop in places]
        except UnicodeDecodeError as error:
            raise self._fault(f"a string is not valid UTF-8: {error.reason}") from error


class ListColumn:
    """A column of rows with a varying number of values.

    Args:
        offsets: start of each row in `values`, and the end of the last row.
        values: column of the values of all rows.
        count: number of values.
        fault: function that creates the error for damaged offsets.
    """

    def __init__(self, offsets: np.ndarray, values: Column, *, count: int, fault: Fault) -> None:
        self._offsets, self._values, self._count = offsets, values, count
        self._fault = fault

    def gather(self, rows: np.ndarray) -> list[Any]:
        starts, stops = self._offsets[rows], self._offsets[rows + 1]
        _check_offsets(starts, stops, self._count, self._fault)
        lengths = (stops - starts).astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        numbers = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)
        return _cut(self._values.gather(numbers), ends)

    def span(self, start: int, stop: int) -> list[Any]:
        offsets = self._offsets[start : stop + 1].astype(np.int64)
        _check_offsets(offsets[:-1], offsets[1:], self._count, self._fault)
        if not len(offsets):
            return []
        return _cut(self._values.span(int(offsets[0]), int(offsets[-1])), offsets - offsets[0])


def _cut(values: Values, ends: np.ndarray) -> list[Any]:
    return [values[a:b] for a, b in pairwise(ends.tolist())]


def _check_offsets(starts: np.ndarray, stops: np.ndarray, size: int, fault: Fault) -> None:
    if ((starts < 0) | (starts > stops) | (stops > size)).any():
        raise fault(BEYOND)


class ChunkedColumn:
    """A concatenation of several columns.

    Args:
        starts: int64 number of the first row of each column, and the total number of rows.
        chunk: function that returns the column at an index.
        feature: feature of the columns.
    """

    def __init__(
        self, starts: np.ndarray, chunk: Callable[[int], Column], feature: Feature
    ) -> None:
        self._starts, self._chunk, self._feature = starts, chunk, feature

    def gather(self, rows: np.ndarray) -> Values:
        if len(self._starts) == 2:
            return self._chunk(0).gather(rows)
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        out = self._empty(len(rows))
        for number in np.unique(chunks).tolist():
            places = np.flatnonzero(chunks == number)
            values = self._chunk(number).gather(rows[places] - self._starts[number])
            if isinstance(out, np.ndarray):
                out[places] = values
                continue
            for place, value in zip(places.tolist(), values, strict=True):
                out[place] = value
        return out

    def contents(self, rows: np.ndarray) -> list[memoryview]:
        """Return the bytes of rows of files without copying them; None for missing files."""
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        places = zip(chunks.tolist(), (rows - self._starts[chunks]).tolist(), strict=True)
        return [cast("BytesColumn", self._chunk(chunk)).content(row) for chunk, row in places]

    def content(self, row: int) -> memoryview:
        """Return the bytes of a file without copying them; None for a missing file."""
        chunk = bisect_right(cast("Any", self._starts), row) - 1
        return cast("BytesColumn", self._chunk(chunk)).content(row - int(self._starts[chunk]))

    def span(self, start: int, stop: int) -> Values:
        pieces = [
            self._chunk(number).span(max(start, begin) - begin, min(stop, end) - begin)
            for number, (begin, end) in enumerate(pairwise(self._starts.tolist()))
            if start < end and stop > begin
        ]
        if len(pieces) == 1:
            return pieces[0]
        if row_dtype(self._feature) is None:
            return [value for piece in pieces for value in piece]
        return concatenated(pieces) if pieces else self._empty(0)

    def _empty(self, rows: int) -> Values:
        """Return an uninitialized array or list of `rows` rows."""
        dtype = row_dtype(self._feature)
        if dtype is None:
            return [None] * rows
        shape = (rows, *row_shape(self._feature))
        return empty_array(shape, dtype, optional=self._feature.optional)


def column_of(array: pa.Array, feature: Feature, fault: Fault) -> Column:
    """Return a column that views an Arrow array without copying it.

    Args:
        array: array with the feature's type, without nulls unless the feature is optional; offsets
            can have 64 bits.
        feature: feature of the column.
        fault: function that creates the error for damaged data.
    """
    if not feature.optional:
        return _dense_column(array, feature, fault)
    values = _dense_column(array, feature, fault)
    bits = array.buffers()[0]
    every = np.full(-(-(len(array) + array.offset) // 8), 0xFF, np.uint8)
    valid = every if bits is None else _bits(bits, array)
    return OptionalColumn(values, BitColumn(valid, array.offset))


def _dense_column(array: pa.Array, feature: Feature, fault: Fault) -> Column:
    """Return a column of all values, with arbitrary ones in place of missing values."""
    if isinstance(feature, ListFeature):
        values = column_of(array.values, feature.of, fault)
        return ListColumn(_offsets(array), values, count=len(array.values), fault=fault)
    if isinstance(feature, StructFeature):
        return StructColumn(
            {name: column_of(array.field(name), of, fault) for name, of in feature.fields.items()}
        )
    dtype = row_dtype(feature)
    if dtype is None:
        content = _view(array.buffers()[2], np.dtype(np.uint8), 0, _content_size(array))
        return BytesColumn(_offsets(array), content, is_text=is_text(array.type), fault=fault)
    rows, shape = len(array), row_shape(feature)
    while pa.types.is_fixed_size_list(array.type):
        array = inner_values(array)
    if dtype.kind == "b":
        return BitColumn(_bits(array.buffers()[1], array), array.offset, shape)
    # array.to_numpy() would import pandas if it is installed, which takes 0.2 s
    if pa.types.is_date32(array.type):
        return DayColumn(_view(array.buffers()[1], np.dtype(np.int32), array.offset, rows))
    flat = _view(array.buffers()[1], dtype, array.offset, len(array))
    return ArrayColumn(flat.reshape((rows, *shape)))


def check_array(array: pa.Array, feature: Feature, fault: Fault) -> None:
    """Check the offsets of an Arrow array, because Arrow itself does not check them on reads."""
    if row_dtype(feature) is not None:
        return
    if isinstance(feature, StructFeature):
        for name, of in feature.fields.items():
            check_array(array.field(name), of, fault)
        return
    if isinstance(feature, ListFeature):
        check_array(array.values, feature.of, fault)
        size = len(array.values)
    else:
        size = _content_size(array)
    offsets = _offsets(array)
    _check_offsets(offsets[:-1], offsets[1:], size, fault)


def _content_size(array: pa.Array) -> int:
    data = array.buffers()[2]
    return data.size if data is not None else 0


def _bits(data: pa.Buffer | None, array: pa.Array) -> np.ndarray:
    """Return the bytes of bits from the beginning to the end of an array."""
    size = -(-(array.offset + len(array)) // 8)
    return _view(data, np.dtype(np.uint8), 0, size) if data is not None else np.empty(0, np.uint8)


def _offsets(array: pa.Array) -> np.ndarray:
    kind = array.type
    wide = pa.types.is_large_list(kind) or pa.types.is_large_string(kind)
    dtype = np.dtype(np.int64 if wide or pa.types.is_large_binary(kind) else np.int32)
    if not len(array):  # the offsets of an empty array can be missing
        return np.zeros(1, dtype)
    return _view(array.buffers()[1], dtype, array.offset, len(array) + 1)


def _view(data: pa.Buffer, dtype: np.dtype, first: int, count: int) -> np.ndarray:
    if not count:
        return np.empty(0, dtype)
    values = np.frombuffer(data, dtype, count, first * dtype.itemsize)
    values.flags.writeable = False  # otherwise writable if Arrow allocated the memory
    return values
