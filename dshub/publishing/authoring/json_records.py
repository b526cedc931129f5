"""Find the columns of JSON files, which are the keys that every row has."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dshub.errors import DshubError, ReadError
from dshub.formats._texts import numbered_lines, read_all
from dshub.formats.json import LARGEST_DOCUMENT
from dshub.publishing.authoring.survey import Entry, key

_KINDS: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_MAX_DEPTH = 8  # maximum levels of nested objects
_MAX_COLUMNS = 500


@dataclass
class Records:
    """Keys of JSON rows.

    Attributes:
        path: path of the list of rows; empty if each line is a row.
        rows: number of rows.
        counts: number of rows with a value, by path.
        kinds: kinds of values, by path.
        notes: notes about omitted columns.
    """

    path: str
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    kinds: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    notes: list[str] = field(default_factory=list)

    def add(self, row: Any, file: str) -> None:
        """Add the keys of a row.

        Raises:
            ReadError: the row is not an object.
            DshubError: the rows have too many different keys.
        """
        self.rows += 1
        if not isinstance(row, dict):
            raise ReadError(file=file, reason=f"row {self.rows:,} is not an object")
        values = list(_values(row, f"{self.path}." if self.path else "", 0))
        self.counts.update(dict.fromkeys((path for path, _ in values), 1))
        for path, kind in values:
            self.kinds[path].add(kind)
        if len(self.counts) > _MAX_COLUMNS:
            raise DshubError(
                f"{file}: rows have more than {_MAX_COLUMNS} different keys",
                hint="replace keys that vary between rows with a list of objects",
            )

    def reader(self) -> dict[str, Any]:
        """Return the reader options for keys that every row has; add notes about other keys."""
        paths: dict[str, str] = {}
        types: dict[str, str] = {}
        for path, count in self.counts.items():
            kinds = self.kinds[path] - {"empty"}
            if "number" in kinds:
                kinds.discard("integer")
            shown = path.removeprefix(f"{self.path}.")
            if count < self.rows:
                absent = self.rows - count
                self.notes.append(f"key {shown!r} is omitted: {absent:,} rows do not have it")
            elif len(kinds) != 1 or not kinds <= set(_KINDS.values()):
                values = " and ".join(sorted(kinds)) or "only empty lists"
                self.notes.append(f"key {shown!r} is omitted: its values are {values}")
            else:
                name = key(shown, paths)
                paths[name] = path
                types[name] = kinds.pop()
        types = {name: kind for name, kind in types.items() if kind != "string"}
        options: dict[str, Any] = {"columns": paths} | ({"types": types} if types else {})
        return options | ({"rows": self.path, "lines": False} if self.path else {})


def _values(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the path and the kind of each value in an object, including nested values."""
    for name, inner in value.items():
        if any(sign in name for sign in ".[]") or not name:
            yield f"{path}{name!r}", "under a name that a path cannot contain"
        elif isinstance(inner, dict) and depth < _MAX_DEPTH and inner:
            yield from _values(inner, f"{path}{name}.", depth + 1)
        elif isinstance(inner, list):
            yield from _items(inner, f"{path}{name}[]", depth)
        else:
            yield f"{path}{name}", _KINDS.get(type(inner), "null or empty")


def _items(items: list[Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    if not items:
        yield path, "empty"
    for item in items:
        if isinstance(item, dict) and not any(isinstance(v, dict | list) for v in item.values()):
            yield from _values(item, f"{path}.", depth + 1)
        else:
            yield path, _KINDS.get(type(item), "null or nested lists")


def read_records(entries: Sequence[Entry]) -> Records:
    """Read the rows of JSON files, and collect their keys.

    Raises:
        ReadError: a file is not JSON.
        DshubError: a file has no list of rows or several, or files differ in structure.
    """
    records: Records | None = None
    for entry in entries:
        path, rows = _rows(entry)
        records = records or Records(path)
        if path != records.path:
            raise DshubError(
                f"{entries[0].name} and {entry.name} differ in structure",
                hint="pass only files with the same structure",
            )
        for row in rows:
            records.add(row, entry.file.name)
    if records is None or not records.rows:
        raise DshubError(f"{entries[0].name} has no rows", hint="pass files with at least one row")
    return records


def _rows(entry: Entry) -> tuple[str, Iterable[Any]]:
    """Return the path of the list of rows (empty if each line is a row), and the rows."""
    name = entry.file.name
    with entry.file.open() as stream:
        first, second = stream.readline(), stream.readline()
    try:
        document = json.loads(first)
    except (ValueError, RecursionError):
        document = None
    is_lines = second.strip() or entry.suffix in {".jsonl", ".ndjson"} or not _lists(document)
    if isinstance(document, dict) and is_lines:
        return "", _lines(entry)
    document = _parsed(read_all(entry.file, LARGEST_DOCUMENT), name)
    if isinstance(document, list):
        return "[]", document
    lists = _lists(document)
    if len(lists) != 1:
        content = f"several lists: {', '.join(lists)}" if lists else "no list of objects"
        raise DshubError(
            f"{name} has {content}",
            hint="write a manifest that names the list of rows; see https://dshub.github.io/dshub/manifests.html",
        )
    return lists.popitem()


def _lines(entry: Entry) -> Iterator[Any]:
    for number, line in numbered_lines(entry.file):
        if line.strip():
            yield _parsed(line, entry.file.name, f"line {number:,}: ")


def _parsed(data: bytes, name: str, location: str = "") -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReadError(file=name, reason=f"{location}not valid JSON: {error}") from None


def _lists(document: Any) -> dict[str, list[Any]]:
    """Return the lists of objects at the top level of a document, by path."""
    items = document.items() if isinstance(document, dict) else ()
    return {
        f"{name}[]": value
        for name, value in items
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    }
