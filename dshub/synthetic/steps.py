"""Undo the steps of a split, to convert rows to the contents of its files.

This takes two passes. The backward pass, `undo`, restores the columns that steps removed and
removes those that they added. The reader then adds the columns of its files, such as file names.
The forward pass, `Undone.around`, uses these to generate the lists and attached files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from dshub import formats
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
from dshub.formats._records import flat
from dshub.tables.steps import apply, column, paths, pattern_columns, texts, with_column


@dataclass(frozen=True)
class Listed:
    """The rows of a list that a step reads, which is a part with its own reader.

    Attributes:
        number: column with the position of a row in the list, from 1; empty for any order.
    """

    part: str
    reader: dict[str, Any]
    rows: pa.RecordBatch
    number: str = ""


@dataclass(frozen=True)
class Attached:
    """A file that a row refers to by name."""

    part: str
    member: str
    data: bytes


@dataclass(frozen=True)
class Undone:
    """The rows before all steps, as in the reader's files.

    Attributes:
        saved: columns that steps add, by the index of the step.
    """

    rows: pa.RecordBatch
    steps: Sequence[Step]
    saved: dict[int, pa.RecordBatch]

    def around(  # noqa: C901  # a case for each step
        self, rows: pa.RecordBatch, *, offset: int, first: int
    ) -> Iterator[Listed | Attached]:
        """Yield the contents of the split's lists and attached files.

        Args:
            rows: rows completed by the reader.
            offset: number of preceding rows in the files of the reader.
            first: number of the first row, for values that must differ between rows.
        """
        for i, step in enumerate(self.steps):
            match step:
                case Rename() | Map() | Cut() | Stack():
                    rows = _apply(rows, step)
                case Number():
                    rows = _apply(rows, replace(step, first=step.first + offset))
                case Match():
                    listed = _keys(rows if step.keep else rows.slice(0, 0), step.on)
                    yield Listed(step.part, step.reader, listed)
                case Join():
                    listed = _joined(_keys(rows, step.on), self.saved[i])
                    listed = formats.create(step.reader).complete(listed, first)
                    yield Listed(step.part, step.reader, listed, step.number)
                    for name in step.columns:
                        rows = with_column(rows, name, column(listed, name))
                case Attach():
                    contents = self.saved[i].column(step.column).to_pylist()
                    members = zip(paths(rows, step.path), contents, strict=True)
                    yield from (Attached(step.part, name, data) for name, data in members)
                case Keep() | Drop():
                    pass


def undo(rows: pa.RecordBatch, steps: Sequence[Step]) -> Undone:  # noqa: C901  # a case each
    """Undo steps, beginning with the last step."""
    saved: dict[int, pa.RecordBatch] = {}
    for i in reversed(range(len(steps))):
        step = steps[i]
        match step:
            case Rename():
                originals = {new: name for name, new in step.columns.items()}
                rows = rows.rename_columns([originals.get(n, n) for n in rows.schema.names])
            case Map():
                rows = _unmap(rows, step)
            case Keep():
                rows = with_column(rows, step.column, pa.repeat(step.values[0], rows.num_rows))
            case Number():
                rows = _without(rows, [step.column])
            case Match():
                rows = _without(rows, step.on)
            case Join():
                saved[i] = rows.select([n for n in step.columns if n in rows.schema.names])
                rows = _without(rows, [*step.columns, *step.on])
            case Attach():
                saved[i] = rows.select([step.column])
                rows = _without(rows, [step.column, *pattern_columns(step.path)])
            case Stack():
                rows = _unstack(rows, step)
            case Cut() | Drop():
                pass
    return Undone(rows, steps, saved)


def _apply(rows: pa.RecordBatch, step: Rename | Map | Cut | Number | Stack) -> pa.RecordBatch:
    lookup: Any = None  # these steps read no other files
    return next(apply(iter([rows]), [step], lookup))


def _unmap(rows: pa.RecordBatch, step: Map) -> pa.RecordBatch:
    """Restore the original values of a `Map` step; integer columns stay integers if possible."""
    original = {new: value for value, new in reversed(step.values.items())}
    values = column(rows, step.column)
    restored = [original.get(value, value) for value in texts(values).to_pylist()]
    if pa.types.is_integer(values.type) and all(value.isdecimal() for value in restored):
        return with_column(rows, step.column, pa.array(map(int, restored), values.type))
    return with_column(rows, step.column, pa.array(restored, pa.string()))


def _unstack(rows: pa.RecordBatch, step: Stack) -> pa.RecordBatch:
    values = flat(rows, step.column, where="a step of the split").reshape(rows.num_rows, -1)
    columns = dict(zip(step.columns, map(pa.array, np.ascontiguousarray(values.T)), strict=True))
    others = [name for name in rows.schema.names if name != step.column]
    return pa.RecordBatch.from_pydict({name: rows.column(name) for name in others} | columns)


def _without(rows: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Remove columns, and keep the number of rows even if no column is left."""
    kept = [name for name in rows.schema.names if name not in names]
    if kept:
        return rows.select(kept)
    return pa.RecordBatch.from_pydict({"": pa.nulls(rows.num_rows)})


def _keys(rows: pa.RecordBatch, on: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({name: column(rows, name) for name in on})


def _joined(left: pa.RecordBatch, right: pa.RecordBatch) -> pa.RecordBatch:
    names = [*left.schema.names, *right.schema.names]
    return pa.RecordBatch.from_arrays([*left.columns, *right.columns], names)
