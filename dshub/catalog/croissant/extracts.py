"""Describe how Croissant extracts the columns of a format.

Croissant knows columns of tables, paths in JSON, and content and names of files. A reader with
options that another program would not guess (no header, other quoting, skipped lines) is not
described: saying nothing is better than naming a column that does not exist.
"""

import re
from collections.abc import Callable, Mapping, Sequence
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

_NUMBERED = {
    *("arrow", "cifar", "cifar_python", "idx", "libsvm", "mat", "npz", "parquet", "stl10"),
}


def extract(split: Split, column: str) -> Extract | None:
    """The `extract`, and maybe the `transform`, of a feature; None if Croissant has none."""
    if not all(isinstance(step, Rename) for step in split.steps):
        return None  # Croissant cannot express the choice or the join of rows
    for step in reversed(split.steps):
        theirs = {ours: name for name, ours in step.columns.items()}  # type: ignore[union-attr]
        column = theirs.get(column, column)
    form = split.reader["format"]
    if form == "folder":
        return _folder(split, column)
    options = {name: value for name, value in split.reader.items() if name != "format"}
    return _WAYS[form](options, column) if form in _WAYS else None


def written(split: Split, column: str, label: LabelFeature) -> str:
    """The form of a class in a split's files: `number`, `name` or `code`; empty if unknown.

    Readers of text tables accept both the name and the number, and the manifest does not say which
    the file holds. A reference to the wrong one would join no row.
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
    """Media types of the content of a part's files; none where only file names indicate them."""
    form = split.reader["format"]
    if part not in split.reader_parts:
        return ()
    if form == "folder":
        return _of_folder(manifest)
    if form == "delimited":
        return {",": [CSV], "\t": [TSV]}.get(split.reader.get("delimiter", ","), [TEXT])
    if form == "json":
        return [JSON_LINES] if split.reader.get("lines", True) else [JSON]
    return _TYPES.get(form, ())


def _of_folder(manifest: Manifest) -> Sequence[str]:
    for feature in manifest.features.values():
        if isinstance(feature, ImageFeature) and feature.encoding != "raw":
            known = IMAGE_TYPES.get(feature.encoding)
            return [known] if known else list(IMAGE_TYPES.values())
        if isinstance(feature, AudioFeature):
            return [AUDIO_TYPES[feature.encoding]]
    return [TEXT]


def _parquet(options: Mapping[str, Any], column: str) -> Extract | None:
    """A column, or a field of a struct."""
    path = options.get("columns", {}).get(column, column)
    title, dot, inner = path.partition(".")
    found: dict[str, Any] = {"extract": {"column": title}}
    return found | {"transform": {"jsonPath": inner}} if dot else found


def _delimited(options: Mapping[str, Any], column: str) -> Extract | None:
    usual: dict[str, Any] = {"quoting": True, "header": True, "encoding": "utf-8"}
    options = {"header": False, "delimiter": ","} | dict(options)
    plain = options.pop("delimiter") in {",", "\t"} and all(
        name == "columns" or value == usual.get(name) for name, value in options.items()
    )
    return {"extract": {"column": column}} if plain else None


def _json(options: Mapping[str, Any], column: str) -> Extract | None:
    """A key of each line, or a path in a document whose rows are in one list."""
    path, rows = options["columns"].get(column), options.get("rows", "")
    if path is None or options.keys() - {"columns", "rows", "lines", "types"}:
        return None
    if options.get("lines", True):
        return (
            {"extract": {"column": path}} if not rows and re.fullmatch(r"[^.\[\]]+", path) else None
        )
    beside = [item.removeprefix(rows) for item in options["columns"].values()]
    if not rows or any(re.fullmatch(r"\.[^.\[\]]+", item) is None for item in beside):
        return None  # values of other lists are not as many as there are rows
    dotted = path.replace("[]", "[*]")
    return {"extract": {"jsonPath": f"${dotted}" if dotted[0] == "[" else f"$.{dotted}"}}


def _lines(options: Mapping[str, Any], column: str) -> Extract | None:
    del column
    if options.get("encoding", "utf-8") != "utf-8" or options.get("blank", "keep") != "keep":
        return None
    whole = options.get("row") == "file"
    return {"extract": {"fileProperty": "content" if whole else "lines"}}


def _folder(split: Split, column: str) -> Extract | None:
    """Content of files, and parts of their paths.

    Other programs may put the archive's name in front of a path, so a pattern allows a prefix.
    """
    path = split.reader["path"]
    if split.reader.get("skip") or ":" in path:
        return None
    if column == split.reader_parts[0]:
        return {"extract": {"fileProperty": "content"}}
    pattern = path_pattern(path, column)
    if pattern is None:
        return None
    return {"extract": {"fileProperty": "fullpath"}, "transform": {"regex": pattern}}


def path_pattern(path: str, column: str) -> str | None:
    """A regular expression whose one group is a column of a path; None where there is none.

    Args:
        path: such as `train/{label}/{name}.jpg`.
        column: such as `label`.
    """
    pattern, found = "", False
    for literal, name, spec, _ in Formatter().parse(path):
        pattern += re.escape(literal)
        if name is not None:
            form = {"": "[^/]+", "path": ".+"}.get(spec or "", "[0-9]+")
            pattern += f"({form})" if name == column else form
            found = found or name == column
    return f"^(?:.*/)?{pattern}$" if found else None


_WAYS: dict[str, Callable[[Mapping[str, Any], str], Extract | None]] = {
    "delimited": _delimited,
    "json": _json,
    "lines": _lines,
    "parquet": _parquet,
}
_TYPES = {
    "conll": [TEXT],
    "libsvm": [TEXT],
    "lines": [TEXT],
    "parquet": [PARQUET],
}
