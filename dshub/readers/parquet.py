"""Parquet, through Arrow: the columns of a table, some rows at a time.

A file is copied to a temporary one while it is read, since its directory is at its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dshub.errors import ReadError
from dshub.readers._arrays import with_numbers
from dshub.readers._records import BATCH_BYTES
from dshub.readers._runs import only_part, runs
from dshub.readers._scratch import seekable
from dshub.readers._tabular import as_stored, checked, path_of, pieces, translated

if TYPE_CHECKING:
    from dshub.readers import File, Output

MOST_ROWS = 1 << 16  # in a batch, however small its rows are said to be


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads the columns of the files of its one part, which follow one another.

    Values keep their types, but dictionaries are resolved and offsets have 32 bits.

    Attributes:
        columns: for each column, where it is in the file: its name there, or `struct.field`
            (Hugging Face keeps pictures in `image.bytes`); all columns where it is left out.
    """

    text_labels: ClassVar[bool] = False

    columns: dict[str, str] = {}

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files, "Parquet"):
            with seekable(file) as copy:
                with translated(file.name):
                    table = pq.ParquetFile(copy, pre_buffer=False)
                rows = 0
                for batch in self._batches(table, file.name):
                    yield from pieces(batch)
                    rows += batch.num_rows
                if rows != table.metadata.num_rows:
                    reason = f"it promises {table.metadata.num_rows:,} rows, but holds {rows:,}"
                    raise ReadError(file=file.name, reason=reason)

    def _batches(self, table: pq.ParquetFile, name: str) -> Iterator[pa.RecordBatch]:
        with translated(name):
            schema = table.schema_arrow
            paths = [".".join(path_of(schema, path, name)) for path in self.columns.values()]
            step = _step(table.metadata)
            batches = table.iter_batches(batch_size=step, columns=paths or None)
        while True:
            with translated(name):
                batch = next(batches, None)
            if batch is None:
                return
            yield checked(batch, self.columns, name)

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Columns that no feature asks for hold the row's number."""
        return with_numbers(rows, self.columns, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        (output,) = parts.values()
        for name, some in runs(rows, output):
            with output.create(name) as sink:
                pq.write_table(as_stored(some, self.columns), sink)


def _step(metadata: pq.FileMetaData) -> int:
    """Rows that are read at a time, so that they take a moderate number of bytes."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    sizes = [group.total_byte_size // max(1, group.num_rows) for group in groups]
    step: int = BATCH_BYTES // max([1, *sizes])
    return max(1, min(MOST_ROWS, step))
