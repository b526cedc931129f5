"""From rows that fit the features back to what upstream's files hold.

It takes two passes. Backwards, each step gives back what it took and takes away what it gave; the
reader then completes the rows with what its files hold besides, such as the names of pictures.
Forwards, those names tell what the lists and the attached files must be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dshub import formats
from dshub.catalog.manifest import Attach, Cut, Drop, Join, Keep, Map, Match, Number, Rename, Step
from dshub.tables.steps import column, cut, mapped, paths, renamed, spoken_of, texts, with_column


@dataclass(frozen=True)
class Aside:
    """Rows of a list that a step reads: another part, with a reader of its own.

    Attributes:
        number: the column that says at which place of the list, from 1, a row stands; empty
            where that is all the same.
    """

    part: str
    reader: dict[str, Any]
    rows: pa.RecordBatch
    number: str = ""


@dataclass(frozen=True)
class Attached:
    """A file that a row names."""

    part: str
    member: str
    data: bytes


@dataclass(frozen=True)
class Undone:
    """Rows as the reader's files hold them, before they are completed.

    Attributes:
        rows: them.
        saved: what the steps had added, by the number of the step.
    """

    rows: pa.RecordBatch
    steps: Sequence[Step]
    saved: dict[int, pa.RecordBatch]

    def around(  # noqa: C901  # a case for each step
        self, rows: pa.RecordBatch, *, offset: int, first: int
    ) -> Iterator[Aside | Attached]:
        """What the split's other files hold.

        Args:
            rows: the same rows, completed by the reader.
            offset: how many rows stand before them in the reader's files.
            first: a number that no other row has, nor any of the next `len(rows)`.
        """
        for i, step in enumerate(self.steps):
            match step:
                case Rename():
                    rows = renamed(rows, step.columns)
                case Map():
                    rows = mapped(rows, step)
                case Cut():
                    rows = cut(rows, step)
                case Number():
                    start = step.first + offset
                    numbers = np.arange(start, start + rows.num_rows, dtype=np.int64)
                    rows = with_column(rows, step.column, pa.array(numbers))
                case Match():
                    listed = _keys(rows if step.keep else rows.slice(0, 0), step.on)
                    yield Aside(step.part, step.reader, listed)
                case Join():
                    beside = _beside(_keys(rows, step.on), self.saved[i])
                    beside = formats.create(step.reader).complete(beside, first)
                    yield Aside(step.part, step.reader, beside, step.number)
                    for name in step.columns:
                        rows = with_column(rows, name, column(beside, name))
                case Attach():
                    yield from _attached(step, rows, self.saved[i])
                case Keep() | Drop():
                    pass


def undo(rows: pa.RecordBatch, steps: Sequence[Step]) -> Undone:  # noqa: C901  # a case each
    """Take steps back, the last one first."""
    saved: dict[int, pa.RecordBatch] = {}
    for i in reversed(range(len(steps))):
        step = steps[i]
        match step:
            case Rename():
                theirs = {ours: name for name, ours in step.columns.items()}
                rows = rows.rename_columns([theirs.get(name, name) for name in rows.schema.names])
            case Map():
                rows = _unmap(rows, step)
            case Keep():
                same = pa.array([step.values[0]] * rows.num_rows)
                rows = with_column(rows, step.column, same)
            case Number():
                rows = _without(rows, [step.column])
            case Match():
                rows = _without(rows, step.on)
            case Join():
                known = [name for name in step.columns if name in rows.schema.names]
                saved[i] = rows.select(known)
                rows = _without(rows, [*step.columns, *step.on])
            case Attach():
                saved[i] = rows.select([step.column])
                rows = _without(rows, [step.column, *spoken_of(step.path)])
            case Cut() | Drop():
                pass
    return Undone(rows, steps, saved)


def _unmap(rows: pa.RecordBatch, step: Map) -> pa.RecordBatch:
    """Upstream's values; whole numbers where upstream writes whole numbers."""
    theirs = {ours: name for name, ours in reversed(step.values.items())}
    values = column(rows, step.column)
    found = [theirs.get(value, value) for value in texts(values).to_pylist()]
    if pa.types.is_integer(values.type) and all(value.isdecimal() for value in found):
        return with_column(rows, step.column, pa.array(map(int, found), values.type))
    return with_column(rows, step.column, pa.array(found, pa.string()))


def _without(rows: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Rows without some columns; their number stays, even where no column does."""
    kept = [name for name in rows.schema.names if name not in names]
    if kept:
        return rows.select(kept)
    return pa.RecordBatch.from_pydict({"": pa.nulls(rows.num_rows)})


def _keys(rows: pa.RecordBatch, on: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: column(rows, name) for name in on})


def _beside(left: pa.RecordBatch, right: pa.RecordBatch) -> pa.RecordBatch:
    for name in right.schema.names:
        left = with_column(left, name, right.column(name))
    return left


def _attached(step: Attach, rows: pa.RecordBatch, saved: pa.RecordBatch) -> Iterator[Attached]:
    contents = saved.column(step.column).to_pylist()
    for name, data in zip(paths(rows, step.path), contents, strict=True):
        yield Attached(step.part, name, data)
