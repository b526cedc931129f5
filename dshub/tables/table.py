"""Read a table, memory-mapping its shards on first use."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from dshub.cache.files import map_file
from dshub.cache.paths import TABLE_FILE
from dshub.catalog.features import Feature
from dshub.errors import StoreError
from dshub.tables.columns import ChunkedColumn, Column, Values, check_array, column_of
from dshub.tables.record import TableRecord
from dshub.tables.types import arrow_schema


class Shards:
    """Rows in Arrow files.

    A file is mapped when one of its rows is first read. Columns are views of the memory map:
    reading them copies nothing, and processes share the pages.

    Args:
        files: the shards, in order.
        counts: number of rows in each shard.
        features: columns of every shard.
    """

    def __init__(
        self, files: Sequence[Path], counts: Sequence[int], features: Mapping[str, Feature]
    ) -> None:
        self.files, self._counts, self.features = list(files), list(counts), features
        self._batches: dict[int, pa.RecordBatch] = {}
        self._arrays: dict[tuple[int, str], pa.Array] = {}
        self._columns: dict[tuple[int, str], Column] = {}

    @cached_property
    def starts(self) -> np.ndarray:
        """Number of the first row of each shard, followed by the number of all rows."""
        return np.concatenate([[0], np.cumsum(self._counts)]).astype(np.int64)

    def arrow(self, name: str) -> list[pa.Array]:
        """Return a column as one memory-mapped Arrow array per shard."""
        return [self._array(shard, name) for shard in range(len(self.files))]

    def column(self, name: str) -> ChunkedColumn:
        """Return a column over all shards."""
        chunk = partial(self._column, name=name)
        return ChunkedColumn(self.starts, chunk, self.features[name])

    def values(self, shard: int, name: str) -> np.ndarray:
        """Return a column of a shard, which must be of rows of one shape, as a view."""
        return np.asarray(self._column(shard, name).span(0, self._counts[shard]))

    def gather(self, name: str, rows: np.ndarray) -> Values:
        """Return a copy of a column's rows with these int64 numbers, in the requested order."""
        return self.column(name).gather(rows)

    def span(self, name: str, start: int, stop: int) -> Values:
        """Return consecutive rows of a column, as read-only views if one shard has them all."""
        return self.column(name).span(start, stop)

    def _column(self, shard: int, name: str) -> Column:
        key = shard, name
        if key not in self._columns:
            fault = partial(_damaged, self.files[shard])
            array = self._batch(shard).column(name)
            self._columns[key] = column_of(array, self.features[name], fault)
        return self._columns[key]

    def _array(self, shard: int, name: str) -> pa.Array:
        key = shard, name
        if key not in self._arrays:
            array = self._batch(shard).column(name)
            check_array(array, self.features[name], partial(_damaged, self.files[shard]))
            self._arrays[key] = array
        return self._arrays[key]

    def _batch(self, shard: int) -> pa.RecordBatch:
        if shard not in self._batches:
            schema = arrow_schema(self.features)
            self._batches[shard] = open_shard(self.files[shard], self._counts[shard], schema)
        return self._batches[shard]


class Table(Shards):
    """A prepared split; opening it reads only `table.json`.

    Args:
        folder: folder with `table.json` and the shards.
    """

    def __init__(self, folder: Path) -> None:
        self.record = TableRecord.read(folder / TABLE_FILE)
        self.rows = self.record.rows
        super().__init__(
            [folder / shard.file for shard in self.record.shards],
            [shard.rows for shard in self.record.shards],
            self.record.manifest.split_features(self.record.split),
        )


def open_shard(path: Path, rows: int, schema: pa.Schema) -> pa.RecordBatch:
    """Memory-map a shard and return its only batch.

    Raises:
        StoreError: the shard is damaged, or has a different number of rows or schema.
    """
    try:
        batch = pa.ipc.open_stream(pa.py_buffer(map_file(path))).read_next_batch()
        batch.validate()  # checks that buffers are within the file
        if batch.num_rows != rows or not batch.schema.equals(schema):
            raise pa.ArrowInvalid("its rows or columns do not match table.json")
    except (OSError, pa.ArrowException, StopIteration, UnicodeDecodeError) as error:
        raise _damaged(path, str(error) or "it has no rows") from error
    return batch


def _damaged(path: Path, reason: str) -> StoreError:
    hint = "run `dshub verify NAME` to set damaged files aside, then `dshub prepare NAME`"
    return StoreError(path=str(path), action="read", reason=reason, hint=hint)
