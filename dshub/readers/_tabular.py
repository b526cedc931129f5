"""Columns of tables that Arrow reads: which are wanted, and in plain types."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import ReadError
from dshub.readers._records import BATCH_BYTES

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


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise ReadError, with the file's name, in place of what Arrow raises."""
    try:
        yield
    except DAMAGE as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise ReadError(file=name, reason=f"it cannot be read: {told[:300]}") from error


def checked(batch: pa.RecordBatch, columns: Mapping[str, str], name: str) -> pa.RecordBatch:
    """The wanted columns of a batch, in plain types.

    Args:
        batch: as Arrow read it; its bytes are not trusted.
        columns: where each column is, `struct.field` within a struct; all where there are none.
        name: of the file, for errors.

    Raises:
        ReadError: values are damaged (offsets, text that is not UTF-8); there is no such column.
    """
    with translated(name):
        batch.validate(full=True)
        names = batch.schema.names
        if not columns and len(set(names)) < len(names):
            twice = next(column for column, count in Counter(names).items() if count > 1)
            raise ReadError(file=name, reason=f"it has two columns {twice!r}")
        places = columns or {column: column for column in names}
        found = {column: plain(_column(batch, path, name)) for column, path in places.items()}
    return pa.RecordBatch.from_pydict(found)


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


def plain(column: pa.Array) -> pa.Array:
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


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch in slices of moderate size."""
    if not batch.num_rows:
        return
    step = max(1, batch.num_rows * BATCH_BYTES // max(1, batch.nbytes))
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)


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
