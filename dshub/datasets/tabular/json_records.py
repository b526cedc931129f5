"""Find the columns of JSON files, which are the keys of the rows."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from dshub.errors import DshubError, ReadError
from dshub.formats import File
from dshub.formats._texts import LARGEST_DOCUMENT, numbered_lines, read_all

_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    dict: "object",
    list: "list",
}
_SCALARS = {"boolean", "integer", "number", "string"}
_SPLIT = {"columns", "index", "data"}  # keys of pandas with `orient="split"`
_UNSIGNED = "unsigned 64-bit integer"
_MAX_DEPTH = 16  # maximum levels of nested objects and lists
_MAX_COLUMNS = 500


@dataclass
class Records:
    """Keys of JSON rows.

    Attributes:
        path: path of the list of rows; empty if each line is a row.
        rows: number of rows.
        counts: number of rows with a value, by path.
        values: number of values, by path. A row has several if the path passes through a list.
        kinds: kinds of values, by path. An empty list has the path of its items and no kind.
        notes: notes about omitted columns.
    """

    path: str
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
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
        values = list(_members(row, f"{self.path}." if self.path else "", 0))
        self.counts.update(dict.fromkeys((path for path, _ in values), 1))
        for path, kind in values:
            self.kinds[path] |= {kind} - {""}
            self.values[path] += bool(kind)
        if len(self.counts) > _MAX_COLUMNS:
            raise DshubError(
                f"{file}: rows have more than {_MAX_COLUMNS} different keys",
                hint="replace keys that vary between rows with a list of objects",
            )

    def reader(self, naming: Callable[[str, Collection[str]], str]) -> dict[str, Any]:
        """Return the reader options of the columns; add notes about keys that cannot be one.

        Args:
            naming: function that returns the name of a column, given its path and the names in use.
        """
        paths: dict[str, str] = {}
        types: dict[str, str] = {}
        for path, kind in self._columns():
            name = naming(path.removeprefix(f"{self.path}."), paths)
            paths[name] = path
            types[name] = kind
        types = {name: kind for name, kind in types.items() if kind != "string"}
        options: dict[str, Any] = {"columns": paths} | ({"types": types} if types else {})
        return options | ({"rows": self.path, "lines": False} if self.path else {})

    def _columns(self) -> Iterator[tuple[str, str]]:
        """Yield the path and type of each column, in the order of the keys.

        Objects and lists of objects are columns of type `any`, as are all values that can be
        missing. Objects are divided into their keys only if one of these cannot be read.
        """
        waiting = [path for path in self.counts if self._parent(path) not in self.counts]
        while waiting:
            path = waiting.pop(0)
            flat, kinds, items = self._flat_kind(path), self.kinds[path], f"{path}[]"
            if flat:
                yield path, flat
            elif kinds == {"list"} and self._is_complete(path) and self._flat_kind(items):
                waiting.insert(0, items)
            elif not (problem := self._problem(path)):
                yield path, "any"
            elif kinds == {"object"} and self._is_complete(path) and self._children(path):
                waiting = [*self._children(path), *waiting]
            else:
                shown = path.removeprefix(f"{self.path}.")
                self.notes.append(f"key {shown!r} is omitted: {problem}")

    def _parent(self, path: str) -> str:
        return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]

    def _children(self, path: str) -> list[str]:
        """Return the paths of the keys of objects, or of the items of lists."""
        return [other for other in self.counts if self._parent(other) == path]

    def _kinds_of(self, path: str) -> set[str]:
        kinds = self.kinds[path] - {"null"}
        return kinds - {"integer"} if kinds & {"number", _UNSIGNED} else kinds

    def _flat_kind(self, path: str) -> str:
        """Return the type of values that every row has, or of the items of lists; or empty."""
        kinds = self._kinds_of(path)
        is_scalar = len(kinds) == 1 and kinds <= _SCALARS
        parent = self._parent(path)
        expected = self.values.get(parent, self.rows)
        if path.endswith("[]"):
            expected = self.values[path]
        complete = self.values[path] == expected and "null" not in self.kinds[path]
        return next(iter(kinds)) if is_scalar and complete else ""

    def _is_complete(self, path: str) -> bool:
        """Return True if every row has a value."""
        return self.values[path] == self.rows and "null" not in self.kinds[path]

    def _problem(self, path: str) -> str:
        """Describe why the values at a path have no common type, or return an empty string."""
        kinds = self._kinds_of(path)
        inner = [problem for child in self._children(path) if (problem := self._problem(child))]
        if len(kinds) > 1 or not kinds <= {*_KINDS.values(), _UNSIGNED}:
            return f"its values are {' and '.join(sorted(kinds))}"
        if inner:
            return inner[0]
        if not kinds:
            return "its values are only empty lists" if path.endswith("[]") else "it is always null"
        if kinds == {"object"} and not self._children(path):
            return "its values are empty objects"
        return (
            "" if kinds != {"list"} or self._children(path) else "its values are only empty lists"
        )


def _members(value: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the path and the kind of each value in an object, including nested values."""
    for name, inner in value.items():
        if any(sign in name for sign in ".[]") or not name:
            yield f"{path}{name!r}", "under a name that a path cannot contain"
        else:
            yield from _values(inner, f"{path}{name}", depth)


def _kind(value: Any) -> str:
    if type(value) is not int or -(2**63) <= value < 2**63:
        return _KINDS[type(value)]
    return _UNSIGNED if 0 <= value < 2**64 else "integers of more than 64 bits"


def _values(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    yield path, _kind(value) if depth < _MAX_DEPTH else "nested too deeply"
    if depth == _MAX_DEPTH:
        return
    if isinstance(value, dict):
        yield from _members(value, f"{path}.", depth + 1)
    elif isinstance(value, list):
        if not value:
            yield f"{path}[]", ""
        for item in value:
            yield from _values(item, f"{path}[]", depth + 1)


def read_records(files: Sequence[File]) -> Records:
    """Read the rows of JSON files, and collect their keys.

    Raises:
        ReadError: a file is not JSON.
        DshubError: a file has no list of rows or several, or files differ in structure.
    """
    records: Records | None = None
    for file in files:
        path, rows = _rows(file)
        records = records or Records(path)
        if path != records.path:
            raise DshubError(
                f"{files[0].name} and {file.name} differ in structure",
                hint="pass only files with the same structure",
            )
        for row in rows:
            records.add(row, file.name)
    if records is None or not records.rows:
        raise DshubError(f"{files[0].name} has no rows", hint="pass files with at least one row")
    return records


def _rows(file: File) -> tuple[str, Iterable[Any]]:
    """Return the path of the list of rows (empty if each line is a row), and the rows."""
    name = file.name
    with file.open() as stream:
        first, second = stream.readline(), stream.readline()
    if not first:
        raise DshubError(f"{name} is empty", hint="pass only files with rows")
    try:
        document = json.loads(first)
    except (ValueError, RecursionError):
        document = None
    is_lines = second.strip() or _is_lines(file)
    if isinstance(document, dict) and (is_lines or not _lists(document)):
        if not is_lines:
            _refuse_columns(document, name)
        return "", _lines(file)
    document = _parsed(read_all(file, LARGEST_DOCUMENT), name)
    if isinstance(document, list):
        return "[]", document
    lists = _lists(document)
    if not lists:
        _refuse_columns(document, name)
    if len(lists) != 1:
        content = f"several lists: {', '.join(lists)}" if lists else "no list of objects"
        raise DshubError(
            f"{name} has {content}",
            hint="write a manifest that names the list of rows; see https://dshub.github.io/dshub/manifests.html",
        )
    return lists.popitem()


def _refuse_columns(document: Any, name: str) -> None:
    """Raise DshubError for a document with columns or named rows, as pandas writes them.

    These are objects, or lists of equal length. See `orient` of
    https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.to_json.html
    """
    if not isinstance(document, dict) or not (_are_columns(document) or {*document} == _SPLIT):
        return
    raise DshubError(
        f"{name} is one object whose values look like columns or an index, not rows",
        hint="write an object per row, with "
        'df.to_json("data.jsonl", orient="records", lines=True); '
        "if it is one row, let its name end with .jsonl",
    )


def _are_columns(document: dict[str, Any]) -> bool:
    """Return True if all values are objects, or nonempty lists of equal length."""
    values = list(document.values())
    if all(isinstance(value, dict) for value in values):
        return len(values) > 1 or "0" in values[0]
    lengths = {len(value) if isinstance(value, list) else 0 for value in values}
    return len(values) > 1 and len(lengths) == 1 and lengths != {0}


def _is_lines(file: File) -> bool:
    return PurePosixPath(file.member or file.name).suffix.lower() in {".jsonl", ".ndjson"}


def _lines(file: File) -> Iterator[Any]:
    for number, line in numbered_lines(file):
        if line.strip():
            yield _parsed(line, file.name, f"line {number:,}: ")


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
