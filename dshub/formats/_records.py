"""Helpers for parts, outputs, fixed-size records and Arrow tables, shared by several formats."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, ClassVar, TypeVar, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import DshubError, ReadError, SchemaError
from dshub.formats import File, Output, nested

T = TypeVar("T")

BATCH_BYTES = 8 << 20  # bytes per batch, over all columns


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Base class of this package's readers; see `dshub.formats.Reader`."""

    text_labels: ClassVar[bool] = False

    def filled(self) -> Iterable[str]:
        """Return the names of the columns that `complete` adds."""
        names: Iterable[str] = getattr(self, "columns", ())
        return names

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Add the missing columns as int32 row numbers."""
        numbers = pa.array(np.arange(first, first + rows.num_rows, dtype=np.int32))
        for name in self.filled():
            if name not in rows.schema.names:
                rows = rows.append_column(name, numbers)
        return rows


@contextmanager
def translated(name: str, reason: str = "it cannot be read") -> Iterator[None]:
    """Convert any exception to a ReadError with the name of the file.

    Arrow, zipfile and pickle raise many types of exceptions for damaged files.
    """
    try:
        yield
    except DshubError:
        raise
    except Exception as error:
        message = (str(error) or type(error).__name__).splitlines()[0]
        raise ReadError(file=name, reason=f"{reason}: {message[:300]}") from error


def mismatch(file: str, reason: str) -> ReadError:
    """Return the error for a manifest that does not match the format or the files."""
    hint = "correct the split's reader or files in its manifest"
    return ReadError(file=file, reason=reason, hint=hint)


def only_part(parts: Mapping[str, T]) -> tuple[str, T]:
    """Return the name and the files of the only part.

    Raises:
        ReadError: there is not exactly one part.
    """
    if len(parts) != 1:
        raise mismatch(", ".join(parts), f"this format reads exactly one part, not {len(parts)}")
    return next(iter(parts.items()))


def only_file(part: str, files: Sequence[File]) -> File:
    """Return the only file of a part.

    Raises:
        ReadError: there is not exactly one file.
    """
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or part
        reason = f"this format reads exactly one file for part {part!r}, not {len(files)}"
        raise mismatch(names, reason)
    return files[0]


def names_of(files: Mapping[str, Sequence[File]]) -> str:
    """Join the names of all files for an error message."""
    return ", ".join(file.name for of_part in files.values() for file in of_part)


def check_options(
    names: Iterable[str], columns: Mapping[str, Any], files: Mapping[str, Sequence[File]]
) -> None:
    """Raise ReadError if a reader option names a missing column."""
    for name in names:
        if name not in columns:
            reason = f"a reader option names {name!r}, but there is only {', '.join(columns)}"
            raise mismatch(names_of(files), reason)


def spread(rows: pa.RecordBatch, output: Output) -> Iterator[tuple[BinaryIO, pa.RecordBatch]]:
    """Yield each file of a part, open for writing, with an equal share of the rows."""
    count = len(output.members)
    for i, member in enumerate(output.members):
        begin, end = rows.num_rows * i // count, rows.num_rows * (i + 1) // count
        with output.create(matching_name(member)) as sink:
            yield sink, rows.slice(begin, end - begin)


def matching_name(pattern: str, number: int = 0) -> str:
    """Return a name that matches a pattern, with each `*` replaced by `number`."""
    return re.sub(
        r"\[(?P<first>[^]!])[^]]{0,99}\]|(?P<any>[*?])",
        lambda match: match["first"] or (str(number) if match["any"] == "*" else "0"),
        pattern,
    )


def fill(stream: Any, array: np.ndarray) -> int:
    """Fill a contiguous array from a stream and return the number of bytes read.

    The array is only partly filled if the stream ends.

    Args:
        stream: object with `readinto`.
        array: destination, filled in memory order.
    """
    view = memoryview(cast("Any", array.reshape(-1, order="A").view(np.uint8)))
    filled = 0
    while count := stream.readinto(view[filled:]):
        filled += count
    return filled


def records(file: File, stream: BinaryIO, size: int, *, step: int) -> Iterator[np.ndarray]:
    """Yield batches of `step` records of `size` bytes; the last batch can be smaller.

    Raises:
        ReadError: the file ends within a record.
    """
    offset, filled = 0, size
    while filled:
        batch = np.empty((step, size), np.uint8)
        filled = fill(stream, batch)
        offset += filled
        if partial := filled % size:
            reason = (
                f"it ends within a record: the record at byte {offset - partial:,} has "
                f"{partial:,} of {size:,} bytes"
            )
            raise ReadError(file=file.name, reason=reason)
        if filled:
            yield batch[: filled // size]


def as_images(planes: np.ndarray) -> pa.Array:
    """Convert an array (rows, channels, height, width) to a column of (height, width, channels).

    Copying one channel at a time is three times as fast as NumPy's transposed copy.
    """
    rows, channels, height, width = planes.shape
    images = np.empty((rows, height, width, channels), planes.dtype)
    for channel in range(channels):
        images[..., channel] = planes[:, channel]
    return nested(images)


def check_columns(rows: pa.RecordBatch, names: Iterable[str], *, where: str) -> None:
    """Raise SchemaError if rows to write lack a column."""
    for name in names:
        if name not in rows.schema.names:
            got = f"only {', '.join(rows.schema.names)}"
            raise SchemaError(where=where, expected=f"a column {name!r}", got=got)


def flat(rows: pa.RecordBatch, name: str, *, where: str) -> np.ndarray:
    """Convert a column of numbers or nested fixed-size lists to an array of (rows, *shape).

    Raises:
        SchemaError: the column is missing or not numeric.
    """
    check_columns(rows, [name], where=where)
    column = rows.column(name)
    shape = [len(column)]
    while pa.types.is_fixed_size_list(column.type):
        shape.append(column.type.list_size)
        column = column.flatten()
    if not pa.types.is_primitive(column.type):
        raise SchemaError(where=where, expected="numbers", got=str(column.type))
    return cast("np.ndarray", column.to_numpy()).reshape(shape)


def plain_pieces(
    batches: Iterable[pa.RecordBatch], columns: Mapping[str, str], file: File
) -> Iterator[pa.RecordBatch]:
    """Select columns, convert them to plain types and yield batches of moderate size.

    Call this within `translated`, because Arrow raises many types of errors for damaged offsets
    and text that is not UTF-8.

    Args:
        batches: batches from Arrow, with untrusted content.
        columns: path of each column, `struct.field` within a struct; empty for all columns.
        file: source of the batches.

    Raises:
        ReadError: a column is missing.
        UnsafeArchiveError: the values exceed the unpacked size allowed for the file.
    """
    total, size, waiting = 0, 0, list[pa.RecordBatch]()
    for batch in batches:
        selected = _selected(batch, columns, file.name)
        added = sum(map(_plain_size, selected.columns))
        total += added
        file.check_size(total)
        if waiting and size + added > BATCH_BYTES:
            yield from _pieces(waiting, size)
            size, waiting = 0, []
        size += added
        waiting.append(selected)
    yield from _pieces(waiting, size)


def _pieces(batches: list[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Merge small batches, or split a single large batch."""
    if len(batches) > 1:
        batches = pa.Table.from_batches(map(_plain, batches)).combine_chunks().to_batches()
    for batch in batches:
        step = max(1, batch.num_rows * BATCH_BYTES // max(1, size))
        for start in range(0, batch.num_rows, step):
            yield _plain(batch.slice(start, step))


def _selected(batch: pa.RecordBatch, columns: Mapping[str, str], name: str) -> pa.RecordBatch:
    """Validate a batch and select columns from it."""
    batch.validate(full=True)
    names = batch.schema.names
    if not columns and len(set(names)) < len(names):
        repeated = next(column for column in names if names.count(column) > 1)
        raise ReadError(file=name, reason=f"it has two columns named {repeated!r}")
    paths = columns or {column: column for column in names}
    return pa.RecordBatch.from_pydict(
        {column: _column(batch, path, name) for column, path in paths.items()}
    )


def _column(batch: pa.RecordBatch, path: str, name: str) -> pa.Array:
    first, *fields = path_of(batch.schema, path, name)
    column = batch.column(first)
    return pc.struct_field(column, fields) if fields else column


def path_of(schema: pa.Schema, path: str, name: str) -> list[str]:
    """Split a path into a column name and nested field names.

    Raises:
        ReadError: a column or field does not exist, or its name is not unique.
    """
    steps = [path] if path in schema.names else path.split(".")
    fields, kind = schema.names, None
    for i, step in enumerate(steps):
        if fields.count(step) != 1:
            place, noun = (f"column {'.'.join(steps[:i])!r}", "field") if i else ("it", "column")
            amount = "more than one" if step in fields else "no"
            listed = ", ".join(fields) or "none"
            raise mismatch(name, f"{place} has {amount} {noun} {step!r}; it has: {listed}")
        kind = (kind or schema).field(step).type
        fields = [field.name for field in kind] if pa.types.is_struct(kind) else []
    return steps


_LISTS = (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)


def _plain_size(column: pa.Array) -> int:
    """Return the size of a column with its dictionaries and views resolved.

    For nested dictionaries, this is an upper bound.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if pa.types.is_null(kind):
        return len(column)
    if pa.types.is_dictionary(kind):
        return _resolved_size(column)
    if pa.types.is_struct(kind):
        return sum(map(_plain_size, column.flatten()))
    size: int = column.nbytes
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        lengths = np.frombuffer(column.buffers()[1], "<i4")[::4]  # a view begins with its length
        size += int(lengths[column.offset : column.offset + len(column)].sum(dtype=np.int64))
    elif isinstance(column, _LISTS) and kind != _plain_type(kind):
        size += _plain_size(column.flatten())
    return size


def _resolved_size(column: pa.DictionaryArray) -> int:
    values, count = column.dictionary, len(column)
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        lengths = pc.binary_length(values).take(column.indices)
        return 4 * count + (pc.sum(lengths).as_py() or 0)
    if pa.types.is_primitive(values.type):
        return count * int(values.type.bit_width) // 8
    return count * _plain_size(values)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Resolve dictionaries, views and extension types, and use 32-bit offsets."""
    plain = [column.cast(_plain_type(column.type)) for column in batch.columns]
    return pa.RecordBatch.from_arrays(plain, names=batch.schema.names)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        kind = _plain_type(kind.storage_type)
    elif pa.types.is_dictionary(kind):
        kind = _plain_type(kind.value_type)
    elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    elif pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        kind = pa.binary()
    elif pa.types.is_fixed_size_list(kind):
        kind = pa.list_(_plain_type(kind.value_type), kind.list_size)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = pa.list_(_plain_type(kind.value_type))
    return kind


def as_stored(rows: pa.RecordBatch, columns: Mapping[str, str]) -> pa.Table:
    """Move columns to their paths; the inverse of `plain_pieces`."""
    if columns:
        fields = {path: rows.column(column) for column, path in columns.items()}
        rows = pa.RecordBatch.from_struct_array(_struct(fields))
    return pa.Table.from_batches([rows])


def _struct(fields: Mapping[str, pa.Array]) -> pa.StructArray:
    inner = defaultdict[str, dict[str, pa.Array]](dict)
    for path, values in fields.items():
        name, _, rest = path.partition(".")
        inner[name][rest] = values
    arrays = [own[""] if "" in own else _struct(own) for own in inner.values()]
    return pa.StructArray.from_arrays(arrays, list(inner))
