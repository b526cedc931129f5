"""Import Croissant's `extract` and `transform` as one of our readers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from dshub.catalog.croissant.vocabulary import CSV, JSON, JSON_LINES, PARQUET, TEXT, TSV

if TYPE_CHECKING:
    from mlcroissant import Source, Transform

Content = dict[str, Any]

_PARQUET = {PARQUET, "application/vnd.apache.parquet"}
_LINES = {JSON_LINES, "application/jsonl", "application/x-ndjson", "application/x-jsonlines"}
_DELIMITERS = {CSV: ",", TSV: "\t", "text/tsv": "\t"}
_JSON_TYPES = {"Integer": "integer", "Boolean": "boolean"}


@dataclass(frozen=True)
class Column:
    """A field with a source that is understood.

    Attributes:
        key: its name in the manifest.
        feature: its feature.
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
        """Its property of the file, such as `content`; or empty."""
        return getattr(self.source.extract.file_property, "name", "")

    @property
    def title(self) -> str:
        """Its unchanged column of a table; or empty."""
        return "" if self.transforms else self.source.extract.column or ""

    @property
    def json_path(self) -> str:
        """Its path in a document as our reader writes it, such as `data[].title`; or empty."""
        path = self.source.extract.json_path or ""
        if self.transforms or not re.fullmatch(
            r"\$?(?:\.?[^.\[\]*?@$]++|\[\*\]|\['[^.\[\]']++'\])++", path
        ):
            return ""
        return re.sub(r"\['([^']+)'\]", r".\1", path).replace("[*]", "[]").lstrip("$").lstrip(".")


class Reading(NamedTuple):
    """The reader of a split.

    Attributes:
        reader: the reader and its options.
        part: the part of its files.
        renamed: new names of columns by upstream's names.
    """

    reader: Content
    part: str = "rows"
    renamed: Mapping[str, str] = MappingProxyType({})


def reading(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    """Choose a reader for columns of one file or set of files; None if there is none.

    Args:
        columns: all from the same source.
        encodings: its media types.
        members: names and patterns of its files in an archive.
    """
    kinds = set(encodings)
    titles = {column.key: column.title for column in columns}
    paths = {column.key: column.json_path for column in columns}
    if kinds & _PARQUET:
        return _parquet(columns)
    if all(titles.values()) and kinds & _DELIMITERS.keys():
        delimiter = next(_DELIMITERS[kind] for kind in encodings if kind in _DELIMITERS)
        return _delimited(titles, delimiter)
    if kinds & _LINES and (all(titles.values()) or all(paths.values())):
        used = titles if all(titles.values()) else paths
        return Reading({"format": "json", "columns": used} | _types(columns))
    if JSON in kinds and all(paths.values()):
        return _json(columns, paths)
    if TEXT in kinds and len(columns) == 1 and not columns[0].transforms:
        options = {"lines": {}, "content": {"row": "file"}}.get(columns[0].file_property)
        if options is not None:
            return Reading({"format": "lines"} | options, columns[0].key)
    return _folder(columns, members)


def _delimited(titles: dict[str, str], delimiter: str) -> Reading:
    reader: Content = {"format": "delimited", "header": True}
    reader |= {"delimiter": delimiter} if delimiter != "," else {}
    reader["columns"] = list(dict.fromkeys(titles.values()))
    renamed = {title: key for key, title in titles.items() if key != title}
    return Reading(reader, renamed=renamed)


def _parquet(columns: Sequence[Column]) -> Reading | None:
    """Columns, or fields of structs that a path leads to (`image`, then `bytes`)."""
    paths = {}
    for column in columns:
        inner = [item.json_path or "" for item in column.transforms]
        path = [column.source.extract.column or "", *inner]
        if len(path) > 2 or not all(re.fullmatch(r"\$?\.?[^.$\[\]*]+", item) for item in path):
            return None
        paths[column.key] = ".".join(item.lstrip("$.") for item in path)
    return Reading({"format": "parquet", "columns": paths})


def _json(columns: Sequence[Column], paths: dict[str, str]) -> Reading | None:
    """A document with rows in one list that all paths lead through."""
    rows = {path[: path.rfind("[]") + 2] if "[]" in path else "" for path in paths.values()}
    if len(rows) > 1 or "" in rows:
        return None
    reader = {"format": "json", "lines": False, "rows": rows.pop(), "columns": paths}
    return Reading(reader | _types(columns))


def _types(columns: Sequence[Column]) -> Content:
    """The types that the JSON reader needs for columns other than text."""
    types = {}
    for column in columns:
        feature = column.feature.get("of", column.feature)
        kinds = [kind for kind in column.types if kind in _JSON_TYPES]
        if feature["kind"] == "number":
            types[column.key] = "number" if feature["dtype"].startswith("float") else "integer"
        elif kinds and feature["kind"] == "label":
            types[column.key] = _JSON_TYPES[kinds[0]]
    return {"types": types} if types else {}


def _folder(columns: Sequence[Column], members: Sequence[str]) -> Reading | None:
    """Files with columns in their paths; all regular expressions must fit one path."""
    contents = [c for c in columns if c.file_property == "content" and not c.transforms]
    if len(contents) != 1 or len(members) != 1:
        return None
    path = _template(members[0])
    fields = [i for i, piece in enumerate(path) if piece.startswith("{") and piece[1:2] != "{"]
    for column in columns:
        if column is contents[0]:
            continue
        place = _place((column.transforms[0].regex if column.transforms else None) or "")
        if column.file_property not in {"fullpath", "filepath"} or not 0 < place <= len(fields):
            return None
        path[fields[-place]] = f"{{{column.key}}}"
    reader: Content = {"format": "folder", "path": "".join(path)}
    is_text = contents[0].feature["kind"] == "text"
    return Reading(reader | ({"text": True} if is_text else {}), contents[0].key)


def _template(pattern: str) -> list[str]:
    """The pieces of a path for `folder`: literal text, and a field for each `*` of a pattern."""
    pieces = re.split(r"(\*+)", pattern.replace("{", "{{").replace("}", "}}"))
    fields = [f"{{in{i}}}" for i in range(1, len(pieces) // 2)] + ["{name}"]
    if len(pieces) == 3 and not pieces[0]:
        fields = ["{name:path}"]
    pieces[1::2] = fields[: len(pieces) // 2]
    return [piece for piece in pieces if piece]


_PART = (
    r"(?:\(\?:\.\*/\)\?|\^|\$)"
    r"|(?P<group>\((?:\[\^/\][+*]|\.[+*]\??|\[0-9\]\+|\\d\+|\\w\+)\))"
    r"|(?P<any>\[\^/\][+*]|\.[+*]\??|\[0-9\]\+|\\d\+)"
    r"|(?:\\[^A-Za-z0-9]|[^\\()\[\]{}|?+*.^$])"
)


def _place(pattern: str) -> int:
    """The place of a regular expression's group among its variable parts, 1 for the last.

    It is 0 for an expression with several groups or none, or one that no path can express. Places
    count from the end, because an expression can leave out the beginning of a path.
    """
    if not re.fullmatch(f"(?:{_PART})+", pattern):
        return 0
    parts = [match.lastgroup for match in re.finditer(_PART, pattern) if match.lastgroup]
    return len(parts) - parts.index("group") if parts.count("group") == 1 else 0
