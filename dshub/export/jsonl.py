"""Export to JSON Lines: one object per line, in UTF-8.

Labels are written by name, arrays and lists as lists, structs as objects, and dates in ISO 8601.
Bytes, images and audio are base64 of their files (PNG for raw pixels). Missing values and NaN
become `null`, because JSON has no NaN.
"""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dshub.catalog.features import (
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    TextFeature,
)
from dshub.export._rows import (
    Columns,
    Exporter,
    Rows,
    as_file,
    is_file,
    json_text,
    json_value,
    refuse,
)
from dshub.export._stored import Stored, as_stored_file, by_name


class JsonLines(Exporter):
    """Exporter of JSON Lines shards, with one row per line."""

    suffixes = (".jsonl",)

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            if isinstance(feature, ImageFeature) and not is_file(feature):
                refuse(rows, name, "holds raw images that do not fit PNG")

    def write(self, path: Path, rows: Rows) -> None:
        plain = {name: _plain(feature) for name, feature in rows.features.items()}
        with path.with_suffix(".jsonl").open("w", encoding="utf-8", newline="\n") as sink:
            for number, row in rows.each():
                line = {name: plain[name](value) for name, value in row.items()}
                sink.write(f"{json_text(rows, number, line)}\n")

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        types = {name: _json_type(feature) for name, feature in features.items()}
        shown = {
            name: as_stored_file(feature) if types[name] == "base64" else by_name(feature)
            for name, feature in features.items()
        }
        types = {name: kind for name, kind in types.items() if kind != "string"}
        return Stored(
            {
                "format": "json",
                "columns": dict(zip(features, features, strict=True)),
                "types": types,
            },
            shown,
        )


def _json_type(feature: Feature) -> str:
    """Return the type of a column for the JSON reader; `any` can be missing."""
    if is_file(feature) or isinstance(feature, BytesFeature):
        return "base64"
    is_text = isinstance(feature, TextFeature | LabelFeature) and not feature.optional
    return "string" if is_text else "any"


def _plain(feature: Feature) -> Callable[[Any], Any]:
    """Return a function that converts values of a column for JSON."""
    if is_file(feature):
        return lambda value: None if value is None else base64.b64encode(as_file(value)).decode()
    return lambda value: json_value(value, feature)


exporter = JsonLines()
