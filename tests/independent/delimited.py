"""Read delimited text: quoted fields with a regular expression, others with Python's csv module."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any


def read(files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]) -> dict[str, list]:
    columns: dict[str, list] = {name: [] for name in options["columns"]}
    (part,) = files.values()
    for _, data in part:
        encoding = options.get("encoding", "utf-8")
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        for _ in range(options.get("skip", 0)):
            text = text.partition("\n")[2]
        rows = list(_quoted(text, options) if options.get("quoting", True) else _raw(text, options))
        if options.get("header", False):
            assert rows.pop(0) == list(columns)
        for row in rows:
            if options.get("long") == "last":
                last = options["delimiter"].join(row[len(columns) - 1 :])
                row[len(columns) - 1 :] = [last] if len(row) >= len(columns) else []
            missing = len(columns) - len(row) if options.get("short") == "fill" else 0
            for name, value in zip(columns, row + [""] * missing, strict=True):
                columns[name].append(value)
    return columns


def _raw(text: str, options: dict[str, Any]) -> Iterator[list[str]]:
    delimiter = options.get("delimiter", ",")
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter[0],
        quoting=csv.QUOTE_NONE,
        skipinitialspace=len(delimiter) == 2,
    )
    return (row for row in reader if row)


def _quoted(text: str, options: dict[str, Any]) -> Iterator[list[str]]:
    """Yield rows by matching one field of RFC 4180 after another."""
    delimiter = options.get("delimiter", ",")
    end, spaces = re.escape(delimiter[0]), " *" if len(delimiter) == 2 else ""
    field = re.compile(rf'{spaces}(?:"((?:[^"]|"")*)")?([^{end}\n]*?)({end}|\r?\n|\Z)')
    at = begin = 0
    row: list[str] = []
    while at < len(text) or row:
        match = field.match(text, at)
        assert match
        quoted, plain, ending = match.groups()
        row.append((quoted or "").replace('""', '"') + plain)
        at = match.end()
        if ending != delimiter[0]:
            if text[begin:at].strip("\r\n"):
                yield row
            begin, row = at, []
