"""Detect the format of a file, and the delimiter, quoting and header of delimited text.

Images and audio files are recognized by suffix, and all other formats by content.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from dshub.datasets.audio_files import encoding_of
from dshub.datasets.folders import AUDIO, IMAGES
from dshub.errors import DshubError
from dshub.publishing.authoring.columns import LABELS, MISSING
from dshub.publishing.authoring.survey import Entry

_SIGNATURES = {
    b"\xff\xd8\xff": "image",
    b"\x89PNG": "image",
    b"GIF8": "image",
    b"\x93NUMPY": "npz",
    b"PAR1": "parquet",
    b"ARROW1\0\0": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # the first message of an Arrow stream
}
_IDX = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x20].", re.DOTALL)
_JSON = re.compile(r"\s*(\{|\[\{)")
_UNSUPPORTED = {
    "a spreadsheet; save each sheet as CSV": {".xlsx", ".xls"},
    "a pickle, which can run code; save it as npz, parquet or CSV": {".pkl", ".pickle", ".pt"},
    "an HDF5 file, which dshub cannot read; save it as npz": {".h5", ".hdf5"},
}
_DELIMITERS = (",", "\t", ";")
_MAX_ROWS = 200  # maximum rows to examine
_COMPLETE = 1 << 15  # characters; shorter text is a complete file, not just the beginning
Rows = list[list[str]]


def form(entry: Entry) -> str:
    """Return the format of a file: `image`, `audio`, the name of a reader, or `unknown`.

    Raises:
        ReadError: the file cannot be read.
    """
    if entry.suffix in IMAGES + AUDIO:
        return "image" if entry.suffix in IMAGES else "audio"
    head = entry.head()
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    if _IDX.match(head):
        return "idx"
    if encoding_of(head[:12]):
        return "audio"
    if head[:4] == b"RIFF":
        return "image"  # WebP
    return _form_of_text(entry, decoded(head))


def advice(entry: Entry) -> str:
    """Name an unsupported format and suggest a supported one; empty for an unknown suffix."""
    return next((text for text, suffixes in _UNSUPPORTED.items() if entry.suffix in suffixes), "")


def _form_of_text(entry: Entry, text: str | None) -> str:
    if text is None:
        return "unknown"
    if entry.suffix in {".jsonl", ".ndjson", ".json"} or _JSON.match(text):
        return "json"
    if any(suffix in entry.base.lower() for suffix in (".csv", ".tsv", ".tab", ".data")):
        return "delimited"
    try:
        dialect = sniff(text, entry.base)
    except DshubError:
        return "lines"
    return "delimited" if dialect.delimiter == "\t" else "lines"


def decoded(head: bytes) -> str | None:
    """Decode the first bytes of a file; return None if they are not UTF-8.

    The bytes can end in the middle of a character.
    """
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True)
class Dialect:
    """Format of delimited text.

    Attributes:
        delimiter: character between fields.
        quoting: whether quotes around fields are syntax, as in CSV.
        header: whether the first line is a header.
        columns: names from the header, or `column_1` and so on.
        sure: whether the content shows that there is a header or none; False for a guess.
    """

    delimiter: str
    quoting: bool
    header: bool
    columns: tuple[str, ...]
    sure: bool = field(default=True, compare=False)


def sniff(text: str, name: str, *, header: bool | None = None) -> Dialect:
    """Detect the format of delimited text.

    Args:
        text: beginning of a file; the last line can be incomplete.
        name: name of the file, for error messages.
        header: whether the first line is a header; None to guess.

    Raises:
        DshubError: the text is not a table.
    """
    readings = [(*_reading(text, delimiter), delimiter) for delimiter in _DELIMITERS]
    rows, quoting, delimiter = max(readings, key=lambda reading: _width(reading[0]))
    if not rows:
        raise DshubError(
            f"{name} is not a table: lines have different numbers of fields",
            hint="separate fields with commas, tabs or semicolons, in the same number per line",
        )
    guessed = _has_header(rows)
    has_header = (guessed is not False) if header is None else header
    columns = (
        tuple(rows[0]) if has_header else tuple(f"column_{i + 1}" for i in range(len(rows[0])))
    )
    column, count = Counter(columns).most_common(1)[0]
    if count > 1:
        if header is None and guessed is None:
            return sniff(text, name, header=False)
        raise DshubError(
            f"{name}: the header has more than one column {column!r}",
            hint="rename a column, or use --no-header if the first line is data",
        )
    return Dialect(delimiter, quoting, has_header, columns, guessed is not None)


def _reading(text: str, delimiter: str) -> tuple[Rows, bool]:
    """Read rows with a delimiter; return the rows, and whether quotes are CSV syntax.

    Some text can be parsed both with and without CSV quotes. In tab-separated text, quotes then
    count as plain characters, as in the TSV files of GLUE. Exceptions are a doubled quote in a
    field, and a first row with quotes around every field.
    """
    quoted, plain = (_rows(text, delimiter, quoting=quoting) for quoting in (True, False))
    if delimiter == "\t" and _width(quoted) == _width(plain) > 1:
        doubled = any('""' in cell for row in plain for cell in row)
        is_csv = doubled or all(cell.startswith('"') for cell in plain[0])
        return (quoted, True) if is_csv and quoted != plain else (plain, False)
    if _width(quoted) > 1 or (quoted and delimiter == ","):
        return quoted, True
    return (plain, False) if _width(plain) > 1 else ([], True)


def _rows(text: str, delimiter: str, *, quoting: bool) -> Rows:
    """Return the first rows; empty if they have different numbers of fields."""
    quotes: Any = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quotes)
    try:
        rows = list(islice(filter(None, reader), _MAX_ROWS + 1))
    except csv.Error:
        return []
    if 1 < len(rows) <= _MAX_ROWS and len(text) >= _COMPLETE:
        rows.pop()  # the last row can be incomplete
    return rows if len(set(map(len, rows))) == 1 else []


def _width(rows: Rows) -> int:
    return len(rows[0]) if rows else 0


def _has_header(rows: Sequence[Sequence[str]]) -> bool | None:
    """Return whether the first row is a header; None if the content does not show it."""
    first, data = rows[0], rows[1:]
    if any(_is_number(cell) for cell in first) or not all(cell.strip() for cell in first[1:]):
        return False
    if any(cell.strip().lower() in LABELS for cell in first):
        return True
    columns = list(zip(*data, strict=True))
    if any(all(_is_number(cell) or cell in MISSING for cell in column) for column in columns):
        return True
    if any(cell in column for cell, column in zip(first, columns, strict=False)):
        return False  # the first row has a value that repeats below
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() not in {"nan", "inf", "infinity"}
