"""Reading a table: shards of a folder, mapped when a row of them is first asked for."""

from collections.abc import Mapping
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


class Table:
    """One prepared split.

    Args:
        folder: with `table.json` and the shards.

    Opening reads `table.json` alone. Columns are views of the memory map: reading them copies
    nothing, and many processes share the same pages.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = TableRecord.read(folder / TABLE_FILE)

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
    def _pieces(self) -> dict[tuple[int, str], pa.Array]:
        return {}

    @cached_property
    def _columns(self) -> dict[tuple[int, str], Column]:
        return {}

    def column(self, shard: int, name: str) -> Column:
        """One column of one shard, mapped on first use."""
        key = shard, name
        if key not in self._columns:
            path = self.folder / self.record.shards[shard].file
            array, feature = self._batch(shard).column(name), self.features[name]
            self._columns[key] = column_of(array, feature, partial(_damaged, path))
        return self._columns[key]

    def _piece(self, shard: int, name: str) -> pa.Array:
        """One column of one shard as Arrow keeps it, checked on first use."""
        key = shard, name
        if key not in self._pieces:
            path = self.folder / self.record.shards[shard].file
            array = self._batch(shard).column(name)
            check_array(array, self.features[name], partial(_damaged, path))
            self._pieces[key] = array
        return self._pieces[key]

    @property
    def files(self) -> list[Path]:
        """The shards, in order."""
        return [self.folder / shard.file for shard in self.record.shards]

    def arrow(self, name: str) -> list[pa.Array]:
        """One column as Arrow keeps it, a piece for each shard; views of the memory map."""
        return [self._piece(shard, name) for shard in range(len(self.record.shards))]

    def whole(self, name: str) -> ChunkedColumn:
        """One column over all shards."""
        chunk = partial(self.column, name=name)
        return ChunkedColumn(self.starts, chunk, self.features[name])

    def _batch(self, shard: int) -> pa.RecordBatch:
        if shard not in self._batches:
            record = self.record.shards[shard]
            wanted = arrow_schema(self.features)
            self._batches[shard] = open_shard(self.folder / record.file, record.rows, wanted)
        return self._batches[shard]

    def gather(self, name: str, rows: np.ndarray) -> Values:
        """Rows of a column by number, in the order given; something new.

        Args:
            name: of the column.
            rows: int64, each from 0 to `self.rows` - 1.
        """
        return self.whole(name).gather(rows)

    def span(self, name: str, start: int, stop: int) -> Values:
        """Consecutive rows of a column; read-only views where they lie in one shard."""
        return self.whole(name).span(start, stop)


def open_shard(path: Path, rows: int, schema: pa.Schema) -> pa.RecordBatch:
    """The one batch of a shard, whose buffers lie within the file."""
    try:
        batch = pa.ipc.open_stream(pa.py_buffer(map_file(path))).read_next_batch()
        batch.validate()
        if batch.num_rows != rows or not batch.schema.equals(schema):
            raise pa.ArrowInvalid("it holds other rows than table.json says")
    except (OSError, pa.ArrowException, StopIteration, UnicodeDecodeError) as error:
        raise _damaged(path, str(error) or "it holds no rows") from error
    return batch


def _damaged(path: Path, reason: str) -> StoreError:
    hint = "`dshub verify NAME` puts aside what is damaged; `dshub prepare NAME` makes it anew"
    return StoreError(path=str(path), action="read", reason=reason, hint=hint)
