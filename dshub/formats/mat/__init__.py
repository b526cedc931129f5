"""MATLAB level 5 files, with one column per variable.

Arrays of numbers are read row by row. They keep the type in the file, which is often smaller than
MATLAB's own double. A cell or struct field can contain one string or one number. The file layout is
described in `parsing`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.formats import File, Output, nested
from dshub.formats._records import Format, flat, only_part, spread, translated
from dshub.formats._stored import Rows, together
from dshub.formats.mat.parsing import MatFile, Variable
from dshub.formats.mat.writing import HEADER, cells, matrix, structs

Group = dict[str, str]
"""Variable of each column, as `name` or `struct.field`."""


class Reader(Format, frozen=True):
    """Read the named columns from the files of the only part.

    Attributes:
        columns: variable of each column, as `name` or `struct.field`. Rows of several variables
            are concatenated (Flowers-102's three sets of images).
        row_axis: axis that counts rows, from 0, for columns where it is not the first. A variable
            with a single row or column always has one value per row.
        variable: name of an additional column for the variable of each row; empty for none.
    """

    columns: dict[str, str | tuple[str, ...]]
    row_axis: dict[str, int] = {}
    variable: str = ""

    def __post_init__(self) -> None:
        counts = {len(variables) for variables in self._variables()}
        if len(counts) != 1 or 0 in counts:
            raise ValueError("`columns` must name the same number of variables for each column")
        if not self.row_axis.keys() <= self.columns.keys():
            raise ValueError("`row_axis` has names that are not in `columns`")

    def _variables(self) -> list[tuple[str, ...]]:
        return [(own,) if isinstance(own, str) else own for own in self.columns.values()]

    def _groups(self) -> list[Group]:
        """Return the first variable of each column, then the second of each, and so on."""
        groups = zip(*self._variables(), strict=True)
        return [dict(zip(self.columns, group, strict=True)) for group in groups]

    def _tag(self, group: Group) -> str:
        """Return the value of the column `variable` for the rows of a group."""
        return next(iter(group.values()))

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files)[1]:
            for group in self._groups():
                with ExitStack() as stack:
                    yield from self._rows(file, group, stack)

    def _rows(self, file: File, group: Group, stack: ExitStack) -> Iterator[pa.RecordBatch]:
        stack.enter_context(translated(file.name))
        opened: list[tuple[MatFile, Variable]] = []
        arrays: dict[str, Rows] = {}
        for column, path in group.items():
            name, _, field = path.partition(".")
            mat_file = MatFile(stack.enter_context(file.open()), file.name)
            variable = mat_file.find(name)
            opened.append((mat_file, variable))
            arrays[column] = self._array(column, variable, field)
        file.check_size(sum(array.rows * array.row_bytes for array in arrays.values()))
        for pieces in together(arrays):
            columns = {
                column: nested(values) if isinstance(values, np.ndarray) else values
                for column, values in pieces.items()
            }
            if self.variable:
                count = len(next(iter(columns.values())))
                columns[self.variable] = pa.array([self._tag(group)] * count, pa.string())
            yield pa.RecordBatch.from_pydict(columns)
        for mat_file, variable in opened:
            mat_file.finish(variable)

    def _array(self, column: str, variable: Variable, field: str) -> Rows:
        if variable.is_text:
            size, values = variable.elements.left, variable.values(field)
            texts = pa.array(values, None if values else pa.string())
            return Listed(variable.name, texts, len(values), 1 + size // max(1, len(values)))
        if field:
            name = variable.matrix.name
            raise variable.elements.fault(f"{name} is not a struct with a field {field!r}")
        return variable.stored(self.row_axis.get(column, 0))

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Fill missing columns with row numbers, and assign rows to the first variable."""
        rows = super().complete(rows, first)
        if self.variable and self.variable not in rows.schema.names:
            tags = [self._tag(self._groups()[0])] * rows.num_rows
            rows = rows.append_column(self.variable, pa.array(tags, pa.string()))
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            sink.write(HEADER)
            tags = [self._tag(self._groups()[0])] * some.num_rows
            if self.variable:
                tags = some.column(self.variable).to_pylist()
            for group in self._groups():
                own = pa.array([tag == self._tag(group) for tag in tags], pa.bool_())
                sink.writelines(self._written(some.filter(own), group))

    def _written(self, rows: pa.RecordBatch, group: Group) -> Iterator[bytes]:
        """Yield the encoded variables of a group."""
        fields: dict[str, dict[str, list[Any]]] = {}
        for column, path in group.items():
            name, _, field = path.partition(".")
            values = rows.column(column)
            if field:
                fields.setdefault(name, {})[field] = values.to_pylist()
            elif pa.types.is_string(values.type):
                yield cells(name, values.to_pylist())
            else:
                array = flat(rows, column, where=f"MATLAB variable {name}")
                yield matrix(name, np.moveaxis(array, 0, self.row_axis.get(column, 0)))
        for name, own in fields.items():
            yield structs(name, own)


@dataclass
class Listed:
    """A column of strings or cells in memory, with the interface of `Rows`."""

    name: str
    values: pa.Array
    rows: int
    row_bytes: int
    position: int = 0

    def read(self, rows: int) -> pa.Array:
        """Return the next rows."""
        self.position += rows
        return self.values.slice(self.position - rows, rows)
