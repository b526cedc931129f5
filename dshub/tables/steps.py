"""Apply the steps of a split to its batches."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from string import Formatter
from typing import Protocol, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub import formats
from dshub.catalog.features import NumberFeature
from dshub.catalog.manifest import (
    Attach,
    Cut,
    Drop,
    Join,
    Keep,
    Map,
    Match,
    Number,
    Rename,
    Stack,
    Step,
)
from dshub.errors import ReadError, SchemaError
from dshub.formats import File, nested
from dshub.tables.conforming import conform
from dshub.tables.types import is_text

Batches = Iterator[pa.RecordBatch]
ATTACHED_BYTES = 16 << 20  # bytes of attached files per batch


class Lookup(Protocol):
    """The files of a split that steps can read."""

    def files(self, part: str) -> Sequence[File]:
        """Return all files of a part."""

    def member(self, part: str, name: str) -> File:
        """Return the file of a part with this member name; raise ReadError if it is missing."""


def apply(batches: Batches, steps: Sequence[Step], lookup: Lookup) -> Batches:
    """Return the rows after all steps.

    Raises:
        SchemaError: a step uses a missing column.
        ReadError: a list cannot be read, a list does not have exactly one match for each row to
            join, or the file of a row is missing.
    """
    for step in steps:
        batches = _apply(batches, step, lookup)
    return batches


def _apply(batches: Batches, step: Step, lookup: Lookup) -> Batches:  # noqa: C901, PLR0911, PLR0912  # a case each
    match step:
        case Rename():
            return map(partial(renamed, columns=step.columns), batches)
        case Map():
            return map(partial(mapped, step=step), batches)
        case Cut():
            return map(partial(cut, step=step), batches)
        case Keep():
            return (batch.filter(_is_listed(batch, step)) for batch in batches)
        case Drop():
            return (batch.filter(pc.invert(_is_listed(batch, step))) for batch in batches)
        case Number():
            return _number(batches, step.column, step.first)
        case Match():
            return _match(batches, step, lookup)
        case Join():
            return _join(batches, step, lookup)
        case Attach():
            return _attach(batches, step, lookup)
        case Stack():
            return _stack(batches, step)
        case _:
            assert_never(step)


def column(batch: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """Return a column of a batch; raise SchemaError if it is missing."""
    if name not in batch.schema.names:
        names = ", ".join(batch.schema.names)
        expected = f"a column {name!r}"
        raise SchemaError(where="a step of the split", expected=expected, got=f"columns {names}")
    return batch.column(name)


def texts(values: pa.Array) -> pa.Array:
    """Convert values to text, which steps compare."""
    return values.cast(pa.string())


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """Return a batch with a column added or replaced."""
    columns = {other: batch.column(other) for other in batch.schema.names}
    return pa.RecordBatch.from_pydict(columns | {name: values})


def renamed(batch: pa.RecordBatch, columns: Mapping[str, str]) -> pa.RecordBatch:
    """Apply a `Rename` step to a batch."""
    for name in columns:
        column(batch, name)
    return batch.rename_columns([columns.get(name, name) for name in batch.schema.names])


def mapped(batch: pa.RecordBatch, step: Map) -> pa.RecordBatch:
    """Apply a `Map` step to a batch."""
    values = texts(column(batch, step.column))
    places = pc.index_in(values, value_set=pa.array(step.values.keys(), pa.string()))
    replacements = pa.array(step.values.values(), pa.string()).take(places)
    return with_column(batch, step.column, pc.coalesce(replacements, values))


def cut(batch: pa.RecordBatch, step: Cut) -> pa.RecordBatch:
    """Apply a `Cut` step to a batch."""
    parts = pc.split_pattern(texts(column(batch, step.column)), step.before, max_splits=1)
    return with_column(batch, step.column, pc.list_element(parts, 0))


def _is_listed(batch: pa.RecordBatch, step: Keep | Drop) -> pa.Array:
    values = pa.array(step.values, pa.string())
    return pc.is_in(texts(column(batch, step.column)), value_set=values)


def _number(batches: Batches, name: str, first: int) -> Batches:
    for batch in batches:
        numbers = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
        yield with_column(batch, name, numbers)
        first += batch.num_rows


def _keys(batch: pa.RecordBatch | pa.Table, on: Sequence[str]) -> list[str]:
    """Return a key for each row that joins the values of the columns `on` as text."""
    parts = [texts(column(batch, name)).to_pylist() for name in on]
    return ["\x1f".join(map(str, key)) for key in zip(*parts, strict=True)]


def _match(batches: Batches, step: Match, lookup: Lookup) -> Batches:
    listed = {key for batch in _read_list(step, lookup) for key in _keys(batch, step.on)}
    missing = set(listed)
    for batch in batches:
        keys = _keys(batch, step.on)
        missing.difference_update(keys)
        yield batch.filter(pa.array([(key in listed) is step.keep for key in keys], pa.bool_()))
    if missing:
        reason = f"it lists {len(missing):,} rows that do not exist, such as {_shown(min(missing))}"
        raise _list_error(step, lookup, reason)


def _join(batches: Batches, step: Join, lookup: Lookup) -> Batches:
    listed = _read_list(step, lookup)
    parts = list(_number(listed, step.number, 1) if step.number else listed)
    if not parts:
        raise _list_error(step, lookup, "it has no rows")
    table = pa.Table.from_batches(parts)
    places: dict[str, int] = {}
    for i, key in enumerate(_keys(table, step.on)):
        if places.setdefault(key, i) != i:
            raise _list_error(step, lookup, f"it has two rows for {_shown(key)}")
    for batch in batches:
        keys = _keys(batch, step.on)
        missing = next((key for key in keys if key not in places), None)
        if missing is not None:
            raise _list_error(step, lookup, f"it has no row for {_shown(missing)}")
        rows = table.take(pa.array([places[key] for key in keys], pa.int64()))
        for name in step.columns:
            batch = with_column(batch, name, column(rows, name).combine_chunks())  # noqa: PLW2901
        yield batch


def _read_list(step: Match | Join, lookup: Lookup) -> Batches:
    return formats.create(step.reader).read({step.part: lookup.files(step.part)})


def _shown(key: str) -> str:
    return repr(key.replace("\x1f", ", "))


def _list_error(step: Match | Join, lookup: Lookup, reason: str) -> ReadError:
    names = ", ".join(file.name for file in lookup.files(step.part)[:3])
    return ReadError(file=names, reason=reason)


def _stack(batches: Batches, step: Stack) -> Batches:
    row = 0
    for batch in batches:
        yield stacked(batch, step, first_row=row)
        row += batch.num_rows


def stacked(batch: pa.RecordBatch, step: Stack, *, first_row: int) -> pa.RecordBatch:
    """Apply a `Stack` step to a batch; `first_row` is the number of its first row, for errors."""
    is_float = step.dtype.startswith("float")
    feature = NumberFeature(dtype=step.dtype, missing=step.missing if is_float else ())
    found = dict(zip(batch.schema.names, batch.columns, strict=True))
    members = [found[name] if name in found else column(batch, name) for name in step.columns]
    members = list(map(_with_nan, members)) if is_float else members
    numbers = conform(
        pa.RecordBatch.from_arrays(members, list(step.columns)),
        dict.fromkeys(step.columns, feature),
        where=f"column {step.column}",
        first_row=first_row,
    )
    values = np.array([values.to_numpy(zero_copy_only=False) for values in numbers.columns])
    arrays = values.T.reshape(-1, *(step.shape or (len(step.columns),)))
    used = set(step.columns)
    columns = {name: values for name, values in found.items() if name not in used}
    return pa.RecordBatch.from_pydict({**columns, step.column: nested(arrays)})


def _with_nan(values: pa.Array) -> pa.Array:
    """Replace missing numbers by NaN."""
    if not values.null_count or is_text(values.type):
        return values
    return values.cast(pa.float64()).fill_null(float("nan"))


def _attach(batches: Batches, step: Attach, lookup: Lookup) -> Batches:
    for batch in batches:
        contents: list[bytes] = []
        begin = size = 0
        for i, path in enumerate(paths(batch, step.path)):
            with lookup.member(step.part, path).open() as stream:
                contents.append(stream.read())
            size += len(contents[-1])
            if size >= ATTACHED_BYTES or i + 1 == batch.num_rows:
                rows = batch.slice(begin, i + 1 - begin)
                yield with_column(rows, step.column, pa.array(contents, pa.binary()))
                contents, begin, size = [], i + 1, 0


def paths(batch: pa.RecordBatch, path: str) -> list[str]:
    """Return the member name for each row, from a pattern such as `{id}.jpg`."""
    names = pattern_columns(path)
    for name in names:
        column(batch, name)
    rows = batch.select(names).to_pylist()
    try:
        return [path.format(**row) for row in rows]
    except (ValueError, TypeError) as error:
        raise ReadError(file=path, reason=f"the pattern does not match a row: {error}") from None


def pattern_columns(path: str) -> list[str]:
    """Return the names of the columns in a pattern."""
    return [name for _, name, _, _ in Formatter().parse(path) if name]
