"""Export to JSON Lines: one object per line, in UTF-8.

Labels are written by name, arrays and lists as lists, and images and audio as base64 of their files
(PNG for raw pixels). NaN becomes `null`, because JSON has no NaN.
"""

import base64
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dshub.catalog.features import Feature, ImageFeature, LabelFeature, ListFeature
from dshub.errors import DshubError
from dshub.export._rows import Exporter, Rows, as_file, is_file, refuse


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
        return lambda value: base64.b64encode(as_file(value)).decode()
    if isinstance(feature, LabelFeature):
        return lambda number: feature.names[number]
    if isinstance(feature, ListFeature) and isinstance(feature.of, LabelFeature):
        names = feature.of.names
        return lambda numbers: [names[number] for number in numbers]
    return _value


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype == np.float32:  # keep only the digits that float32 needs
            value = np.asarray(value).astype(str).astype(np.float64)
        value = value.tolist()
    if isinstance(value, list):
        return [_value(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


exporter = JsonLines()
