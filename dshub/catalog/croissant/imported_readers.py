"""Croissant's `extract` and `transform` as one of our readers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
        """The column of a table that it is, left as it is; or empty."""
        return "" if self.transforms else self.source.extract.column or ""

    @property
    def json_path(self) -> str:
        """The path in a document as our reader writes it, such as `data[].title`; or empty."""
        path = self.source.extract.json_path or ""
        if self.transforms or not re.fullmatch(
            r"\$?(?:\.?[^.\[\]*?@$]++|\[\*\]|\['[^.\[\]']++'\])++", path
        ):
            return ""
        return re.sub(r"\['([^']+)'\]", r".\1", path).replace("[*]", "[]").lstrip("$").lstrip(".")


class Reading(NamedTuple):
    """How the rows of a split are read.

    Attributes:
        reader: the reader and its options.
        part: the part that its files are.
        titles: upstream's name of each column that has another one in the manifest.
    """

    reader: Content
    part: str = "rows"
    titles: dict[str, str] = {}  # noqa: RUF012  # it is never changed


def reading(
    columns: Sequence[Column], encodings: Sequence[str], members: Sequence[str]
) -> Reading | None:
    """A reader for some columns of one file or set of files; None where there is none.

    Args:
        columns: all of the same source.
        encodings: its media types.
        members: names and patterns of its files, in an archive; empty in none.
    """
    kinds = set(encodings)
    titles = {column.key: column.title for column in columns}
    paths = {column.key: column.json_path for column in columns}
    if kinds & _PARQUET:
        return _parquet(columns)
    if all(titles.values()) and kinds & _DELIMITERS.keys():
        return _delimited(
            titles, next(_DELIMITERS[kind] for kind in encodings if kind in _DELIMITERS)
        )
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
    return Reading(reader, titles=titles)


def _parquet(columns: Sequence[Column]) -> Reading | None:
    """Columns, or fields of structs where a path leads to one (`image`, then `bytes`)."""
    paths = {}
    for column in columns:
        inner = [item.json_path or "" for item in column.transforms]
        path = [column.source.extract.column or "", *inner]
        if len(path) > 2 or not all(re.fullmatch(r"\$?\.?[^.$\[\]*]+", item) for item in path):
            return None
        paths[column.key] = ".".join(item.lstrip("$.") for item in path)
    return Reading({"format": "parquet", "columns": paths})


def _json(columns: Sequence[Column], paths: dict[str, str]) -> Reading | None:
    """A document whose rows are the items of the list that all columns lead through."""
    rows = {path[: path.rfind("[]") + 2] if "[]" in path else "" for path in paths.values()}
    if len(rows) > 1 or "" in rows:
        return None
    reader = {"format": "json", "lines": False, "rows": rows.pop(), "columns": paths}
    return Reading(reader | _types(columns))


def _types(columns: Sequence[Column]) -> Content:
    """The types that the JSON reader needs for columns other than text."""
    found = {}
    for column in columns:
        feature = column.feature.get("of", column.feature)
        kinds = [kind for kind in column.types if kind in _JSON_TYPES]
        if feature["kind"] == "number":
            found[column.key] = "number" if feature["dtype"].startswith("float") else "integer"
        elif kinds and feature["kind"] == "label":
            found[column.key] = _JSON_TYPES[kinds[0]]
    return {"types": found} if found else {}


def _folder(columns: Sequence[Column], members: Sequence[str]) -> Reading | None:
    """Files whose paths hold columns; their regular expressions must be of one path."""
    contents = [c for c in columns if c.file_property == "content" and not c.transforms]
    if len(contents) != 1 or len(members) != 1:
        return None
    path = _template(members[0])
    varying = [i for i, piece in enumerate(path) if piece.startswith("{") and piece[1:2] != "{"]
    for column in columns:
        if column is contents[0]:
            continue
        pattern = column.transforms[0].regex if column.transforms else None
        place = _place(pattern or "")
        if column.file_property not in {"fullpath", "filepath"} or not 0 < place <= len(varying):
            return None
        path[varying[-place]] = f"{{{column.key}}}"
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
    """The place of a regular expression's group among the parts that vary, 1 for the last.

    0 where it has not one group, or more than a path's pattern can express. Places count from the
    end, because an expression may leave out the beginning of the path.
    """
    if not re.fullmatch(f"(?:{_PART})+", pattern):
        return 0
    found = [match.lastgroup for match in re.finditer(_PART, pattern) if match.lastgroup]
    return len(found) - found.index("group") if found.count("group") == 1 else 0
