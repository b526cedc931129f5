"""Export to JSON Lines: one object per line, in UTF-8.

Labels are written by name, arrays and lists as lists, structs as objects, and dates in ISO 8601.
Bytes, images and audio are base64 of their files (PNG for raw pixels). Missing values and NaN
become `null`, because JSON has no NaN.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dshub.catalog.features import Feature, ImageFeature
from dshub.errors import DshubError
from dshub.export._rows import Exporter, Rows, as_file, is_file, json_value, refuse


class JsonLines(Exporter):
    """Exporter of JSON Lines shards, with one row per line."""

    suffixes = (".jsonl",)

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            if isinstance(feature, ImageFeature) and not is_file(feature):
                refuse(rows, name, "holds raw images that do not fit PNG")

    def write(self, path: Path, rows: Rows) -> None:
        plain = {name: _plain(feature) for name, feature in rows.features.items()}
        encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
        with path.with_suffix(".jsonl").open("w", encoding="utf-8", newline="\n") as sink:
            for number, row in rows.each():
                try:
                    line = encode({name: plain[name](value) for name, value in row.items()})
                except ValueError as error:
                    raise DshubError(
                        f"{rows.title}, row {number}: JSON cannot represent an infinite number",
                        hint="export to parquet, arrow or npz",
                    ) from error
                sink.write(f"{line}\n")


def _plain(feature: Feature) -> Callable[[Any], Any]:
    """Return a function that converts values of a column for JSON."""
    if is_file(feature):
        return lambda value: None if value is None else base64.b64encode(as_file(value)).decode()
    return lambda value: json_value(value, feature)


exporter = JsonLines()
