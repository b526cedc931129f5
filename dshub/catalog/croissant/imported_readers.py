"""Croissant's `extract` and `transform` as one of our readers."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dshub.catalog.croissant.vocabulary import CSV, JSON, JSON_LINES, PARQUET, TEXT, TSV

if TYPE_CHECKING:
    from mlcroissant import Source, Transform

Content = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A field whose source is understood.

    Attributes:
        key: its name in the manifest.
        feature: what it holds.
        types: its data types.
        source: its `source`.
    """

    key: str
    feature: Content
    types: Sequence[str]
    source: "Source"

    @property
    def transforms(self) -> "list[Transform]":
        """The changes to the value."""
        return list(self.source.transforms or ())

    @property
    def file_property(self) -> str:
        """The property of the file that it is, such as `content`; or empty."""
        return getattr(self.source.extract.file_property, "name", "")

    @property
    def title(self) -> str:
        """The column of a table that it is; or empty."""
        return self.source.extract.column or ""

    @property
    def json_path(self) -> str:
        """The path in a document that it is at; or empty."""
        return self.source.extract.json_path or ""


@dataclass(frozen=True)
class Reading:
    """How the rows of a split are read.

    Attributes:
        reader: the reader and its options; empty where there is none.
        part: the part that its files are.
        columns: upstream's name of each column.
    """

    reader: Content
    part: str
    columns: dict[str, str]


Way = Callable[[Sequence[Column], Sequence[str], Sequence[str]], Reading | None]


def reading(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    """A reader for some columns of one file or set of files; None where there is none.

    Args:
        columns: all of the same source.
        encodings: its media types.
        members: names and patterns of its files, in an archive; empty in none.
    """
    ways: tuple[Way, ...] = (_table, _json_lines, _json, _lines, _folder)
    return next(
        (found for way in ways if (found := way(columns, encodings, members)) is not None), None
    )


def _table(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    del members
    names = _titles(columns)
    if PARQUET in encodings or "application/vnd.apache.parquet" in encodings:
        return _parquet(columns)
    if names is None:
        return None
    titles = list(dict.fromkeys(names.values()))
    if CSV in encodings:
        return Reading({"format": "delimited", "header": True, "columns": titles}, "rows", names)
    if TSV in encodings or "text/tsv" in encodings:
        reader = {"format": "delimited", "header": True, "delimiter": "\t", "columns": titles}
        return Reading(reader, "rows", names)
    return None


def _parquet(columns: Sequence[Column]) -> Reading | None:
    """Columns, or fields of structs where a path leads to one (`image`, then `bytes`)."""
    paths = {}
    for column in columns:
        path = [column.title, *(item.json_path or "" for item in column.transforms)]
        if len(path) > 2 or not all(re.fullmatch(r"\$?\.?[^.$\[\]*]+", item) for item in path):
            return None
        paths[column.key] = ".".join(item.lstrip("$.") for item in path)
    return Reading({"format": "parquet", "columns": paths}, "rows", {key: key for key in paths})


def _json_lines(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    del members
    lines = {JSON_LINES, "application/jsonl", "application/x-ndjson", "application/x-jsonlines"}
    if not lines & set(encodings):
        return None
    paths = _titles(columns) or _paths(columns)
    if paths is None:
        return None
    reader = {"format": "json", "columns": paths} | _types(columns)
    return Reading(reader, "rows", {key: key for key in paths})


def _json(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    """A document whose rows are the items of the list that all columns lead through."""
    del members
    paths = _paths(columns)
    if JSON not in encodings or paths is None:
        return None
    rows = {path[: path.rfind("[]") + 2] if "[]" in path else "" for path in paths.values()}
    if len(rows) > 1 or "" in rows:
        return None
    reader = {"format": "json", "lines": False, "rows": rows.pop(), "columns": paths}
    return Reading(reader | _types(columns), "rows", {key: key for key in paths})


def _lines(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    del members
    if TEXT not in encodings or len(columns) != 1 or columns[0].transforms:
        return None
    key, part = columns[0].key, columns[0].file_property
    if part not in {"lines", "content"}:
        return None
    reader = {"format": "lines"} | ({"row": "file"} if part == "content" else {})
    return Reading(reader, key, {key: key})


def _folder(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    """Files whose paths hold columns; their regular expressions must be of one path."""
    del encodings
    contents = [c for c in columns if c.file_property == "content"]
    if len(contents) != 1 or len(members) != 1 or contents[0].transforms:
        return None
    path = template(members[0])
    for column in columns:
        if column is contents[0]:
            continue
        pattern = column.transforms[0].regex if column.transforms else ""
        if column.file_property not in {"fullpath", "filepath"} or not pattern:
            return None
        found = _merged(path, pattern, column.key)
        if found is None:
            return None
        path = found
    kept = {column.key: column.key for column in columns}
    reader = {"format": "folder", "path": "".join(path)}
    is_text = contents[0].feature["kind"] == "text"
    return Reading(reader | ({"text": True} if is_text else {}), contents[0].key, kept)


def _titles(columns: Sequence[Column]) -> dict[str, str] | None:
    """The columns of a table, if each is one and left as it is."""
    if any(column.transforms or not column.title for column in columns):
        return None
    return {column.key: column.title for column in columns}


def _paths(columns: Sequence[Column]) -> dict[str, str] | None:
    """The paths of columns that are taken by JSONPath, as our reader writes them."""
    if any(column.transforms for column in columns):
        return None
    paths = {column.key: _path(column.json_path) for column in columns}
    return paths if all(paths.values()) else None


def _path(json_path: str) -> str:
    """`data[].title` for `$.data[*].title`; empty where it is more than keys and lists."""
    if not re.fullmatch(r"\$?(?:\.?[^.\[\]*?@$]++|\[\*\]|\['[^.\[\]']++'\])++", json_path):
        return ""
    plain = re.sub(r"\['([^']+)'\]", r".\1", json_path).replace("[*]", "[]")
    return plain.lstrip("$").lstrip(".")


def _types(columns: Sequence[Column]) -> Content:
    """What the reader of JSON has to be told of columns that are no text."""
    found = {}
    for column in columns:
        feature = column.feature.get("of", column.feature)
        kinds = [kind for kind in column.types if kind in _JSON_TYPES]
        if feature["kind"] == "number":
            found[column.key] = "number" if feature["dtype"].startswith("float") else "integer"
        elif kinds and feature["kind"] == "label":
            found[column.key] = _JSON_TYPES[kinds[0]]
    return {"types": found} if found else {}


_JSON_TYPES = {"Integer": "integer", "Boolean": "boolean"}


def template(pattern: str) -> list[str]:
    """The pieces of a path for `folder`: literal text, and a field for each `*` of a pattern."""
    pieces = re.split(r"(\*+)", pattern.replace("{", "{{").replace("}", "}}"))
    stars = sum(1 for piece in pieces if piece.startswith("*"))
    made, number = [], 0
    for piece in pieces:
        if piece.startswith("*"):
            number += 1
            lone = pieces[0] == "" and number == 1 and stars == 1
            made.append(
                "{name:path}" if lone else "{name}" if number == stars else f"{{in{number}}}"
            )
        elif piece:
            made.append(piece)
    return made


def _merged(path: list[str], pattern: str, key: str) -> list[str] | None:
    """A path with the field named that a regular expression takes out of it."""
    tokens = list(_tokens(pattern))
    if not tokens or None in tokens:
        return None
    fields = [token for token in tokens if token in {"(", "*"}]
    places = [i for i, piece in enumerate(path) if piece.startswith("{") and piece[1:2] != "{"]
    if len(fields) > len(places) or fields.count("(") != 1:
        return None
    # from the end: an expression may leave out the beginning of the path
    place = places[len(places) - len(fields) + fields.index("(")]
    return [f"{{{key}}}" if i == place else piece for i, piece in enumerate(path)]


_TOKEN = re.compile(
    r"(?P<free>\(\?:\.\*/\)\?|\^|\$)"
    r"|(?P<group>\((?:\[\^/\][+*]|\.[+*]\??|\[0-9\]\+|\\d\+|\\w\+)\))"
    r"|(?P<any>\[\^/\][+*]|\.[+*]\??|\[0-9\]\+|\\d\+)"
    r"|(?P<literal>\\[^A-Za-z0-9]|[^\\()\[\]{}|?+*.^$])"
)


def _tokens(pattern: str) -> Iterator[str | None]:
    """`(` for the group, `*` for anything else that varies, a letter for itself, None for more."""
    at = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            yield None
            return
        at = match.end()
        if match["group"]:
            yield "("
        elif match["any"]:
            yield "*"
        elif match["literal"]:
            yield match["literal"][-1]
