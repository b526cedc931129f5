r"""Delimited text, with one row per line and fields separated by a comma, tab or other character.

With `quoting`, the format is CSV as in RFC 4180. A field in double quotes can contain delimiters,
line breaks and doubled quotes, and a backslash has no special meaning. A row has at most 64 Mi
characters.

Without `quoting`, a quote is an ordinary character, and fields cannot contain line breaks. GLUE's
TSV files are an example, because their sentences contain lone quotes.

A line ends with LF or CRLF. Empty lines are ignored. All columns are text, and features declare
which ones contain numbers or classes.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from textwrap import shorten
from typing import Annotated, ClassVar, Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._records import Format, check_columns, only_part, spread
from dshub.formats._texts import BATCH_ROWS, LARGEST_LINE, Delimiter, Encoding
from dshub.formats.delimited.blocks import Lines, columns_of, parse, parse_quoted

LARGEST_ROW = LARGEST_LINE  # characters in a row with quotes
MOST_DELIMITERS = 1 << 20  # in a row with quotes, because a field takes much more memory than text
_PIECE_SIZE = 2 << 20  # characters per batch of rows that are read one by one

_QUOTED_WORDS = re.compile(r'"([^"]*)"|([^ \t]+)')
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*)(?:,\d*)?(?:[eE][+-]?\d+)?")

Row = tuple[int, list[str]]
"""The number of a row's first line, from 1, and the fields of the row."""


class Reader(Format, frozen=True):
    """Read the files of the only part, in order.

    Attributes:
        columns: names of all columns, in order. A header must match exactly, so that upstream
            changes are detected.
        delimiter: text between two fields; `", "` is a comma and any spaces after it, and `blanks`
            any spaces and tabs, which are also ignored around a line. `::` requires
            `quoting = false`.
        quoting: whether double quotes enclose fields, as in CSV. With `blanks`, a quoted field
            cannot contain quotes or line breaks.
        header: whether the first line names the columns.
        skip: number of lines to skip before the header or the first row.
        short: what to do with a line that has too few fields: raise an `error`, or `fill` the
            last columns with empty text.
        long: what to do with a line that has too many fields: raise an `error`, or, without
            quotes, put the rest of the line into the `last` column, delimiters included.
        trailing: whether lines can end with one more delimiter, which adds no field.
        decimal_comma: columns of numbers such as `1.234,5`, which are read as `1234.5`.
        missing: columns in which an empty field is a missing value instead of empty text.
        encoding: text encoding; UTF-8 can begin with a byte order mark.
    """

    text_labels: ClassVar[bool] = True

    columns: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    delimiter: Delimiter = ","
    quoting: bool = True
    header: bool = False
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    short: Literal["error", "fill"] = "error"
    long: Literal["error", "last"] = "error"
    trailing: bool = False
    decimal_comma: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    encoding: Encoding = "utf-8"

    def __post_init__(self) -> None:
        name, count = Counter(self.columns).most_common(1)[0]
        if count > 1:
            raise ValueError(f"`columns` names {name!r} twice")
        if self.long == "last" and self.quoting:
            raise ValueError('`long = "last"` requires `quoting = false`')
        if self.delimiter == "::" and self.quoting:
            raise ValueError('`delimiter = "::"` requires `quoting = false`')
        if self.trailing and (self.long == "last" or self.delimiter == "blanks"):
            raise ValueError('`trailing` excludes `long = "last"` and `delimiter = "blanks"`')
        for name in (*self.decimal_comma, *self.missing):
            if name not in self.columns:
                option = "decimal_comma" if name in self.decimal_comma else "missing"
                raise ValueError(f"{name!r} in `{option}` is not in `columns`")

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files)[1]:
            for columns in self._blocks(file):
                batch = self._with_missing(pa.RecordBatch.from_arrays(columns, list(self.columns)))
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield batch.slice(start, BATCH_ROWS)

    def _with_missing(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        for name in self.missing:
            texts = batch.column(name)
            texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
            batch = batch.set_column(self.columns.index(name), name, texts)
        return batch

    def _blocks(self, file: File) -> Iterator[list[pa.Array]]:
        """Yield the columns of each block of lines after the header."""
        lines = Lines(file, self.encoding)
        csv.field_size_limit(max(csv.field_size_limit(), LARGEST_ROW))  # of the whole process
        if len(list(islice(lines, self.skip))) < self.skip:
            raise ReadError(file=file.name, reason=f"it has fewer than {self.skip} lines to skip")
        if self.header:
            self._check_header(file, next(self._rows(file, lines), None))
        while lines.has_more():
            columns = self._parsed(lines.rest(), lines.encoding)
            if columns is None:
                yield from self._read_rows(file, lines)
            else:
                lines.skip_rest()
                yield columns

    def _parsed(self, block: bytes, encoding: Encoding) -> list[pa.Array] | None:
        """Parse a block at once; return None if its rows must be read one by one."""
        delimiter = self._delimiter
        if self.decimal_comma or len(delimiter) > 1:
            return None
        width = len(self.columns) + self.trailing
        if self.quoting and b'"' in block:
            spaces = self._strips_spaces
            columns = parse_quoted(block, width, delimiter, encoding, spaces=spaces)
        else:
            columns = parse(block, width, delimiter, encoding)
            if columns is not None and self._strips_spaces:
                columns = [pc.utf8_ltrim(column, " ") for column in columns]
        if not self.trailing or columns is None:
            return columns
        return columns[:-1] if pc.all(pc.equal(columns[-1], "")).as_py() else None

    def _read_rows(self, file: File, lines: Lines) -> Iterator[list[pa.Array]]:
        """Yield the columns of the rows that begin in the current block of lines."""
        rows, waiting, size = self._filled_rows(file, lines), list[list[str]](), 0
        while lines.is_within_block() and (row := next(rows, None)) is not None:
            waiting.append(row)
            size += sum(map(len, row))
            if size >= _PIECE_SIZE or len(waiting) >= BATCH_ROWS:
                yield columns_of(waiting)
                waiting, size = [], 0
        if waiting:
            yield columns_of(waiting)

    def _filled_rows(self, file: File, lines: Lines) -> Iterator[list[str]]:
        """Yield rows with one field per column, with a point in decimal numbers."""
        count = len(self.columns)
        commas = [self.columns.index(name) for name in self.decimal_comma]
        for number, row in self._rows(file, lines):
            if len(row) != count:
                self._fill(row, file, number)
            for i in commas:
                row[i] = self._with_point(row[i], file, number, i)
            yield row

    def _rows(self, file: File, lines: Lines) -> Iterator[Row]:
        """Yield the number and the fields of each row."""
        is_csv = self.quoting and self.delimiter != "blanks"
        rows = self._quoted(file, lines) if is_csv else self._plain(lines)
        return map(self._without_trailing, rows) if self.trailing else rows

    def _without_trailing(self, numbered: Row) -> Row:
        number, row = numbered
        return number, row[:-1] if len(row) == len(self.columns) + 1 and not row[-1] else row

    def _with_point(self, text: str, file: File, number: int, column: int) -> str:
        """Return a number with a decimal point; text without commas and points is unchanged."""
        value = text.strip()
        if "," not in value and "." not in value:
            return text
        if _DECIMAL_COMMA.fullmatch(value):
            return value.replace(".", "").replace(",", ".")
        name = self.columns[column]
        reason = f"line {number:,}, column {name!r}: {value!r} is not a number with a decimal comma"
        raise ReadError(file=file.name, reason=reason)

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

    def _plain(self, lines: Lines) -> Iterator[Row]:
        for line in lines:
            if fields := self._fields(line):
                yield lines.number - 1, fields

    def _fields(self, line: str) -> list[str]:
        """Split a line into fields without CSV quotes; an empty line has none."""
        text = line.removesuffix("\r")
        text = text.strip(" \t") if self.delimiter == "blanks" else text
        if not text:
            return []
        splits = len(self.columns) - (self.long == "last")  # one extra detects excess fields
        if self.delimiter == "blanks":
            if self.quoting:
                return [inner or word for inner, word in _QUOTED_WORDS.findall(text)]
            return re.split(r"[ \t]+", text, maxsplit=splits)
        fields = text.split(self._delimiter, splits)
        return [field.lstrip(" ") for field in fields] if self._strips_spaces else fields

    @property
    def _strips_spaces(self) -> bool:
        return len(self.delimiter) == 2 and self.delimiter != "::"

    @property
    def _delimiter(self) -> str:
        """Delimiter without the spaces after it."""
        return self.delimiter[0] if self._strips_spaces else self.delimiter

    def _quoted(self, file: File, lines: Lines) -> Iterator[Row]:
        first, size, fields = lines.number, 0, 0

        def bounded() -> Iterator[str]:
            """Yield the lines, and raise ReadError if a lone quote makes a row too long."""
            nonlocal size, fields
            for line in lines:
                size += len(line) + 1
                fields += line.count(delimiter)
                if fields > MOST_DELIMITERS:
                    reason = (
                        f"the row at line {first:,} has more than {MOST_DELIMITERS:,} delimiters"
                    )
                    raise ReadError(file=file.name, reason=reason)
                if size > LARGEST_ROW:
                    reason = f"the row at line {first:,} is longer than {LARGEST_ROW:,} characters"
                    raise ReadError(file=file.name, reason=reason)
                yield line + "\n"

        spaces, delimiter = self._strips_spaces, self._delimiter
        rows = csv.reader(bounded(), delimiter=delimiter, skipinitialspace=spaces, strict=True)
        try:
            for row in rows:
                if row:
                    yield first, row
                first, size, fields = lines.number, 0, 0
        except csv.Error as error:
            reason = f"the row at line {first:,} cannot be read: {error}"
            raise ReadError(file=file.name, reason=reason) from None

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        """Write lines that end with LF, with quotes if `quoting` is set."""
        check_columns(rows, self.columns, where="delimited text")
        texts = [self._column(rows.column(name), name) for name in self.columns]
        table = pa.RecordBatch.from_arrays(texts, names=list(self.columns))
        for sink, some in spread(table, only_part(parts)[1]):
            values = [self.columns] if self.header else []
            values += zip(*(column.to_pylist() for column in some.columns), strict=True)
            lines = ["#"] * self.skip + list(map(self._line, values))
            sink.write(self._encoded("".join(f"{line}\n" for line in lines)))

    def _column(self, column: pa.Array, name: str) -> pa.Array:
        texts = _texts(column, name)
        return pc.replace_substring(texts, ".", ",") if name in self.decimal_comma else texts

    def _line(self, fields: Sequence[str]) -> str:
        if self.quoting and self.delimiter != "blanks":
            escaped = (field.replace('"', '""') for field in fields)
            return self.delimiter.join(f'"{field}"' for field in escaped)
        joint = " " if self.delimiter == "blanks" else self.delimiter
        shown = (f'"{field}"' for field in fields) if self.quoting else fields
        line = joint.join(shown)
        if "\n" in line or self._fields(line) != list(fields):
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
