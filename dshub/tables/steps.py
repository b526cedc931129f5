"""The steps of a split, taken in order, a batch at a time."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from string import Formatter
from typing import Protocol, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub import formats
from dshub.catalog.manifest import Attach, Cut, Drop, Join, Keep, Map, Match, Number, Rename, Step
from dshub.errors import ReadError
from dshub.formats import File

Batches = Iterator[pa.RecordBatch]
ATTACHED_BYTES = 16 << 20  # of attached files in a batch


class Lookup(Protocol):
    """The files of a split that steps ask for."""

    def files(self, part: str) -> Sequence[File]:
        """All files of a part."""

    def member(self, part: str, name: str) -> File:
        """One of them; raises ReadError where there is none of that name."""


def apply(batches: Batches, steps: Sequence[Step], lookup: Lookup) -> Batches:
    """The rows after all steps.

    Raises:
        ReadError: a column that a step speaks of is not there; a list cannot be read; a row has
            no partner, or two; a file that a row names is not there.
    """
    for step in steps:
        batches = _step(batches, step, lookup)
    return batches


def _step(batches: Batches, step: Step, lookup: Lookup) -> Batches:  # noqa: C901, PLR0911  # a case each
    match step:
        case Rename():
            return map(partial(renamed, columns=step.columns), batches)
        case Map():
            return map(partial(mapped, step=step), batches)
        case Cut():
            return map(partial(cut, step=step), batches)
        case Keep():
            return (batch.filter(_among(batch, step.column, step.values)) for batch in batches)
        case Drop():
            return (
                batch.filter(pc.invert(_among(batch, step.column, step.values)))
                for batch in batches
            )
        case Number():
            return _number(batches, step.column, step.first)
        case Match():
            return _match(batches, step, lookup)
        case Join():
            return _join(batches, step, lookup)
        case Attach():
            return _attach(batches, step, lookup)
        case _:
            assert_never(step)


def column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column of a batch; raises ReadError where there is none."""
    if name not in batch.schema.names:
        found = ", ".join(batch.schema.names)
        raise ReadError(file=found, reason=f"a step needs a column {name!r} beside these")
    return batch.column(name)


def texts(values: pa.Array) -> pa.Array:
    """Values as text, as steps compare them."""
    return values.cast(pa.string())


def keys(batch: pa.RecordBatch, on: Sequence[str]) -> list[str]:
    """What names each row: its columns `on`, as one text."""
    parts = [texts(column(batch, name)).to_pylist() for name in on]
    return ["\x1f".join(map(str, key)) for key in zip(*parts, strict=True)]


def renamed(batch: pa.RecordBatch, columns: Mapping[str, str]) -> pa.RecordBatch:
    """The batch with other names; see `Rename`."""
    for name in columns:
        column(batch, name)
    return batch.rename_columns([columns.get(name, name) for name in batch.schema.names])


def mapped(batch: pa.RecordBatch, step: Map) -> pa.RecordBatch:
    """The batch with other values; see `Map`."""
    values = texts(column(batch, step.column))
    places = pc.index_in(values, value_set=pa.array(step.values.keys(), pa.string()))
    ours = pa.array(step.values.values(), pa.string()).take(places)
    return with_column(batch, step.column, pc.coalesce(ours, values))


def cut(batch: pa.RecordBatch, step: Cut) -> pa.RecordBatch:
    """The batch with shorter texts; see `Cut`."""
    parts = pc.split_pattern(texts(column(batch, step.column)), step.before, max_splits=1)
    return with_column(batch, step.column, pc.list_element(parts, 0))


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with a column added or replaced."""
    columns = {other: batch.column(other) for other in batch.schema.names}
    return pa.RecordBatch.from_pydict(columns | {name: values})


def _among(batch: pa.RecordBatch, name: str, values: Sequence[str]) -> pa.Array:
    return pc.is_in(texts(column(batch, name)), value_set=pa.array(values, pa.string()))


def _number(batches: Batches, name: str, first: int) -> Batches:
    for batch in batches:
        numbers = pa.array(np.arange(first, first + batch.num_rows, dtype=np.int64))
        yield with_column(batch, name, numbers)
        first += batch.num_rows


def _match(batches: Batches, step: Match, lookup: Lookup) -> Batches:
    listed = {key for batch in _table(step, lookup) for key in keys(batch, step.on)}
    missing = set(listed)
    for batch in batches:
        found = keys(batch, step.on)
        missing.difference_update(found)
        yield batch.filter(pa.array([(key in listed) is step.keep for key in found], pa.bool_()))
    if missing:
        some = min(missing).replace("\x1f", ", ")
        told = f"it lists {len(missing):,} rows that are not there, such as {some!r}"
        raise ReadError(file=_names(step.part, lookup), reason=told)


def _join(batches: Batches, step: Join, lookup: Lookup) -> Batches:
    beside = _table(step, lookup)
    found_batches = list(_number(beside, step.number, 1) if step.number else beside)
    if not found_batches:
        raise ReadError(file=_names(step.part, lookup), reason="it holds no rows")
    table = pa.Table.from_batches(found_batches)
    found = keys(table.combine_chunks(), step.on)
    places = {key: i for i, key in enumerate(found)}
    if len(places) < len(found):
        twice = next(key for i, key in enumerate(found) if places[key] != i)
        reason = f"two of its rows are for {twice!r}".replace("\x1f", ", ")
        raise ReadError(file=_names(step.part, lookup), reason=reason)
    for batch in batches:
        wanted = keys(batch, step.on)
        lonely = next((key for key in wanted if key not in places), None)
        if lonely is not None:
            reason = f"it has no row for {lonely!r}".replace("\x1f", ", ")
            raise ReadError(file=_names(step.part, lookup), reason=reason)
        rows = table.take(pa.array([places[key] for key in wanted], pa.int64())).combine_chunks()
        for name in step.columns:
            found_column = column(rows, name)
            batch = with_column(batch, name, _one_chunk(found_column))  # noqa: PLW2901
        yield batch


def _one_chunk(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    return values


def _table(step: Match | Join, lookup: Lookup) -> Batches:
    return formats.create(step.reader).read({step.part: lookup.files(step.part)})


def _names(part: str, lookup: Lookup) -> str:
    return ", ".join(file.name for file in lookup.files(part)[:3])


def _attach(batches: Batches, step: Attach, lookup: Lookup) -> Batches:
    for batch in batches:
        waiting: list[bytes] = []
        begin = size = 0
        for i, path in enumerate(paths(batch, step.path)):
            with lookup.member(step.part, path).open() as stream:
                waiting.append(stream.read())
            size += len(waiting[-1])
            if size >= ATTACHED_BYTES or i + 1 == batch.num_rows:
                rows = batch.slice(begin, i + 1 - begin)
                yield with_column(rows, step.column, pa.array(waiting, pa.binary()))
                waiting, begin, size = [], i + 1, 0


def paths(batch: pa.RecordBatch, path: str) -> list[str]:
    """The member's name that each row means."""
    names = spoken_of(path)
    for name in names:
        column(batch, name)
    rows = batch.select(names).to_pylist()
    try:
        return [path.format(**row) for row in rows]
    except (ValueError, TypeError) as error:
        raise ReadError(file=path, reason=f"no name can be made of a row: {error}") from None


def spoken_of(path: str) -> list[str]:
    """The columns of which a path speaks."""
    return [name for _, name, _, _ in Formatter().parse(path) if name]
