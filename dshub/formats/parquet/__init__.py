"""Parquet, through Arrow: the columns of a table, some rows at a time.

A file is copied to a temporary one while it is read, since its directory is at its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dshub.errors import ReadError
from dshub.formats._records import (
    BATCH_BYTES,
    as_stored,
    only_part,
    path_of,
    plain_pieces,
    runs,
    translated,
    with_numbers,
)
from dshub.formats._stored import seekable
from dshub.formats.parquet.footer import Chunk, read_chunks

if TYPE_CHECKING:
    from dshub.formats import File, Output

MOST_ROWS = 1 << 16  # in a batch, however small its rows are said to be
LARGEST_BATCH = 16 << 20  # bytes, were all its texts as long as the longest that is repeated
SMALL_CHUNK = 1 << 20  # bytes of a chunk, up to which writers keep all values in its dictionary
_PROBE = 1 << 6  # rows in which a text should be that is not missing
_WIDTHS = {  # of a value in memory; BYTE_ARRAY has its offset, and its bytes in a page
    "BOOLEAN": 1,
    "INT32": 4,
    "INT64": 8,
    "INT96": 12,
    "FLOAT": 4,
    "DOUBLE": 8,
    "BYTE_ARRAY": 4,
}


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
                    metadata = pq.ParquetFile(copy, pre_buffer=False).metadata
                chunks = _chunks(copy, metadata, file.name)
                _check_promise(metadata, chunks, file)
                rows = 0
                for batch in plain_pieces(
                    self._batches(copy, metadata, chunks, file), self.columns, file
                ):
                    rows += batch.num_rows
                    yield batch
                if rows != metadata.num_rows:
                    reason = f"it promises {metadata.num_rows:,} rows, but holds {rows:,}"
                    raise ReadError(file=file.name, reason=reason)

    def _batches(
        self,
        copy: BinaryIO,
        metadata: pq.FileMetaData,
        chunks: Sequence[Chunk],
        file: "File",
    ) -> Iterator[pa.RecordBatch]:
        with translated(file.name):
            schema = metadata.schema.to_arrow_schema()
            wanted = self.columns.values()
            paths = [".".join(path_of(schema, path, file.name)) for path in wanted]
            step, repeated = _plan(copy, metadata, chunks, paths)
            table = pq.ParquetFile(
                copy, metadata=metadata, read_dictionary=repeated, pre_buffer=False
            )
            batches = table.iter_batches(batch_size=step, columns=paths or None)
        while True:
            with translated(file.name):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Columns that no feature asks for hold the row's number."""
        return with_numbers(rows, self.columns, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        (output,) = parts.values()
        for name, some in runs(rows, output):
            with output.create(name) as sink:
                pq.write_table(as_stored(some, self.columns), sink)


def _check_promise(metadata: pq.FileMetaData, chunks: Sequence[Chunk], file: "File") -> None:
    """Compare what all pages and values will take in memory with what the file may unpack to."""
    widths = [_WIDTHS.get(leaf.physical_type, leaf.length) for leaf in _leaves(metadata)]
    file.check_size(sum(max(one.size, one.values * widths[one.place]) for one in chunks))


def _plan(
    copy: BinaryIO, metadata: pq.FileMetaData, chunks: Sequence[Chunk], paths: Sequence[str]
) -> tuple[int, list[str]]:
    """Rows to read at a time, and the columns whose repeated values are to stay apart at first.

    A page of a few bytes can repeat one long text a million times. Arrow shows how long it is when
    it reads the dictionary alone.
    """
    step, repeated = _step(metadata), set[str]()
    for place, leaf in enumerate(_leaves(metadata)):
        if leaf.physical_type != "BYTE_ARRAY" or not _is_wanted(leaf.path, paths):
            continue
        suspects = [chunk for chunk in chunks if chunk.place == place and _may_repeat(chunk)]
        if not suspects:
            continue
        if not leaf.max_repetition_level and _are_small(suspects):
            repeated.add(leaf.path)
            continue
        for longest, values in _longest(copy, metadata, leaf, suspects):
            if not leaf.max_repetition_level:
                step = max(1, min(step, LARGEST_BATCH // longest))
            elif longest * values > LARGEST_BATCH:
                repeated.add(leaf.path)
    return step, sorted(repeated)


def _is_wanted(path: str, paths: Sequence[str]) -> bool:
    return not paths or any(f"{path}.".startswith(f"{wanted}.") for wanted in paths)


def _may_repeat(chunk: Chunk) -> bool:
    """Whether its values could take too many bytes, were each as long as the whole chunk."""
    return chunk.dictionary and chunk.size * chunk.values > LARGEST_BATCH


def _are_small(chunks: Sequence[Chunk]) -> bool:
    """Whether dictionaries hold all values, so that Arrow need not make any to keep them apart."""
    return all(chunk.size <= SMALL_CHUNK for chunk in chunks)


def _longest(
    copy: BinaryIO,
    metadata: pq.FileMetaData,
    leaf: pq.ColumnSchema,
    chunks: Sequence[Chunk],
) -> Iterator[tuple[int, int]]:
    """For each chunk of a column, the bytes of its longest value, and the number of its values."""
    table = pq.ParquetFile(
        copy, metadata=metadata, read_dictionary=[leaf.path], buffer_size=1 << 16, pre_buffer=False
    )
    for chunk in chunks:
        rows = table.iter_batches(batch_size=_PROBE, row_groups=[chunk.group], columns=[leaf.path])
        yield _longest_of(next(rows, None)) or chunk.size, chunk.values


def _longest_of(batch: pa.RecordBatch | None) -> int:
    """Bytes of the longest value in the dictionary of a column; 0 where it is not shown."""
    column = batch.column(0) if batch is not None else pa.array([], pa.null())
    while not pa.types.is_dictionary(column.type) and column.type.num_fields == 1:
        inner = column.flatten()
        column = inner[0] if isinstance(inner, list) else inner
    if not pa.types.is_dictionary(column.type):
        return 0
    return pc.max(pc.binary_length(column.dictionary)).as_py() or 0


def _leaves(metadata: pq.FileMetaData) -> list[pq.ColumnSchema]:
    return [metadata.schema.column(i) for i in range(metadata.num_columns)]


def _chunks(copy: BinaryIO, metadata: pq.FileMetaData, name: str) -> list[Chunk]:
    """The chunks of the footer, which have to be as many as Arrow counts, each of some bytes."""
    try:
        chunks = read_chunks(copy)
    except ValueError as error:
        raise ReadError(file=name, reason=str(error)) from error
    count = metadata.num_row_groups * metadata.num_columns
    if len(chunks) != count or any(
        min(chunk.values, chunk.size) < 0 or chunk.place >= metadata.num_columns for chunk in chunks
    ):
        reason = f"its footer describes {len(chunks):,} columns of row groups, not {count:,}"
        raise ReadError(file=name, reason=reason)
    return chunks


def _step(metadata: pq.FileMetaData) -> int:
    """Rows that are read at a time, so that they take a moderate number of bytes."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    sizes = [group.total_byte_size // max(1, group.num_rows) for group in groups]
    step: int = BATCH_BYTES // max([1, *sizes])
    return max(1, min(MOST_ROWS, step))
