r"""Delimited text, with one row per line and fields separated by a comma, tab or other character.

With `quoting`, the format is CSV as in RFC 4180. A field in double quotes can contain delimiters,
line breaks and doubled quotes, and a backslash has no special meaning. A field has at most 131,072
characters, the limit of Python's csv module.

Without `quoting`, a quote is an ordinary character, and fields cannot contain line breaks. GLUE's
TSV files are an example, because their sentences contain lone quotes.

A line ends with LF or CRLF. Empty lines are ignored. All columns are text, and features declare
which ones contain numbers or classes.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from textwrap import shorten
from typing import Annotated, ClassVar, Literal

import msgspec
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._records import Format, check_columns, only_part, spread
from dshub.formats._texts import Encoding, decoded, gathered, numbered_lines

LARGEST_ROW = 16 << 20  # characters in a row with quotes
BYTE_ORDER_MARK = "\ufeff"

Row = tuple[int, list[str]]
"""The number of a row's first line, from 1, and the fields of the row."""


class Reader(Format, frozen=True):
    """Read the files of the only part, in order.

    Attributes:
        columns: names of all columns, in order. A header must match exactly, so that upstream
            changes are detected.
        delimiter: text between two fields; `", "` is a comma and any spaces after it.
        quoting: whether double quotes enclose fields, as in CSV.
        header: whether the first line names the columns.
        skip: number of lines to skip before the header or the first row.
        short: what to do with a line that has too few fields: raise an `error`, or `fill` the
            last columns with empty text.
        long: what to do with a line that has too many fields: raise an `error`, or, without
            quotes, put the rest of the line into the `last` column, delimiters included.
        encoding: text encoding; UTF-8 can begin with a byte order mark.
    """

    text_labels: ClassVar[bool] = True

    columns: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    delimiter: Literal[",", "\t", ";", " ", ", "] = ","
    quoting: bool = True
    header: bool = False
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    short: Literal["error", "fill"] = "error"
    long: Literal["error", "last"] = "error"
    encoding: Encoding = "utf-8"

    def __post_init__(self) -> None:
        for i, name in enumerate(self.columns):
            if name in self.columns[:i]:
                raise ValueError(f"`columns` names {name!r} twice")
        if self.long == "last" and self.quoting:
            raise ValueError('`long = "last"` requires `quoting = false`')

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        rows = (row for file in only_part(files)[1] for row in self._rows(file))
        yield from gathered(rows, pa.schema([(name, pa.string()) for name in self.columns]))

    def _rows(self, file: File) -> Iterator[list[str]]:
        """Yield the rows after the header, with short rows filled."""
        lines = self._lines(file)
        if len(list(islice(lines, self.skip))) < self.skip:
            raise ReadError(file=file.name, reason=f"it has fewer than {self.skip} lines to skip")
        rows = self._quoted(file, lines) if self.quoting else self._plain(lines)
        if self.header:
            self._check_header(file, next(rows, None))
        count = len(self.columns)
        for number, row in rows:
            if len(row) != count:
                self._fill(row, file, number)
            yield row

    def _lines(self, file: File) -> Iterator[str]:
        """Yield the lines without line feeds."""
        for number, line in numbered_lines(file):
            text = decoded(line, file, line=number, encoding=self.encoding)
            is_marked = number == 1 and self.encoding == "utf-8"
            yield text.removeprefix(BYTE_ORDER_MARK) if is_marked else text

    def _check_header(self, file: File, row: Row | None) -> None:
        number, names = row or (self.skip + 1, [])
        if names != list(self.columns):
            header = shorten(", ".join(map(repr, names)), 400, placeholder="…") or "missing"
            expected = ", ".join(map(repr, self.columns))
            reason = f"the header in line {number:,} is {header}, but the manifest has {expected}"
            raise ReadError(file=file.name, reason=reason)

    def _fill(self, row: list[str], file: File, number: int) -> None:
        """Fill a short row if `short` allows it; raise ReadError otherwise."""
        missing = len(self.columns) - len(row)
        if self.short == "error" or missing < 0:
            amount = "more than" if missing < 0 else f"{len(row)} of"
            reason = f"line {number:,} has {amount} {len(self.columns)} fields"
            raise ReadError(file=file.name, reason=reason)
        row.extend([""] * missing)

    def _plain(self, lines: Iterator[str]) -> Iterator[Row]:
        delimiter, strips_spaces = self.delimiter[0], self.delimiter == ", "
        splits = len(self.columns) - (self.long == "last")  # one extra detects excess fields
        for number, line in enumerate(lines, self.skip + 1):
            text = line.removesuffix("\r")
            if text:
                row = text.split(delimiter, splits)
                yield number, [field.lstrip(" ") for field in row] if strips_spaces else row

    def _quoted(self, file: File, lines: Iterator[str]) -> Iterator[Row]:
        first, size = self.skip + 1, 0
        largest = min(LARGEST_ROW, len(self.columns) * (2 * csv.field_size_limit() + 3))

        def bounded() -> Iterator[str]:
            """Yield the lines, and raise ReadError if a lone quote makes a row too long."""
            nonlocal size
            for line in lines:
                size += len(line) + 1
                if size > largest:
                    reason = f"the row at line {first:,} is longer than {largest:,} characters"
                    raise ReadError(file=file.name, reason=reason)
                yield line + "\n"

        spaces, delimiter = self.delimiter == ", ", self.delimiter[0]
        rows = csv.reader(bounded(), delimiter=delimiter, skipinitialspace=spaces, strict=True)
        try:
            for row in rows:
                if row:
                    yield first, row
                first, size = self.skip + rows.line_num + 1, 0
        except csv.Error as error:
            reason = f"the row at line {first:,} cannot be read: {error}"
            raise ReadError(file=file.name, reason=reason) from None

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        """Write lines that end with LF, with quotes if `quoting` is set."""
        check_columns(rows, self.columns, where="delimited text")
        texts = [_texts(rows.column(name), name) for name in self.columns]
        table = pa.RecordBatch.from_arrays(texts, names=list(self.columns))
        for sink, some in spread(table, only_part(parts)[1]):
            values = [self.columns] if self.header else []
            values += zip(*(column.to_pylist() for column in some.columns), strict=True)
            lines = ["#"] * self.skip + list(map(self._line, values))
            sink.write(self._encoded("".join(f"{line}\n" for line in lines)))

    def _line(self, fields: Sequence[str]) -> str:
        if self.quoting:
            escaped = (field.replace('"', '""') for field in fields)
            return self.delimiter.join(f'"{field}"' for field in escaped)
        line = self.delimiter.join(fields)
        if "\n" in line or [row for _, row in self._plain(iter([line]))] != [list(fields)]:
            expected = "text without delimiters or line breaks, because `quoting` is false"
            raise SchemaError(where="delimited text", expected=expected, got=repr(line))
        return line

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            expected, got = f"characters of {self.encoding}", repr(text[error.start])
            raise SchemaError(where="delimited text", expected=expected, got=got) from None


def _texts(column: pa.Array, name: str) -> pa.Array:
    """Convert a column to text; missing values become empty."""
    if not (pa.types.is_string(column.type) or pa.types.is_primitive(column.type)):
        where = f"delimited text, column {name}"
        raise SchemaError(where=where, expected="text or numbers", got=str(column.type))
    return column.cast(pa.string()).fill_null("")
