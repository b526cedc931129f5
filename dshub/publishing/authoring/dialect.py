"""How a delimited text is written: its delimiter, its quotes, its header."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dshub.errors import DshubError
from dshub.publishing.authoring.columns import LABELS, MISSING

_DELIMITERS = (",", "\t", ";")
_ENOUGH = 200  # rows by which it is told


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Attributes:
        columns: the header's names, or `column_1` and so on where it has none.
        sure: whether nothing speaks against the header, or against there being none.
    """

    delimiter: str
    quoting: bool
    header: bool
    columns: tuple[str, ...]
    sure: bool = field(default=True, compare=False)


def sniff(text: str, name: str, *, header: bool | None = None) -> Dialect:
    """How the text that a file begins with is written.

    Args:
        text: its last line may be cut.
        name: of the file, for errors.
        header: whether its first line names the columns, where a person says so.

    Raises:
        DshubError: it is no table.
    """
    found = [
        (rows, delimiter, quoting)
        for delimiter in _DELIMITERS
        for quoting in (True, False)
        if (rows := _table(text, delimiter, quoting=quoting))
        and (len(rows[0]) > 1 or (delimiter, quoting) == (",", True))
    ]
    if not found:
        raise DshubError(
            f"{name} is no table: its lines have different numbers of fields",
            hint="fields may be apart by a comma, a tab or a semicolon",
        )
    rows, delimiter, _ = max(found, key=lambda item: len(item[0][0]))
    both = [own for own, other, _ in found if other == delimiter and len(own[0]) == len(rows[0])]
    quoting = _is_quoted(both, delimiter, found)
    told = _has_header(rows)
    has = (told is not False) if header is None else header
    columns = tuple(rows[0]) if has else tuple(f"column_{i + 1}" for i in range(len(rows[0])))
    if len(set(columns)) < len(columns):
        twice = next(column for column, count in Counter(columns).items() if count > 1)
        if header is None and told is None:
            return sniff(text, name, header=False)
        raise DshubError(
            f"{name}: its header has two columns {twice!r}",
            hint="give one of them another name; or --no-header, where this is a row",
        )
    return Dialect(delimiter, quoting, has, columns, told is not None)


def _is_quoted(
    tables: Sequence[list[list[str]]], delimiter: str, found: Sequence[tuple[Any, str, bool]]
) -> bool:
    """Whether quotes are those of CSV, where a text can be read with them, or without, or both.

    Between commas they are. Between tabs a quote is mostly a character (so the TSV of GLUE), unless
    a field has one that is doubled, or the rows make no table otherwise.
    """
    if len(tables) < 2:
        return next(quoting for _, other, quoting in found if other == delimiter)
    with_quotes, without = tables
    doubled = any('""' in cell for row in without for cell in row)
    return delimiter != "\t" or (with_quotes != without and doubled)


def _table(text: str, delimiter: str, *, quoting: bool) -> list[list[str]]:
    """The first rows, where all have the same number of fields; otherwise none."""
    whole = len(text) < 1 << 15  # characters: a text that was not cut
    quotes: Any = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE  # one of the constants
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quotes)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _ENOUGH:
                break
    except csv.Error:
        return []
    if len(rows) > 1 and not whole and len(rows) <= _ENOUGH:
        rows.pop()  # may be cut
    widths = Counter(map(len, rows))
    return rows if len(widths) == 1 else []


def _has_header(rows: Sequence[Sequence[str]]) -> bool | None:
    """Whether the first row names the columns; None where nothing tells."""
    first, rest = rows[0], rows[1:]
    if any(_is_number(cell) for cell in first) or not all(cell.strip() for cell in first[1:]):
        return False
    if any(cell.strip().lower() in LABELS for cell in first):
        return True
    columns = list(zip(*rest, strict=True))
    if any(all(_is_number(cell) or cell in MISSING for cell in column) for column in columns):
        return True
    if any(cell in column for cell, column in zip(first, columns, strict=False)):
        return False  # a value that occurs again
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() not in {"nan", "inf", "infinity"}
