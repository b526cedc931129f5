"""JSON Lines: an object a line, UTF-8.

Classes are written by name, arrays and lists as lists, pictures and recordings as base64 of their
files (of PNG, where they are raw pixels). JSON has no NaN, for which `null` stands.
"""

import base64
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dshub.catalog.features import Feature, ImageFeature, LabelFeature, ListFeature
from dshub.errors import DshubError
from dshub.export._rows import Rows, as_file, is_file, refuse


@dataclass(frozen=True)
class JsonLines:
    """Shards of lines."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".jsonl",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            if isinstance(feature, ImageFeature) and not is_file(feature):
                refuse(rows, name, "holds raw pictures that PNG cannot hold")

    def write(self, path: Path, rows: Rows) -> None:
        target = path.with_name(f"{path.name}{self.suffixes[0]}")
        encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
        with target.open("w", encoding="utf-8", newline="\n") as sink:
            for number, row in _plain(rows):
                try:
                    sink.write(f"{encode(row)}\n")
                except ValueError as error:
                    told = f"{rows.title}, row {number}: an infinite number, which JSON cannot say"
                    raise DshubError(told, hint="export to parquet, arrow or npz") from error


def _plain(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows as JSON has them, with their numbers."""
    makers = {name: _maker(feature) for name, feature in rows.features.items()}
    for number, row in rows.each():
        yield number, {name: makers[name](value) for name, value in row.items()}


def _maker(feature: Feature) -> Callable[[Any], Any]:
    """What makes the JSON of a value."""
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
        value = _shortest(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _shortest(value: Any) -> Any:
    """Python's own numbers; of 32 bits those with as few digits as tell them apart."""
    if value.dtype == np.float32:
        return np.asarray(value).astype(str).astype(np.float64).tolist()
    return value.tolist()


exporter = JsonLines()
