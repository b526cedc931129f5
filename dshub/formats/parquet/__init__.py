"""Parquet files, read with Arrow in batches of rows.

Each file is copied to a temporary file before it is read, because its footer is at the end. The
checksums of pages are verified if the file has them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dshub.errors import ReadError
from dshub.formats import File, Output
from dshub.formats._records import (
    BATCH_BYTES,
    Format,
    as_stored,
    only_part,
    path_of,
    plain_pieces,
    spread,
    translated,
)
from dshub.formats._stored import seekable
from dshub.formats.parquet.footer import Chunk, read_chunks

MOST_ROWS = 1 << 16  # rows per batch, because a declared row size can be too small
LARGEST_BATCH = 16 << 20  # bytes, assuming that every value is as long as the longest repeated one
SMALL_CHUNK = 1 << 20  # bytes; writers put all values of a smaller chunk into a dictionary
_PROBE = 1 << 6  # rows to search for a value that is not missing
_SIZES = {  # bytes per value in memory; for BYTE_ARRAY, only the offset
    "BOOLEAN": 1,
    "INT32": 4,
    "INT64": 8,
    "INT96": 12,
    "FLOAT": 4,
    "DOUBLE": 8,
    "BYTE_ARRAY": 4,
}


class Reader(Format, frozen=True):
    """Read columns from the files of the only part, in order.

    Values keep their types, but dictionaries are resolved and offsets have 32 bits. Batches have
    the metadata of the file.

    Attributes:
        columns: path of each column in the file, a column name or `struct.field` (Hugging Face
            stores images in `image.bytes`). Empty for all columns.
    """

    columns: dict[str, str] = {}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files)[1]:
            with seekable(file) as copy, translated(file.name):
                table = _Table(copy)
                file.check_size(table.unpacked_size())
                schema = table.metadata.schema.to_arrow_schema()
                paths = [path_of(schema, path, file.name) for path in self.columns.values()]
                batches = table.batches([".".join(path) for path in paths])
                rows = 0
                for batch in plain_pieces(batches, self.columns, file):
                    rows += batch.num_rows
                    yield batch.replace_schema_metadata(table.metadata.metadata)
                if rows != table.metadata.num_rows:
                    promised = f"its footer promises {table.metadata.num_rows:,} rows"
                    reason = f"{promised}, but it has {rows:,}"
                    raise ReadError(file=file.name, reason=reason)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            pq.write_table(as_stored(some, self.columns), sink)


class _Table:
    """A Parquet file on disk, read in batches of moderate size in memory.

    A page of a few bytes can repeat one long string a million times. Reading the dictionary alone
    reveals the length of the string.
    """

    def __init__(self, copy: BinaryIO) -> None:
        """Read the footer.

        Raises:
            ValueError: the footer is malformed or contradicts itself.
        """
        self._copy = copy
        self.metadata = pq.ParquetFile(copy, pre_buffer=False).metadata
        columns = self.metadata.num_columns
        self._leaves = [self.metadata.schema.column(i) for i in range(columns)]
        self._chunks = read_chunks(copy)
        count = self.metadata.num_row_groups * columns
        if len(self._chunks) != count or any(
            min(chunk.values, chunk.size) < 0 or chunk.place >= columns for chunk in self._chunks
        ):
            raise ValueError(f"its footer describes {len(self._chunks):,} chunks, not {count:,}")

    def _open(self, dictionaries: Sequence[str], **options: Any) -> pq.ParquetFile:
        options |= {"metadata": self.metadata, "pre_buffer": False}
        options |= {"page_checksum_verification": True}
        return pq.ParquetFile(self._copy, read_dictionary=list(dictionaries), **options)

    def unpacked_size(self) -> int:
        """Return the bytes of all pages and values in memory, according to the footer."""
        sizes = [_SIZES.get(leaf.physical_type, leaf.length) for leaf in self._leaves]
        return sum(max(one.size, one.values * sizes[one.place]) for one in self._chunks)

    def batches(self, paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield batches of the columns at `paths`, or of all columns if `paths` is empty."""
        step, repeated = self._plan(paths)
        table = self._open(repeated)
        yield from table.iter_batches(batch_size=step, columns=paths or None)

    def _plan(self, paths: Sequence[str]) -> tuple[int, list[str]]:
        """Return the number of rows per batch, and the columns to read as dictionaries."""
        step, repeated = self._step(), list[str]()
        for place, leaf in enumerate(self._leaves):
            if leaf.physical_type != "BYTE_ARRAY" or not _is_selected(leaf.path, paths):
                continue
            suspects = [one for one in self._chunks if one.place == place and _may_repeat(one)]
            is_list = leaf.max_repetition_level > 0
            if not suspects:
                continue
            if not is_list and all(one.size <= SMALL_CHUNK for one in suspects):
                repeated.append(leaf.path)
                continue
            table = self._open([leaf.path], buffer_size=1 << 16)
            longest = {one: _longest(table, leaf.path, one) for one in suspects}
            if not is_list:
                step = max(1, min(step, LARGEST_BATCH // max(longest.values())))
            elif any(size * one.values > LARGEST_BATCH for one, size in longest.items()):
                repeated.append(leaf.path)
        return step, repeated

    def _step(self) -> int:
        groups = [self.metadata.row_group(i) for i in range(self.metadata.num_row_groups)]
        sizes = [group.total_byte_size // max(1, group.num_rows) for group in groups]
        return max(1, min(MOST_ROWS, BATCH_BYTES // int(max([1, *sizes]))))


def _longest(table: pq.ParquetFile, path: str, chunk: Chunk) -> int:
    """Return the size of the longest value in a chunk, or the size of the chunk if unknown."""
    rows = table.iter_batches(batch_size=_PROBE, row_groups=[chunk.group], columns=[path])
    batch = next(rows, None)
    column = batch.column(0) if batch is not None else pa.array([], pa.null())
    while not pa.types.is_dictionary(column.type) and column.type.num_fields == 1:
        inner = column.flatten()
        column = inner[0] if isinstance(inner, list) else inner
    if not pa.types.is_dictionary(column.type):
        return chunk.size
    return pc.max(pc.binary_length(column.dictionary)).as_py() or chunk.size


def _is_selected(path: str, paths: Sequence[str]) -> bool:
    return not paths or any(f"{path}.".startswith(f"{selected}.") for selected in paths)


def _may_repeat(chunk: Chunk) -> bool:
    """Return True if the values would be too large if each were as long as the whole chunk."""
    return chunk.dictionary and chunk.size * chunk.values > LARGEST_BATCH
