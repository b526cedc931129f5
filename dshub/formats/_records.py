"""Records, columns and tables that several formats share.

Rows that go into several files of one part, and the parts that a format takes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import ReadError, SchemaError

if TYPE_CHECKING:
    from dshub.formats import File, Output


def runs(rows: pa.RecordBatch, output: "Output") -> Iterator[tuple[str, pa.RecordBatch]]:
    """The name of each file, and the rows that it gets: the same number each, in their order."""
    names = [_name(member) for member in output.members]
    for i, name in enumerate(names):
        begin, end = (rows.num_rows * place // len(names) for place in (i, i + 1))
        yield name, rows.slice(begin, end - begin)


def _name(member: str) -> str:
    """A name that a pattern fits; a plain name is itself."""
    return re.sub(r"\[(\w)[^]]{0,99}\]", r"\1", member.replace("*", "0").replace("?", "0"))


def only_part(files: Mapping[str, Sequence["File"]], form: str) -> Sequence["File"]:
    """The files of the one part that there is.

    Raises:
        ReadError: there are several, and the format does not tell them apart.
    """
    if len(files) != 1:
        names = ", ".join(file.name for found in files.values() for file in found)
        reason = f"{form} is read from one part, but the parts are {', '.join(files)}"
        raise ReadError(file=names, reason=reason)
    return next(iter(files.values()))


BATCH_BYTES = 8 << 20  # of all columns together


class Bytes(Protocol):
    """What is read like a stream."""

    def readinto(self, view: Any, /) -> int | None:
        """The number of bytes that were read; 0 at the end."""


def fill(stream: BinaryIO | Bytes, array: np.ndarray) -> int:
    """Read into a contiguous array; the number of bytes is smaller only at the end."""
    view = memoryview(cast("Any", array.reshape(-1).view(np.uint8)))
    filled = 0
    while filled < len(view):
        count = cast("Any", stream).readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled


def records(file: "File", stream: BinaryIO, size: int, *, step: int) -> Iterator[np.ndarray]:
    """The records of a file, uint8, (records, size), `step` at a time; the last may be fewer.

    Raises:
        ReadError: the file ends within a record.
    """
    offset = 0
    while True:
        found = np.empty((step, size), np.uint8)
        filled = fill(stream, found)
        whole, rest = divmod(filled, size)
        if rest:
            place = offset + filled - rest
            reason = (
                f"it ends within a record: {rest:,} bytes follow at byte {place:,}, "
                f"and a record has {size:,}"
            )
            raise ReadError(file=file.name, reason=reason)
        if whole:
            yield found[:whole]
        if whole < step:
            return
        offset += filled


def channels_last(planes: np.ndarray) -> np.ndarray:
    """(rows, channels, height, width) as (rows, height, width, channels), contiguous.

    A channel at a time: that is three times as fast as NumPy's copy of the transposed whole.
    """
    rows, channels, height, width = planes.shape
    pictures = np.empty((rows, height, width, channels), planes.dtype)
    for channel in range(channels):
        pictures[..., channel] = planes[:, channel]
    return pictures


def nested(array: np.ndarray) -> pa.Array:
    """(rows, *shape) as nested fixed-size lists, without a copy where it is contiguous."""
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def flat(rows: pa.RecordBatch, name: str, *, where: str) -> np.ndarray:
    """A column of numbers, or of nested fixed-size lists of them, as (rows, *shape).

    Raises:
        SchemaError: there is no such column, or it holds something else.
    """
    if name not in rows.schema.names:
        found = ", ".join(rows.schema.names)
        raise SchemaError(where=where, expected="that column", got=f"only {found}")
    column = rows.column(name)
    shape = [len(column)]
    while pa.types.is_fixed_size_list(column.type):
        shape.append(column.type.list_size)
        column = column.flatten()
    if not pa.types.is_primitive(column.type):
        raise SchemaError(where=where, expected="numbers", got=str(column.type))
    return cast("np.ndarray", column.to_numpy()).reshape(shape)


def with_numbers(rows: pa.RecordBatch, names: Iterable[str], first: int) -> pa.RecordBatch:
    """Rows with further columns, int32, that hold `first`, `first + 1` and so on."""
    numbers = pa.array(np.arange(first, first + rows.num_rows, dtype=np.int32))
    for name in names:
        if name not in rows.schema.names:
            rows = rows.append_column(name, numbers)
    return rows


DAMAGE = (  # what Arrow raises for a file that is damaged, or not what it says
    pa.ArrowException,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
)


_LISTS = (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise ReadError, with the file's name, in place of what Arrow raises."""
    try:
        yield
    except DAMAGE as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise ReadError(file=name, reason=f"it cannot be read: {told[:300]}") from error


def plain_pieces(
    batches: Iterable[pa.RecordBatch], columns: Mapping[str, str], file: "File"
) -> Iterator[pa.RecordBatch]:
    """The wanted columns in plain types, in batches of moderate size.

    Args:
        batches: as Arrow read them; their bytes are not trusted.
        columns: where each column is, `struct.field` within a struct; all where there are none.
        file: from which they come.

    Raises:
        ReadError: values are damaged (offsets, text that is not UTF-8); there is no such column.
        UnsafeArchiveError: they are more than the file may unpack to.
    """
    total, size, waiting = 0, 0, list[dict[str, pa.Array]]()
    for batch in batches:
        with translated(file.name):
            wanted = _wanted(batch, columns, file.name)
            added = sum(map(_plain_size, wanted.values()))
        total += added
        file.check_size(total)
        if waiting and size + added > BATCH_BYTES:
            yield from _pieces(waiting, size, file.name)
            size, waiting = 0, []
        size += added
        waiting.append(wanted)
    if waiting:
        yield from _pieces(waiting, size, file.name)


def _pieces(
    batches: Sequence[Mapping[str, pa.Array]], size: int, name: str
) -> Iterator[pa.RecordBatch]:
    """One batch of several small ones, or several of a large one."""
    first, *others = batches
    if others:
        with translated(name):
            first = {
                column: pa.concat_arrays([_plain(batch[column]) for batch in batches])
                for column in first
            }
    rows = max(map(len, first.values()), default=0)
    step = max(1, rows * BATCH_BYTES // max(1, size))
    for start in range(0, rows, step):
        with translated(name):
            piece = {column: _plain(item.slice(start, step)) for column, item in first.items()}
        yield pa.RecordBatch.from_pydict(piece)


def _wanted(batch: pa.RecordBatch, columns: Mapping[str, str], name: str) -> dict[str, pa.Array]:
    """The columns that are asked for, checked."""
    batch.validate(full=True)
    names = batch.schema.names
    if not columns and len(set(names)) < len(names):
        twice = next(column for column, count in Counter(names).items() if count > 1)
        raise ReadError(file=name, reason=f"it has two columns {twice!r}")
    places = columns or {column: column for column in names}
    return {column: _column(batch, path, name) for column, path in places.items()}


def _plain_size(column: pa.Array) -> int:
    """The bytes of a column without dictionaries and views, each of whose values may be repeated.

    Of nested dictionaries it is the most that they can take.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    size: int = column.nbytes
    if pa.types.is_null(kind):
        size = len(column)
    elif pa.types.is_dictionary(kind):
        size = _resolved_size(column)
    elif pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        lengths = np.frombuffer(column.buffers()[1], "<i4")[::4]  # each view begins with its length
        size += int(lengths[column.offset : column.offset + len(column)].sum(dtype=np.int64))
    elif pa.types.is_struct(kind):
        size = sum(map(_plain_size, column.flatten()))
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


def path_of(schema: pa.Schema, path: str, name: str) -> list[str]:
    """The column and the fields within it that a path means.

    Raises:
        ReadError: there is no such column, or more than one.
    """
    steps = [path] if path in schema.names else path.split(".")
    if schema.names.count(steps[0]) != 1:
        told = ", ".join(schema.names)
        raise ReadError(file=name, reason=f"it has no one column {path!r}, but {told}")
    kind = schema.field(steps[0]).type
    for step in steps[1:]:
        fields = [field.name for field in kind] if pa.types.is_struct(kind) else []
        if fields.count(step) != 1:
            told = ", ".join(fields) or "none"
            reason = f"its column {steps[0]!r} has no field for {path!r}; it has {told}"
            raise ReadError(file=name, reason=reason)
        kind = kind.field(step).type
    return steps


def _column(batch: pa.RecordBatch, path: str, name: str) -> pa.Array:
    first, *fields = path_of(batch.schema, path, name)
    column = batch.column(first)
    for field in fields:
        column = pc.struct_field(column, field)  # a struct that is missing misses its fields
    return column


def _plain(column: pa.Array) -> pa.Array:
    """The same values without dictionaries, and with 32-bit offsets."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    wanted = _plain_type(column.type)
    return column if column.type == wanted else column.cast(wanted)


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
    """Rows as a file holds them: `checked` of them gives the rows again."""
    if not columns:
        return pa.Table.from_batches([rows])
    structs: dict[str, dict[str, pa.Array]] = {}
    found: dict[str, pa.Array] = {}
    for column, path in columns.items():
        first, dot, field = path.partition(".")
        if dot:
            structs.setdefault(first, {})[field] = rows.column(column)
        else:
            found[first] = rows.column(column)
    for first, fields in structs.items():
        found[first] = _struct(fields)
    return pa.table(found)


def _struct(fields: Mapping[str, pa.Array]) -> pa.Array:
    inner: dict[str, pa.Array] = {}
    deeper: dict[str, dict[str, pa.Array]] = {}
    for path, values in fields.items():
        first, dot, rest = path.partition(".")
        if dot:
            deeper.setdefault(first, {})[rest] = values
        else:
            inner[first] = values
    inner |= {first: _struct(found) for first, found in deeper.items()}
    return pa.StructArray.from_arrays(list(inner.values()), list(inner))
