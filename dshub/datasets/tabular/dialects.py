"""Detect the delimiter, quoting and header of delimited text."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from dshub.datasets.tabular.columns import LABELS
from dshub.errors import DshubError
from dshub.formats._texts import LARGEST_LINE
from dshub.tables.missing import TEXTS as MISSING

# strongest first: a character that is rarer in text wins if two give the same number of fields
DELIMITERS = ("\t", "::", "|", ";", ",")
_NAMES = {"\t": "tabs", " ": "spaces", "blanks": "blanks"}
_SPACED = {",": ", ", ";": "; ", "|": "| "}
_MAX_ROWS = 200  # maximum rows to examine
_COMPLETE = 1 << 15  # characters; shorter text is a complete file, not just the beginning
_YEARS = range(1800, 2101)
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+")
_WORDS = re.compile(r'"([^"]*)"|([^ \t]+)')
Rows = list[list[str]]


@dataclass(frozen=True)
class Dialect:
    """Format of delimited text.

    Attributes:
        delimiter: delimiter of the reader.
        quoting: whether quotes around fields are syntax, as in CSV.
        header: whether the first line is a header.
        columns: names from the header, or `column_1` and so on.
        trailing: whether lines end with one more delimiter.
        sure: whether the content shows that there is a header or none; False for a guess.
        others: other delimiters that also give a table.
        decimal_commas: columns of numbers such as `1,5`.
    """

    delimiter: str
    quoting: bool
    header: bool
    columns: tuple[str, ...]
    trailing: bool = False
    sure: bool = field(default=True, compare=False)
    others: tuple[str, ...] = field(default=(), compare=False)
    decimal_commas: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class _Reading:
    """Rows of one delimiter; no rows if lines have different numbers of fields."""

    delimiter: str
    rows: Rows
    quoting: bool = True
    trailing: bool = False

    @property
    def width(self) -> int:
        return len(self.rows[0]) if self.rows else 0


def sniff(
    text: str,
    name: str,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    complete: bool | None = None,
    late: str = "",
) -> Dialect:
    """Detect the format of delimited text.

    Args:
        text: beginning of a file.
        name: name of the file, for error messages.
        header: whether the first line is a header; None to guess.
        delimiter: delimiter; None to detect it.
        complete: whether `text` is the whole file; by default, if it is short.
        late: lines with quotes from later in the file, if `text` has no quotes.

    Raises:
        DshubError: the text is not a table.
    """
    whole = len(text) < _COMPLETE if complete is None else complete
    readings = _readings(_not_empty(text, name), delimiter, late, complete=whole)
    if not readings:
        raise DshubError(
            f"{name} is not a table: lines have different numbers of fields",
            hint="separate fields with commas, tabs or semicolons, in the same number per line, or "
            "state the delimiter (--delimiter, or delimiter=)",
        )
    best, *others = readings
    rows = best.rows
    guessed, sure = _has_header(rows)
    has_header = guessed if header is None else header
    columns = tuple(rows[0]) if has_header else _numbered(rows[0])
    column, count = Counter(columns).most_common(1)[0]
    if count > 1 and header is None and not sure:
        has_header, columns = False, _numbered(rows[0])
    elif count > 1:
        raise DshubError(
            f"{name}: the header has more than one column {column!r}",
            hint="rename a column, or state that it is data (--no-header, or header=False)",
        )
    return Dialect(
        best.delimiter,
        best.quoting,
        has_header,
        columns,
        best.trailing,
        sure,
        tuple(reading.delimiter for reading in others if reading.width > 1),
        _decimal_commas(columns, rows[1:] if has_header else rows),
    )


def _not_empty(text: str, name: str) -> str:
    if not text.strip():
        raise DshubError(f"{name} is empty", hint="pass only files with rows")
    return text


def _numbered(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"column_{i}" for i in range(1, len(row) + 1))


def shown(delimiter: str) -> str:
    """Return a delimiter as a word or in quotes."""
    return _NAMES.get(delimiter, repr(delimiter))


def _readings(text: str, delimiter: str | None, late: str, *, complete: bool) -> list[_Reading]:
    """Return the readings that give a table, best first."""
    candidates = [delimiter] if delimiter else list(DELIMITERS)
    found = [
        reading
        for candidate in candidates
        for reading in (_reading(text, candidate, late, complete=complete),)
        if reading.rows
    ]
    found = [reading for reading in found if reading.width > 1] or found[-1:]
    found.sort(key=lambda reading: -reading.width)  # stable: the strongest of equal width is first
    if len(found) > 1 and found[0].delimiter[0] == "," and _are_decimals(found[1]):
        found = [*found[1:], found[0]]
    blanks = _Reading("blanks", _words(text), quoting='"' in text)
    if not delimiter and _is_table_of_words(blanks) and _is_wider(blanks, found):
        return [blanks]
    return found


def _is_wider(blanks: _Reading, found: Sequence[_Reading]) -> bool:
    """Return True if blanks separate fields; some UCI files have a tab before the last one."""
    return all(
        item.width < 2 or (item.delimiter == "\t" and 2 * item.width < blanks.width)
        for item in found
    )


def _reading(text: str, delimiter: str, late: str, *, complete: bool) -> _Reading:
    """Read rows with a delimiter, with or without blanks after it."""
    if delimiter == "blanks":
        rows = _words(text)
        return _Reading(delimiter, rows, quoting='"' in text)
    if len(delimiter) == 2 or delimiter == " ":
        return _parsed(text, delimiter, late, complete=complete)
    reading = _parsed(text, delimiter, late, complete=complete)
    spaced = _SPACED.get(delimiter)
    if spaced and (reading.width < 2 or _has_blanks(reading.rows)):
        other = _parsed(text, spaced, late, complete=complete)
        if other.width > 1:
            return other
    return reading


def _has_blanks(rows: Rows) -> bool:
    """Return True if every field after the first begins with a blank, at least below the header."""
    cells = [cell for row in rows[1:] or rows for cell in row[1:] if cell]
    return bool(cells) and all(cell.startswith(" ") for cell in cells)


def _parsed(text: str, delimiter: str, late: str, *, complete: bool) -> _Reading:
    """Read rows with a delimiter, and decide whether quotes are CSV syntax.

    Some text can be parsed both with and without CSV quotes. In tab-separated text, quotes then
    count as plain characters, as in the TSV files of GLUE. Exceptions are a doubled quote in a
    field, and a first row with quotes around every field.
    """
    rows = _rows(text, delimiter, quoting=False, complete=complete)
    plain = _even(_Reading(delimiter, rows, quoting=False))
    if delimiter == "::":
        return plain if plain.width > 1 else _Reading(delimiter, [])
    quoted = _even(_Reading(delimiter, _rows(text, delimiter, quoting=True, complete=complete)))
    if late and quoted.width == plain.width > 1:
        return _by_late_quotes(quoted, plain, late)
    if delimiter == "\t" and quoted.width == plain.width > 1:
        return quoted if quoted.rows != plain.rows and _is_csv(plain.rows) else plain
    if quoted.width > 1 or (quoted.width and delimiter == ","):
        return quoted
    return plain if plain.width > 1 else _Reading(delimiter, [])


def _is_csv(rows: Rows) -> bool:
    """Return whether rows that were read without quotes have quotes as in CSV."""
    doubled = any('""' in cell for row in rows for cell in row)
    return doubled or all(cell.startswith('"') for cell in rows[0])


def _by_late_quotes(quoted: _Reading, plain: _Reading, late: str) -> _Reading:
    """Choose by lines from later in the file; the first lines have no quotes."""
    widths = {
        quoting: set(map(len, _rows(late, quoted.delimiter, quoting=quoting, complete=False)))
        for quoting in (True, False)
    }
    expected = {quoted.width} | ({quoted.width + 1} if quoted.trailing else set())
    fits = {quoting: bool(found) and found <= expected for quoting, found in widths.items()}
    if fits[True] != fits[False]:
        return quoted if fits[True] else plain
    csv_like = quoted.delimiter != "\t" or '""' in late
    return quoted if csv_like else plain


def _even(reading: _Reading) -> _Reading:
    """Drop the empty field after a delimiter at the end of lines; keep only even rows."""
    rows = reading.rows
    widths = sorted({len(row) for row in rows})
    if not widths:
        return reading
    longest = [row for row in rows if len(row) == widths[-1]]
    is_trailing = widths[-1] > 2 and all(not row[-1] for row in longest)
    if is_trailing and widths in ([widths[-1]], [widths[-1] - 1, widths[-1]]):
        even = [row[: widths[-1] - 1] for row in rows]
        return _Reading(reading.delimiter, even, reading.quoting, trailing=True)
    return reading if len(widths) == 1 else _Reading(reading.delimiter, [], reading.quoting)


def _rows(text: str, delimiter: str, *, quoting: bool, complete: bool) -> Rows:
    """Return the first rows; the last row of incomplete text can continue, and is left out."""
    if delimiter == "::":
        lines = text.replace("\r\n", "\n").split("\n")
        return [line.split("::") for line in islice(filter(None, lines), _MAX_ROWS)]
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST_LINE))
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter[0],
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
        skipinitialspace=len(delimiter) == 2,
        strict=True,  # as the reader of prepared rows
    )
    rows = list(islice(_readable(reader, complete=complete), _MAX_ROWS + 1))
    if quoting and not complete and 1 < len(rows) <= _MAX_ROWS:
        rows.pop()
    return rows


def _readable(reader: Any, *, complete: bool) -> Iterator[list[str]]:
    """Yield the rows; a row that cannot be read is empty, and the last one."""
    try:
        yield from filter(None, reader)
    except csv.Error as error:
        if complete or "end of data" not in str(error):
            yield []


def _words(text: str) -> Rows:
    """Return rows of words between blanks, with quotes around words that contain blanks."""
    lines = (line.strip() for line in text.split("\n"))
    rows = [
        [inner or word for inner, word in _WORDS.findall(line)]
        for line in islice(filter(None, lines), _MAX_ROWS)
    ]
    return rows if len(set(map(len, rows))) == 1 else []


def _is_table_of_words(reading: _Reading) -> bool:
    """Return True if words between blanks are a table: some column consists of numbers."""
    columns = list(zip(*(reading.rows[1:] or reading.rows), strict=True))
    return reading.width > 1 and any(all(map(_is_number, column)) for column in columns)


def _are_decimals(reading: _Reading) -> bool:
    """Return True if commas occur only in numbers such as `1,5`."""
    cells = [cell.strip() for row in reading.rows for cell in row if "," in cell]
    return reading.width > 1 and bool(cells) and all(map(_DECIMAL_COMMA.fullmatch, cells))


def _decimal_commas(columns: Sequence[str], rows: Rows) -> tuple[str, ...]:
    """Return the columns of numbers with decimal commas."""
    found = []
    for name, cells in zip(columns, zip(*rows, strict=True), strict=False):
        values = [cell.strip() for cell in cells if cell.strip() not in MISSING]
        commas = [value for value in values if _DECIMAL_COMMA.fullmatch(value)]
        if commas and all(map(_is_number, values)):
            found.append(name)
    return tuple(found)


def _has_header(rows: Rows) -> tuple[bool, bool]:
    """Return whether the first row is a header, and whether the content shows it."""
    first, data = rows[0], rows[1:]
    columns = list(zip(*data, strict=True))
    words = [(cell, column) for cell, column in zip(first, columns, strict=False) if _is_word(cell)]
    names_numbers = any(
        all(_is_number(cell) or cell.strip() in MISSING for cell in column) for _, column in words
    )
    if any(map(_is_number, first)):
        return _has_numeric_header(first, columns, names_numbers=names_numbers)
    unnamed = sum(not cell.strip() for cell in first)
    if unnamed > 1 or (unnamed and first[0].strip() and not names_numbers):
        return False, unnamed == len(first)
    if names_numbers or any(cell.strip().lower() in LABELS for cell in first):
        return True, True
    if any(cell in column for cell, column in zip(first, columns, strict=False)):
        return False, True  # the first row has a value that repeats below
    return True, False


def _has_numeric_header(
    first: Sequence[str], columns: Sequence[Sequence[str]], *, names_numbers: bool
) -> tuple[bool, bool]:
    """Return the same for a first row with numbers, such as `country,2019,2020`."""
    numbers = [cell for cell in first if _is_number(cell)]
    whole = [int(cell) for cell in numbers if re.fullmatch(r"\d{1,9}", cell.strip())]
    if len(whole) < len(numbers) or len(set(whole)) < len(whole):
        return names_numbers, not names_numbers
    if all(number in _YEARS for number in whole) and not any(map(_are_years, columns)):
        return True, False
    counts = whole == list(range(whole[0], whole[0] + len(whole)))
    if counts and whole[0] == 0 and len(whole) > 3:  # as pandas numbers columns
        return True, False
    return names_numbers, not (names_numbers or (counts and len(whole) > 1))


def _is_word(cell: str) -> bool:
    return cell.strip() not in MISSING and not _is_number(cell)


def _are_years(column: Sequence[str]) -> bool:
    return bool(column) and all(cell.strip().isdecimal() and int(cell) in _YEARS for cell in column)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return _DECIMAL_COMMA.fullmatch(cell.strip()) is not None
    return cell.strip().lower() not in {"nan", "inf", "infinity"}
