"""Files that hold records or arrays: JSON, IDX, npy and npz.

Files that each hold one array: IDX, and NumPy's npy, alone or in an npz.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.errors import DshubError, ReadError
from dshub.publishing.authoring.columns import LABELS, shaped
from dshub.publishing.authoring.outline import Outline, SplitOutline, part
from dshub.publishing.authoring.survey import Entry, key, split_in, stem

WORDS = {"idx": "IDX arrays", "npz": "NumPy arrays"}
_PICTURES = {"image", "images", "img", "imgs", "x", "data", "pictures"}
_IDX_NAME = re.compile(r"[-_.]?idx\d+[-_.]?(?:u?byte)?", re.IGNORECASE)


def outline(
    form: str,
    files: Mapping[str, Sequence[Entry]],
    members: Mapping[Path, list[str]],
    suffixes: Sequence[str],
) -> Outline:
    """The dataset whose columns are arrays, one a file.

    Args:
        form: the reader of them all.
        files: those of each split.
        members: of the archives among them.
        suffixes: of compressions.

    Raises:
        DshubError: two files would be the same column of a split.
        ReadError: a file is not what its format promises.
    """
    found = Outline(kind=WORDS[form], splits={})
    for split, entries in files.items():
        parts: dict[str, Entry] = {}
        axes: dict[str, list[int]] = {}
        for entry in entries:
            kind = _row_type(form, entry)
            name = _column(kind, entry, suffixes)
            if name in parts:
                raise DshubError(
                    f"{parts[name].name} and {entry.name} would both be column {name!r} of "
                    f"split {split}",
                    hint="name the files that belong together",
                )
            parts[name] = entry
            if form == "npz" and name == "image" and _is_planar(kind):
                axes[name] = [1, 2, 0]
                found.doubts.append(f"column {name!r} has its channels first; they are moved last")
        reader = {"format": form} | ({"axes": axes} if axes else {})
        found.splits[split] = SplitOutline(
            reader, {name: part([entry], members) for name, entry in parts.items()}
        )
    found.doubts = list(dict.fromkeys(found.doubts))
    return found


def _row_type(form: str, entry: Entry) -> tuple[pa.DataType, tuple[int, ...]]:
    """The type and shape of the rows of a file."""
    batch = next(iter(formats.create({"format": form}).read({"rows": [entry.file]})), None)
    if batch is None:
        raise DshubError(f"{entry.name} holds no rows", hint="an empty array is no column")
    return shaped(batch.column(0).type)


def _column(row: tuple[pa.DataType, tuple[int, ...]], entry: Entry, suffixes: Sequence[str]) -> str:
    """The column that a file is, by its name without its split, and by what it holds."""
    kind, shape = row
    _, rest = split_in(stem(entry.base, suffixes))
    name = key(_IDX_NAME.sub("", rest).strip("-_. "), instead="data")
    if name in _PICTURES and len(shape) >= 2 and kind == pa.uint8():
        return "image"
    return "label" if name in LABELS and not shape and pa.types.is_integer(kind) else name


def _is_planar(row: tuple[pa.DataType, tuple[int, ...]]) -> bool:
    """Whether rows are pictures channel by channel: (channels, height, width)."""
    _, shape = row
    return len(shape) == 3 and shape[0] in {1, 3} and shape[2] not in {1, 3, 4}


_KINDS: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_DEPTH = 8  # objects in objects that are looked into
_MOST = 500  # columns
Value = tuple[str, str]


@dataclass
class Records:
    """Rows in JSON, and what they have.

    Attributes:
        rows: the path of the list of rows; empty for lines.
        lines: whether each line is a document.
        count: of rows.
        seen: how often each path was seen, and with which kinds of values.
    """

    rows: str = ""
    lines: bool = True
    count: int = 0
    seen: dict[str, tuple[int, set[str]]] = field(default_factory=dict)

    def add(self, row: Any, where: str) -> None:
        """See another row; raises ReadError where it is no object."""
        if not isinstance(row, dict):
            raise ReadError(file=where, reason=f"row {self.count + 1:,} is no object")
        self.count += 1
        found: dict[str, set[str]] = {}
        for path, kind in _values(row, f"{self.rows}." if self.rows else "", 0):
            found.setdefault(path, set()).add(kind)
        for path, kinds in found.items():
            count, known = self.seen.get(path, (0, set()))
            self.seen[path] = (count + 1, known | kinds)
        if len(self.seen) > _MOST:
            raise DshubError(
                f"{where}: its rows have more than {_MOST} different keys",
                hint="make the keys that differ from row to row values of a list",
            )

    def columns(self) -> tuple[dict[str, str], dict[str, str], list[str]]:
        """Paths and kinds of the columns that every row has, and what was left out."""
        paths: dict[str, str] = {}
        types: dict[str, str] = {}
        notes: list[str] = []
        for path, (count, kinds) in self.seen.items():
            kind = _together(kinds - {"empty"})
            shown = path.removeprefix(f"{self.rows}.")
            if count < self.count:
                notes.append(f"key {shown!r} is left out: {self.count - count:,} rows lack it")
            elif kind is None:
                told = " and ".join(sorted(kinds)) or "only empty lists"
                notes.append(f"key {shown!r} is left out: its values are {told}")
            else:
                name = key(shown, paths)
                paths[name] = path
                if kind != "string":
                    types[name] = kind
        return paths, types, notes


def _together(kinds: set[str]) -> str | None:
    """The kind that all values have; None where there is none."""
    if kinds == {"integer", "number"}:
        return "number"
    return next(iter(kinds)) if len(kinds) == 1 and kinds <= set(_KINDS.values()) else None


def _values(value: Any, path: str, depth: int) -> Iterator[Value]:
    """The path and kind of everything in an object."""
    for name, inner in value.items():
        if any(sign in name for sign in ".[]") or not name:
            yield f"{path}{name!r}", "under a name that no path can hold"
        elif isinstance(inner, dict) and depth < _DEPTH and inner:
            yield from _values(inner, f"{path}{name}.", depth + 1)
        elif isinstance(inner, list):
            yield from _items(inner, f"{path}{name}[]", depth)
        else:
            yield f"{path}{name}", _KINDS.get(type(inner), "null or empty")


def _items(items: list[Any], path: str, depth: int) -> Iterator[Value]:
    if not items:
        yield path, "empty"
    for item in items:
        if isinstance(item, dict) and not any(isinstance(v, dict | list) for v in item.values()):
            yield from _values(item, f"{path}.", depth + 1)
        else:
            yield path, _KINDS.get(type(item), "null, or lists in lists")


def records(entry: Entry) -> Records:
    """What the rows of a file have.

    Raises:
        ReadError: it is no JSON.
        DshubError: it holds no list of rows, or several.
    """
    name = entry.file.name
    with entry.file.open() as stream:
        first = stream.readline()
        try:
            lines = isinstance(json.loads(first), dict)
        except (ValueError, RecursionError):
            lines = False
        more = bool(stream.readline().strip()) if lines else False
    if lines and (more or entry.suffix in {".jsonl", ".ndjson"} or not _has_list(first)):
        return _of_lines(entry)
    with entry.file.open() as stream:
        document = _parsed(stream.read(), name, "")
    return _of_document(document, name)


def _has_list(line: bytes) -> bool:
    document = json.loads(line)
    return any(_is_rows(value) for value in document.values())


def _of_lines(entry: Entry) -> Records:
    found = Records()
    with entry.file.open() as stream:
        for number, line in enumerate(iter(stream.readline, b""), 1):
            if line.strip():
                found.add(_parsed(line, entry.file.name, f"line {number:,}: "), entry.file.name)
    return found


def _parsed(data: bytes, name: str, where: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReadError(file=name, reason=f"{where}it is no JSON: {error}") from None


def _of_document(document: Any, name: str) -> Records:
    if isinstance(document, list):
        found, rows = Records(rows="[]", lines=False), document
    else:
        lists = _lists(document)
        if len(lists) != 1:
            told = f"several lists: {', '.join(lists)}" if lists else "no list of objects"
            raise DshubError(
                f"{name} holds {told}",
                hint="which of them are the rows is told by hand; see registry/README.md",
            )
        path, rows = next(iter(lists.items()))
        found = Records(rows=path, lines=False)
    for row in rows:
        found.add(row, name)
    return found


def _lists(document: Any) -> Mapping[str, list[Any]]:
    """The lists of objects right in a document."""
    if not isinstance(document, dict):
        return {}
    return {f"{name}[]": value for name, value in document.items() if _is_rows(value)}


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(i, dict) for i in value)
