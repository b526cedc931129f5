r"""Delimited text: a row a line, its fields apart by a comma, a tab or another character.

With quotes it is CSV as RFC 4180 describes it: a field may stand in double quotes and then hold
delimiters, line breaks, and quotes that are doubled. A backslash is a backslash. Without quotes a
quote is a character as any other, and no field holds a line break: the TSV of GLUE and its
relatives, in whose sentences lone quotes stand.

A field of CSV holds 131,072 characters at most, the limit of Python's csv module.

A line ends with LF, or CR and LF. Empty lines are no rows. All columns are text: what is a number
or a class is said by the features.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats._records import with_numbers
from dshub.formats._texts import Encoding, decoded, gathered, numbered_lines, only_part, spread

if TYPE_CHECKING:
    from dshub.formats import File, Output

LARGEST_ROW = 16 << 20  # characters of a row of several lines
_COUNTED = 1000  # fields that are too many and counted all the same, for errors
BYTE_ORDER_MARK = "\ufeff"
QUOTE = '"'

Row = tuple[int, list[str]]
"""The number of the line on which a row begins, from 1, and its fields."""


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads one part, whatever its name; several files of it follow one another.

    Attributes:
        columns: the names of all columns, in order. Where the files have a header it must say
            exactly this, so that a change upstream is noticed.
        delimiter: what stands between two fields; `", "` is a comma and any blanks after it.
        quoting: whether quotes are those of CSV, or plain characters.
        header: whether the first line names the columns.
        skip: lines before the header or the first row that hold neither.
        short: what a line with too few fields is: an `error`, or a row whose last columns are
            empty (`fill`).
        long: what a line with too many fields is: an `error`, or, where there are no quotes, a row
            whose `last` column holds the rest of the line, delimiters and all.
        encoding: of the text. UTF-8 may begin with a byte order mark.
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
            raise ValueError('`long = "last"` needs `quoting = false`: quotes hold delimiters')

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        _, found = only_part(files, reader="delimited")
        rows = (row for file in found for row in self._rows(file))
        yield from gathered(rows, pa.schema([(name, pa.string()) for name in self.columns]))

    def _rows(self, file: "File") -> Iterator[list[str]]:
        """The rows after the header, each as long as it must be."""
        lines = self._lines(file)
        if sum(1 for _ in islice(lines, self.skip)) < self.skip:
            reason = f"it has no {self.skip} lines, which were to be skipped"
            raise ReadError(file=file.name, reason=reason)
        rows = self._quoted(file, lines) if self.quoting else self._plain(lines)
        if self.header:
            self._check_header(file, next(rows, None))
        count = len(self.columns)
        for number, row in rows:
            if len(row) != count:
                self._mend(row, file, number)
            yield row

    def _lines(self, file: "File") -> Iterator[str]:
        """The lines without their line feed."""
        for number, line in numbered_lines(file):
            text = decoded(line, file, place=f"line {number:,}: ", encoding=self.encoding)
            marked = number == 1 and self.encoding == "utf-8"
            yield text.removeprefix(BYTE_ORDER_MARK) if marked else text

    def _check_header(self, file: "File", row: Row | None) -> None:
        if row is None:
            raise ReadError(file=file.name, reason="it has no header line")
        number, names = row
        if names != list(self.columns):
            told = shorten(", ".join(map(repr, names)), 400, placeholder="…")
            wanted = ", ".join(map(repr, self.columns))
            reason = f"line {number:,}, its header, names {told}; its manifest says {wanted}"
            raise ReadError(file=file.name, reason=reason)

    def _mend(self, row: list[str], file: "File", number: int) -> None:
        """Make a row as long as it must be, if that is allowed."""
        if self.short == "error" or len(row) > len(self.columns):
            fields = "1 field" if len(row) == 1 else f"{len(row):,} fields"
            if not self.quoting and len(row) > len(self.columns) + _COUNTED:
                fields = f"{fields} or more"
            reason = f"line {number:,} has {fields}, but there are {len(self.columns)} columns"
            raise ReadError(file=file.name, reason=reason)
        row.extend([""] * (len(self.columns) - len(row)))

    def _plain(self, lines: Iterator[str]) -> Iterator[Row]:
        delimiter, blanks = self.delimiter[0], self.delimiter == ", "
        splits = len(self.columns) + _COUNTED
        if self.long == "last":
            splits = len(self.columns) - 1
        for number, line in enumerate(lines, self.skip + 1):
            text = line.removesuffix("\r")
            if text:
                row = text.split(delimiter, splits)
                yield number, [field.lstrip(" ") for field in row] if blanks else row

    def _quoted(self, file: "File", lines: Iterator[str]) -> Iterator[Row]:
        first, size = self.skip + 1, 0
        largest = min(LARGEST_ROW, len(self.columns) * (2 * csv.field_size_limit() + 3))

        def counted() -> Iterator[str]:
            """The lines; those of one row may not be too many, or a quote swallows the file."""
            nonlocal size
            for line in lines:
                size += len(line) + 1
                if size > largest:
                    reason = f"the row at line {first:,} is longer than {largest:,} characters"
                    raise ReadError(file=file.name, reason=reason)
                yield line + "\n"

        blanks, delimiter = self.delimiter == ", ", self.delimiter[0]
        rows = csv.reader(counted(), delimiter=delimiter, skipinitialspace=blanks, strict=True)
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                reason = f"the row at line {first:,} cannot be read: {error}"
                raise ReadError(file=file.name, reason=reason) from None
            if row is None:
                return
            if row:
                yield first, row
            first, size = self.skip + rows.line_num + 1, 0

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Columns that no feature asks for hold the row's number."""
        return with_numbers(rows, self.columns, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        """Write UTF-8 without a mark, and LF; texts in quotes where there are any."""
        found = [self._fields(rows, name) for name in self.columns]
        _, output = only_part(parts, reader="delimited")
        table = pa.RecordBatch.from_arrays(list(map(pa.array, found)), names=list(self.columns))
        for sink, own in spread(table, output):
            head = [self._texts(self.columns)] if self.header else []
            rows = zip(*(column.to_pylist() for column in own.columns), strict=True)
            told = ["#"] * self.skip + [self.delimiter.join(row) for row in [*head, *rows]]
            sink.write(self._encoded("".join(f"{line}\n" for line in told)))

    def _fields(self, rows: pa.RecordBatch, name: str) -> list[str]:
        """A column as it stands in the file; a missing value as nothing."""
        if name not in rows.schema.names:
            got = f"only {', '.join(rows.schema.names)}"
            raise SchemaError(where="delimited text", expected=f"a column {name!r}", got=got)
        column = rows.column(name)
        if pa.types.is_string(column.type):
            rest = self.long == "last" and name == self.columns[-1]
            return self._texts([value or "" for value in column.to_pylist()], rest=rest)
        if not pa.types.is_primitive(column.type):
            where = f"delimited text, column {name}"
            raise SchemaError(where=where, expected="text or numbers", got=str(column.type))
        return [value or "" for value in column.cast(pa.string()).to_pylist()]

    def _texts(self, values: Sequence[str], *, rest: bool = False) -> list[str]:
        """Texts as they stand in the file; the `rest` of a line may hold delimiters."""
        if self.quoting:
            return [f'"{value.replace(QUOTE, QUOTE * 2)}"' for value in values]
        breaks = {"\n", "\r"} if rest else {self.delimiter[0], "\n", "\r"}
        alone = len(self.columns) == 1  # an empty line would be no row
        for value in values:
            blank = self.delimiter == ", " and value.startswith(" ")
            if blank or not breaks.isdisjoint(value) or (alone and not value):
                told = "text without delimiters and line breaks, as there are no quotes"
                raise SchemaError(where="delimited text", expected=told, got=repr(value))
        return list(values)

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            got = repr(text[error.start])
            expected = f"characters of {self.encoding}"
            raise SchemaError(where="delimited text", expected=expected, got=got) from None
