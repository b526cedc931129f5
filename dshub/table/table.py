"""Reading a table: columns as NumPy views of the memory map, and rows gathered from them."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa

from dshub.errors import StoreError
from dshub.manifest import Feature
from dshub.schema import arrow_schema, row_dtype, row_shape
from dshub.table.record import TableRecord

Values = np.ndarray | list[str]
"""A column or a part of it: an array, or a list of `str` for text."""


class Column(Protocol):
    """One column of one shard."""

    def __len__(self) -> int: ...
    def gather(self, rows: np.ndarray) -> Values:
        """The rows of those numbers, int64, in that order; a new array."""

    def span(self, start: int, stop: int) -> Values:
        """Consecutive rows; a read-only view where the type allows."""


class ArrayColumn:
    """Rows of one dtype and shape, viewed in place."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return self.values.take(rows, axis=0)

    def gather_into(self, out: np.ndarray, places: np.ndarray, rows: np.ndarray) -> None:
        """Put the rows of those numbers at those places of `out`."""
        out[places] = self.values[rows]

    def span(self, start: int, stop: int) -> np.ndarray:
        return self.values[start:stop]


class TextColumn:
    """Strings, made when they are asked for.

    Where each lies is checked as it is read: to believe a damaged offset would end the process.
    """

    def __init__(self, values: pa.Array, path: Path) -> None:
        self.values, self._path = values, path
        _, offsets, data = values.buffers()
        self._offsets = np.frombuffer(offsets, np.int32, len(values) + 1)
        self._size = data.size if data is not None else 0

    def __len__(self) -> int:
        return len(self.values)

    def gather(self, rows: np.ndarray) -> list[str]:
        self._check(self._offsets[rows], self._offsets[rows + 1])
        return self._strings(self.values.take(pa.array(rows)))

    def span(self, start: int, stop: int) -> list[str]:
        offsets = self._offsets[start : stop + 1]
        self._check(offsets[:-1], offsets[1:])
        return self._strings(self.values[start:stop])

    def _check(self, starts: np.ndarray, stops: np.ndarray) -> None:
        if ((starts < 0) | (starts > stops) | (stops > self._size)).any():
            raise _damaged(self._path, "a text lies outside of it")

    def _strings(self, values: pa.Array) -> list[str]:
        try:
            return cast("list[str]", values.to_pylist())
        except UnicodeDecodeError as error:
            raise _damaged(self._path, f"a text is not UTF-8: {error.reason}") from error


class Table:
    """One prepared split.

    Args:
        folder: with `table.json` and the shards.

    Opening reads `table.json` alone. Columns are views of the memory map: reading them copies
    nothing, and many processes share the same pages.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = TableRecord.read(folder)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.record.rows

    @cached_property
    def features(self) -> Mapping[str, Feature]:
        """The columns and what they hold."""
        return self.record.manifest.split_features(self.record.split)

    @cached_property
    def starts(self) -> np.ndarray:
        """Number of the first row of each shard, and the number of all rows at the end."""
        counts = [shard.rows for shard in self.record.shards]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @cached_property
    def _batches(self) -> dict[int, pa.RecordBatch]:
        return {}

    @cached_property
    def _columns(self) -> dict[tuple[int, str], ArrayColumn | TextColumn]:
        return {}

    def column(self, shard: int, name: str) -> ArrayColumn | TextColumn:
        """One column of one shard, mapped on first use."""
        key = shard, name
        if key not in self._columns:
            path = self.folder / self.record.shards[shard].file
            self._columns[key] = _column(self._batch(shard).column(name), self.features[name], path)
        return self._columns[key]

    def _batch(self, shard: int) -> pa.RecordBatch:
        if shard not in self._batches:
            record = self.record.shards[shard]
            wanted = arrow_schema(self.features)
            self._batches[shard] = _open(self.folder / record.file, record.rows, wanted)
        return self._batches[shard]

    def gather(self, name: str, rows: np.ndarray) -> Values:
        """Rows of a column by number, in the order given; a new array, or a list for text.

        Args:
            rows: int64, each from 0 to `self.rows` - 1.
        """
        if len(self.record.shards) == 1:
            return self.column(0, name).gather(rows)
        shards = np.searchsorted(self.starts, rows, side="right") - 1
        feature = self.features[name]
        dtype = row_dtype(feature)
        if dtype is None:
            return self._gather_text(name, rows, shards)
        out = np.empty((len(rows), *row_shape(feature)), dtype)
        for shard in np.unique(shards):
            places = np.flatnonzero(shards == shard)
            column = cast("ArrayColumn", self.column(int(shard), name))
            column.gather_into(out, places, rows[places] - self.starts[shard])
        return out

    def _gather_text(self, name: str, rows: np.ndarray, shards: np.ndarray) -> list[str]:
        out = [""] * len(rows)
        for shard in np.unique(shards):
            places = np.flatnonzero(shards == shard)
            found = self.column(int(shard), name).gather(rows[places] - self.starts[shard])
            for place, text in zip(places, found, strict=True):
                out[place] = text
        return out

    def span(self, name: str, start: int, stop: int) -> Values:
        """Consecutive rows of a column; a read-only view where they lie in one shard."""
        shards = range(len(self.record.shards))
        pieces = [
            self.column(shard, name).span(max(start, begin) - begin, min(stop, end) - begin)
            for shard, begin, end in zip(shards, self.starts[:-1], self.starts[1:], strict=True)
            if start < end and stop > begin
        ]
        return joined(pieces, self.features[name])


def joined(pieces: Sequence[Any], feature: Feature) -> Values:
    """Pieces of a column one behind the other; a single piece as it is."""
    if len(pieces) == 1:
        return cast("Values", pieces[0])
    dtype = row_dtype(feature)
    if dtype is None:
        return [text for piece in pieces for text in piece]
    if not pieces:
        return np.empty((0, *row_shape(feature)), dtype)
    return np.concatenate(pieces)


def _open(path: Path, rows: int, schema: pa.Schema) -> pa.RecordBatch:
    """The one batch of a shard, whose buffers lie within the file."""
    try:
        batch = pa.ipc.open_stream(pa.memory_map(str(path))).read_next_batch()
        batch.validate()
        if batch.num_rows != rows or not batch.schema.equals(schema):
            raise pa.ArrowInvalid("it holds other rows than table.json says")
    except (OSError, pa.ArrowException, StopIteration, UnicodeDecodeError) as error:
        raise _damaged(path, str(error) or "it holds no rows") from error
    return batch


def _damaged(path: Path, reason: str) -> StoreError:
    hint = "`dshub verify NAME` puts aside what is damaged; `dshub prepare NAME` makes it anew"
    return StoreError(path=str(path), action="read", reason=reason, hint=hint)


def _column(array: pa.Array, feature: Feature, path: Path) -> ArrayColumn | TextColumn:
    dtype = row_dtype(feature)
    if dtype is None:
        return TextColumn(array, path)
    rows = len(array)
    while pa.types.is_fixed_size_list(array.type):
        array = array.values
    # not array.to_numpy(): where pandas is installed, that imports it, for a fifth of a second
    values = np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)
    return ArrayColumn(values.reshape((rows, *row_shape(feature))))
