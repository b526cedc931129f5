"""MATLAB files, level 5: one column from each variable (`_matlab` says what the files look like).

Arrays of numbers are read row by row; the type is that in which the file stores them, which is
often a smaller one than MATLAB's own double. Cells and fields of structs may hold one text or one
number each.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats._records import BATCH_BYTES, flat, nested, only_part, runs, with_numbers
from dshub.formats._stored import Stored, together
from dshub.formats.mat.parsing import MatFile, Variable
from dshub.formats.mat.writing import HEADER, cells, matrix, structs

if TYPE_CHECKING:
    from dshub.formats import File, Output


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads the columns that are named from the files of its one part.

    Attributes:
        columns: for each column the variable that holds it, `struct.field` for a field of a
            struct; or several variables, whose rows follow one another (Flowers-102's three sets
            of pictures).
        row_axis: for columns whose variable counts rows on another axis than the first: which,
            from 0. A variable of which all lengths but one are 1 is a column in any case.
        variable: a column that tells the variable of each row, where there are several.
    """

    text_labels: ClassVar[bool] = False

    columns: dict[str, str | tuple[str, ...]]
    row_axis: dict[str, int] = {}
    variable: str = ""

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files, "MATLAB"):
            groups = self._groups(file)
            for variables in groups:
                with ExitStack() as stack:
                    yield from self._rows(file, variables, stack)

    def _groups(self, file: "File") -> list[dict[str, str]]:
        """The variable of each column, for the first ones of all, then the second ones."""
        lists = {name: _several(found) for name, found in self.columns.items()}
        counts = {len(found) for found in lists.values()}
        if len(counts) != 1 or 0 in counts or not self.row_axis.keys() <= lists.keys():
            reason = (
                "the reader's `columns` must name as many variables each, and its `row_axis` "
                "can be for these alone"
            )
            raise ReadError(file=file.name, reason=reason)
        rows = zip(*lists.values(), strict=True)
        return [dict(zip(lists, group, strict=True)) for group in rows]

    def _rows(
        self, file: "File", variables: Mapping[str, str], stack: ExitStack
    ) -> Iterator[pa.RecordBatch]:
        opened: dict[str, MatFile] = {}
        arrays: dict[str, Stored | Listed] = {}
        for column, path in variables.items():
            name, _, field = path.partition(".")
            opened[column] = MatFile(stack.enter_context(file.open()), file.name)
            found = opened[column].find(name)
            arrays[column] = self._array(column, found, field)
        file.check_size(sum(array.rows * array.row_bytes for array in arrays.values()))
        tag = next(iter(variables.values()))
        for piece in together(arrays, budget=BATCH_BYTES):
            columns = {
                column: nested(values) if isinstance(values, np.ndarray) else values
                for column, values in piece.items()
            }
            if self.variable:
                count = len(next(iter(columns.values())))
                columns[self.variable] = pa.array([tag] * count, pa.string())
            yield pa.RecordBatch.from_pydict(columns)
        for column, path in variables.items():
            opened[column].finish(path.partition(".")[0])

    def _array(self, column: str, found: Variable, field: str) -> "Stored | Listed":
        header = found.header()
        if header is None:
            return Listed(found, field)
        if field:
            raise found.source.fault(f"{found.matrix.name} is no struct with a field {field!r}")
        long = [length for length in header.lengths if length != 1]
        if len(long) < 2:  # a column or a row: one value each
            header, axis = header._replace(lengths=(prod(long),)), 0
        else:
            axis = self.row_axis.get(column, 0)
        return Stored(found.source, found.name, header, axis=axis)

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Variables that no feature asks for hold the row's number; rows are of the first one."""
        rows = with_numbers(rows, self.columns, first)
        if self.variable and self.variable not in rows.schema.names:
            tag = _several(next(iter(self.columns.values())))[0]
            rows = rows.append_column(self.variable, pa.array([tag] * rows.num_rows, pa.string()))
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        (output,) = parts.values()
        for name, some in runs(rows, output):
            with output.create(name) as sink:
                sink.write(HEADER)
                for variables in zip(*map(_several, self.columns.values()), strict=True):
                    group = dict(zip(self.columns, variables, strict=True))
                    sink.writelines(self._written(self._of(some, variables[0]), group))

    def _of(self, rows: pa.RecordBatch, variable: str) -> pa.RecordBatch:
        """The rows that belong to a variable."""
        if not self.variable:
            first = variable == _several(next(iter(self.columns.values())))[0]
            return rows if first else rows.slice(0, 0)
        tags = rows.column(self.variable).to_pylist()
        return rows.filter(pa.array([tag == variable for tag in tags], pa.bool_()))

    def _written(self, rows: pa.RecordBatch, variables: Mapping[str, str]) -> Iterator[bytes]:
        """The bytes of some variables."""
        fields: dict[str, dict[str, list[Any]]] = {}
        for column, path in variables.items():
            name, _, field = path.partition(".")
            values = rows.column(column)
            if field:
                fields.setdefault(name, {})[field] = values.to_pylist()
            elif pa.types.is_string(values.type):
                yield cells(name, values.to_pylist())
            else:
                array = flat(rows, column, where=f"MATLAB variable {name}")
                yield matrix(name, np.moveaxis(array, 0, self.row_axis.get(column, 0)))
        for name, found in fields.items():
            yield structs(name, found)


class Listed:
    """A variable of texts, or of numbers one by one, which is in memory as a whole.

    Attributes:
        name, rows, row_bytes: as `Stored` has them; the bytes are those of a row on average.
    """

    def __init__(self, variable: Variable, field: str) -> None:
        """All of its values.

        Raises:
            ReadError: some are text, and others numbers.
        """
        self.name = variable.name
        size = variable.source.left
        values = variable.values(field)
        try:
            self._values = pa.array(values, None if values else pa.string())
        except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
            raise variable.source.fault(f"its values are no column: {error}") from None
        self.rows, self._place = len(values), 0
        self.row_bytes = 1 + size // max(1, len(values))

    def read(self, rows: int) -> pa.Array:
        """The next rows."""
        self._place += rows
        return self._values.slice(self._place - rows, rows)


def _several(variables: str | tuple[str, ...]) -> tuple[str, ...]:
    return (variables,) if isinstance(variables, str) else variables
