"""Describe in Croissant how to extract the columns of a split.

Croissant can express columns of tables, paths in JSON, and contents and names of files. It cannot
express some reader options, such as tables without a header. Columns of readers with these options
are not described, because other programs would extract wrong values.
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
from dshub.catalog.features import AudioFeature, LabelFeature, is_image_file
from dshub.catalog.manifest import Manifest, Rename, Split

Extract = Mapping[str, Any]

_TYPES = {"conll": [TEXT], "libsvm": [TEXT], "lines": [TEXT], "parquet": [PARQUET]}
_NUMBERED = {"arrow", "cifar", "cifar_python", "idx", "libsvm", "mat", "npz", "parquet", "stl10"}
_JSON_OPTIONS = {"format", "columns", "lines", "types"}


def extract(split: Split, column: str) -> Extract | None:
    """Return the `extract` and `transform` of a column; None if Croissant cannot express it."""
    if not all(isinstance(step, Rename) for step in split.steps):
        return None  # Croissant cannot express filters or joins
    for step in reversed(split.steps):
        upstream = {ours: name for name, ours in step.columns.items()}  # type: ignore[union-attr]
        column = upstream.get(column, column)
    find = _FINDERS.get(split.reader["format"])
    return find(split, column) if find else None


def class_form(split: Split, column: str, label: LabelFeature) -> str:
    """Return the form of classes in a split's files: `number`, `name` or `code`.

    The result is empty if this is unknown. Readers of text tables accept names and numbers, and
    the manifest does not specify which. A reference to the wrong one would join no rows.
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
    """Return the media types of a part's files; empty if only file names indicate them."""
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
        if is_image_file(feature):
            image_type = IMAGE_TYPES.get(feature.encoding)
            return [image_type] if image_type else list(IMAGE_TYPES.values())
        if isinstance(feature, AudioFeature):
            audio_type = AUDIO_TYPES.get(feature.encoding)
            return [audio_type] if audio_type else list(AUDIO_TYPES.values())
    return [TEXT]


def _parquet(split: Split, column: str) -> Extract | None:
    """Extract a column, or a field of a struct."""
    title, _, inner = split.reader.get("columns", {}).get(column, column).partition(".")
    return {"extract": {"column": title}} | ({"transform": {"jsonPath": inner}} if inner else {})


def _delimited(split: Split, column: str) -> Extract | None:
    """Extract a column of a table with a header, standard quotes and a standard delimiter."""
    standard = {"header": True, "quoting": True, "encoding": "utf-8"}
    ignored = {"format", "columns", "delimiter"}
    options = {name: value for name, value in split.reader.items() if name not in ignored}
    is_standard = standard | {"header": False} | options == standard
    is_standard = is_standard and split.reader.get("delimiter", ",") in {",", "\t"}
    return {"extract": {"column": column}} if is_standard else None


def _json(split: Split, column: str) -> Extract | None:
    """Extract a top-level key of JSON lines."""
    path = split.reader["columns"].get(column, "")
    if not split.reader.get("lines", True) or split.reader.keys() - _JSON_OPTIONS:
        return None
    return {"extract": {"column": path}} if re.fullmatch(r"[^.\[\]]+", path) else None


def _lines(split: Split, column: str) -> Extract | None:
    del column
    standard = {"encoding": "utf-8", "blank": "keep"}
    if any(split.reader.get(name, value) != value for name, value in standard.items()):
        return None
    file_per_row = split.reader.get("row") == "file"
    return {"extract": {"fileProperty": "content" if file_per_row else "lines"}}


def _folder(split: Split, column: str) -> Extract | None:
    """Extract the content of files, or the part of their paths that contains the column.

    The pattern allows a prefix, because other programs can prepend the name of the archive.
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
