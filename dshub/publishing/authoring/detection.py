"""Recognize the format of a file, and the delimiter, quoting and header of delimited text.

Images and audio are recognized by suffix, all others by content.
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

from dshub.datasets.folders import AUDIO, IMAGES
from dshub.errors import DshubError
from dshub.publishing.authoring.columns import LABELS, MISSING
from dshub.publishing.authoring.survey import Entry

_SIGNATURES = {
    b"\xff\xd8\xff": "image",
    b"\x89PNG": "image",
    b"GIF8": "image",
    b"fLaC": "audio",
    b"\x93NUMPY": "npz",
    b"PAR1": "parquet",
    b"ARROW1\0\0": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # a stream: the marker in front of its schema
}
_IDX = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x20].", re.DOTALL)
_JSON = re.compile(r"\s*(\{|\[\{)")
_UNSUPPORTED = {
    "a spreadsheet; save each sheet as CSV": {".xlsx", ".xls"},
    "a pickle, which can run code; save it as npz, parquet or CSV": {".pkl", ".pickle", ".pt"},
    "HDF5, which dshub does not read; save it as npz": {".h5", ".hdf5"},
}
_DELIMITERS = (",", "\t", ";")
_ENOUGH = 200  # rows to look at
_WHOLE = 1 << 15  # characters; shorter text is a whole file
Rows = list[list[str]]


def form(entry: Entry) -> str:
    """Name the format of a file: `image`, `audio`, a reader, or `unknown`.

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
    if head[:4] == b"RIFF":
        return "audio" if head[8:12] == b"WAVE" else "image"
    return _form_of_text(entry, decoded(head))


def advice(entry: Entry) -> str:
    """Name the format of an unsupported file, and a better one; empty if its suffix is unknown."""
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
    """The text of a file's first bytes, even if cut inside a character; None if not UTF-8."""
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True)
class Dialect:
    """The format of delimited text.

    Attributes:
        columns: the names in the header, or `column_1` and so on.
        sure: whether the content says that there is a header, or none.
    """

    delimiter: str
    quoting: bool
    header: bool
    columns: tuple[str, ...]
    sure: bool = field(default=True, compare=False)


def sniff(text: str, name: str, *, header: bool | None = None) -> Dialect:
    """Detect the format of a text.

    Args:
        text: the beginning of a file; the last line can be cut.
        name: of the file, for errors.
        header: whether the first line is a header; None to guess.

    Raises:
        DshubError: the text is not a table.
    """
    readings = [(*_reading(text, delimiter), delimiter) for delimiter in _DELIMITERS]
    rows, quoting, delimiter = max(readings, key=lambda reading: _width(reading[0]))
    if not rows:
        raise DshubError(
            f"{name} is not a table: its lines have different numbers of fields",
            hint="separate fields with commas, tabs or semicolons",
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
            f"{name}: its header has two columns {column!r}",
            hint="rename one of them, or use --no-header if the line is data",
        )
    return Dialect(delimiter, quoting, has_header, columns, guessed is not None)


def _reading(text: str, delimiter: str) -> tuple[Rows, bool]:
    """Read rows with a delimiter; returns them, and whether quotes are those of CSV.

    Text can be a table either way. Between tabs, quotes are then mostly characters, as in the TSV
    files of GLUE, unless a field has a doubled one or the whole first row is quoted.
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
    """The first rows, if all have the same number of fields."""
    quotes: Any = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE  # one of the constants
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quotes)
    try:
        rows = list(islice(filter(None, reader), _ENOUGH + 1))
    except csv.Error:
        return []
    if 1 < len(rows) <= _ENOUGH and len(text) >= _WHOLE:
        rows.pop()  # can be cut
    return rows if len(set(map(len, rows))) == 1 else []


def _width(rows: Rows) -> int:
    return len(rows[0]) if rows else 0


def _has_header(rows: Sequence[Sequence[str]]) -> bool | None:
    """Whether the first row is a header; None if nothing says so."""
    first, rest = rows[0], rows[1:]
    if any(_is_number(cell) for cell in first) or not all(cell.strip() for cell in first[1:]):
        return False
    if any(cell.strip().lower() in LABELS for cell in first):
        return True
    columns = list(zip(*rest, strict=True))
    if any(all(_is_number(cell) or cell in MISSING for cell in column) for column in columns):
        return True
    if any(cell in column for cell, column in zip(first, columns, strict=False)):
        return False  # a value that repeats
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() not in {"nan", "inf", "infinity"}
