"""Describe how Croissant extracts the columns of a format.

Croissant has columns of tables, paths in JSON, and content and names of files. A reader with
options that another program would not guess (no header, other quotes, skipped lines) is not
described: no column is better than one that does not exist.
"""

import re
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from dshub.catalog.croissant.vocabulary import (
    AUDIO_TYPES,
    CSV,
    IMAGE_TYPES,
    JSON,
    JSON_LINES,
    PARQUET,
    TEXT,
    TSV,
)
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.catalog.manifest import Manifest, Rename, Split

Extract = Mapping[str, Any]

_TYPES = {"conll": [TEXT], "libsvm": [TEXT], "lines": [TEXT], "parquet": [PARQUET]}
_NUMBERED = {"arrow", "cifar", "cifar_python", "idx", "libsvm", "mat", "npz", "parquet", "stl10"}


def extract(split: Split, column: str) -> Extract | None:
    """The `extract` of a feature, and its `transform` if any; None if Croissant has none."""
    if not all(isinstance(step, Rename) for step in split.steps):
        return None  # Croissant cannot express the choice or the join of rows
    for step in reversed(split.steps):
        upstream = {ours: name for name, ours in step.columns.items()}  # type: ignore[union-attr]
        column = upstream.get(column, column)
    find = _FINDERS.get(split.reader["format"])
    return find(split, column) if find else None


def class_form(split: Split, column: str, label: LabelFeature) -> str:
    """The form of a class in a split's files: `number`, `name` or `code`; empty if unknown.

    Readers of text tables accept both the name and the number, and the manifest does not say which
    one the file holds. A reference to the wrong one would join no row.
    """
    form = split.reader["format"]
    if form == "folder" and f"{{{column}}}" not in split.reader["path"]:
        return "number" if f"{{{column}:" in split.reader["path"] else ""
    if form in _NUMBERED or label.first:
        return "number"
    if label.codes:
        return "code"
    return "name" if form == "folder" else ""


def content_types(manifest: Manifest, split: Split, part: str) -> Sequence[str]:
    """Media types of the content of a part's files; empty if only file names indicate them."""
    form = split.reader["format"]
    if part not in split.reader_parts:
        return ()
    if form == "folder":
        return _folder_types(manifest)
    if form == "delimited":
        return {",": [CSV], "\t": [TSV]}.get(split.reader.get("delimiter", ","), [TEXT])
    if form == "json":
        return [JSON_LINES] if split.reader.get("lines", True) else [JSON]
    return _TYPES.get(form, ())


def _folder_types(manifest: Manifest) -> Sequence[str]:
    for feature in manifest.features.values():
        if isinstance(feature, ImageFeature) and feature.encoding != "raw":
            known = IMAGE_TYPES.get(feature.encoding)
            return [known] if known else list(IMAGE_TYPES.values())
        if isinstance(feature, AudioFeature):
            return [AUDIO_TYPES[feature.encoding]]
    return [TEXT]


def _parquet(split: Split, column: str) -> Extract | None:
    """A column, or a field of a struct."""
    title, _, inner = split.reader.get("columns", {}).get(column, column).partition(".")
    return {"extract": {"column": title}} | ({"transform": {"jsonPath": inner}} if inner else {})


def _delimited(split: Split, column: str) -> Extract | None:
    """A column of a table with a header and the usual quotes."""
    usual: dict[str, list[Any]] = {
        "delimiter": [",", "\t"],
        "header": [True],
        "quoting": [True],
        "encoding": ["utf-8"],
    }
    options = {"header": False} | {
        name: value for name, value in split.reader.items() if name not in {"format", "columns"}
    }
    is_usual = all(value in usual.get(name, []) for name, value in options.items())
    return {"extract": {"column": column}} if is_usual else None


def _json(split: Split, column: str) -> Extract | None:
    """A key of each line, or a path in a document with its rows in one list."""
    path, rows = split.reader["columns"].get(column), split.reader.get("rows", "")
    if path is None or split.reader.keys() - {"format", "columns", "rows", "lines", "types"}:
        return None
    if split.reader.get("lines", True):
        is_key = not rows and re.fullmatch(r"[^.\[\]]+", path)
        return {"extract": {"column": path}} if is_key else None
    others = [item.removeprefix(rows) for item in split.reader["columns"].values()]
    if not rows or any(re.fullmatch(r"\.[^.\[\]]+", item) is None for item in others):
        return None  # other lists do not have as many values as there are rows
    dotted = path.replace("[]", "[*]")
    return {"extract": {"jsonPath": f"${dotted}" if dotted[0] == "[" else f"$.{dotted}"}}


def _lines(split: Split, column: str) -> Extract | None:
    del column
    usual = {"encoding": "utf-8", "blank": "keep"}
    if any(split.reader.get(name, value) != value for name, value in usual.items()):
        return None
    is_whole = split.reader.get("row") == "file"
    return {"extract": {"fileProperty": "content" if is_whole else "lines"}}


def _folder(split: Split, column: str) -> Extract | None:
    """The content of files, or the part of their paths that is a column.

    Other programs can put the archive's name in front of a path, so a pattern allows a prefix.
    """
    path = split.reader["path"]
    if split.reader.get("skip") or ":" in path:
        return None
    if column == split.reader_parts[0]:
        return {"extract": {"fileProperty": "content"}}
    pattern, names = "^(?:.*/)?", set()
    for literal, name, spec, _ in Formatter().parse(path):
        pattern += re.escape(literal)
        if name is not None:
            form = {"": "[^/]+", "path": ".+"}.get(spec or "", "[0-9]+")
            pattern += f"({form})" if name == column else form
            names.add(name)
    if column not in names:
        return None
    return {"extract": {"fileProperty": "fullpath"}, "transform": {"regex": f"{pattern}$"}}


_FINDERS = {
    "delimited": _delimited,
    "folder": _folder,
    "json": _json,
    "lines": _lines,
    "parquet": _parquet,
}
