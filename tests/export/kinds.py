"""Two rows of every kind of column, to export and read back."""

import datetime as dt
import io
from typing import Any

import numpy as np
from PIL import Image

from dshub import Dataset, Feature
from dshub.catalog.features import (
    BytesFeature,
    DateFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)

NAMES = ("cat", "né", "3")
DAY = dt.date(2020, 1, 2)
TIME = np.datetime64("2020-01-02T03:04:05.000006")
NAN = float("nan")
_INT = NumberFeature(dtype="int64")


def png(value: int) -> bytes:
    """Return a PNG file of one color."""
    sink = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def pixels(*shape: int) -> np.ndarray:
    """Return an array of consecutive bytes."""
    return np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)


# values of each kind, and the feature if it is not inferred
KINDS: dict[str, tuple[Any, Feature | None]] = {
    "integer": ([1, -(2**62)], None),
    "integer, optional": ([2**53 + 1, None], None),
    "64-bit id": ([2**63 + 1, 7], None),
    "uint64": (np.array([2**63 - 1, 7], np.uint64), NumberFeature(dtype="uint64")),
    "int8": (np.array([1, -3], np.int8), NumberFeature(dtype="int8")),
    "float": ([0.1, 1e300], None),
    "NaN": (np.array([0.1, NAN]), None),
    "infinity": ([1.0, float("-inf")], None),
    "float, optional": ([0.1, None], None),
    "float32": (np.array([0.1, -0.0], np.float32), None),
    "bool": ([True, False], None),
    "bool, optional": ([True, None], None),
    "class": ([0, 1], LabelFeature(names=NAMES)),
    "class, optional": ([2, None], LabelFeature(names=NAMES, optional=True)),
    "text": (['a, "b"\r\n', "pâté 🦉"], None),
    "empty text": (["", ""], None),
    "text, optional": (["None", None], None),
    "bytes": ([b"\0\xff", b""], None),
    "bytes, optional": ([b"\0\xff", None], None),
    "date": ([DAY, dt.date(1969, 1, 2)], None),
    "date, optional": ([DAY, None], None),
    "time": ([TIME.item(), TIME.item()], None),
    "time with a zone": (
        np.array([TIME, TIME], "M8[us]"),
        DateFeature(unit="us", timezone="Europe/Rome"),
    ),
    "array": (np.arange(12, dtype=np.float32).reshape(2, 2, 3), None),
    "array with NaN": (np.array([[1, NAN], [2, 3.0]]), None),
    "list of integers": ([[1, 300], []], None),
    "list of NaN": ([[0.1, NAN], []], None),
    "list of missing integers": (
        [[1, None], []],
        ListFeature(of=NumberFeature(dtype="int64", optional=True)),
    ),
    "list of text": ([["a", ""], []], None),
    "empty lists": ([[], []], ListFeature(of=TextFeature())),
    "list of classes": ([[0, 2], []], ListFeature(of=LabelFeature(names=NAMES))),
    "list of dates": ([[DAY], []], ListFeature(of=DateFeature())),
    "list of bytes": ([[b"\0", b""], []], ListFeature(of=BytesFeature())),
    "list, optional": ([[1], None], ListFeature(of=_INT, optional=True)),
    "list of lists": ([[[1], []], []], None),
    "struct": ([{"a": 1, "b": "x"}, {"a": 2, "b": None}], None),
    "struct, optional": ([{"a": 1}, None], None),
    "list of structs": ([[{"a": 1}], []], None),
    "image": ([png(1), png(2)], ImageFeature(encoding="png")),
    "image, optional": ([png(1), None], ImageFeature(encoding="png", optional=True)),
    "pixels": (pixels(2, 4, 5, 3), ImageFeature(shape=(4, 5, 3))),
    "pixels of two channels": (pixels(2, 4, 5, 2), ImageFeature(shape=(4, 5, 2))),
}


def dataset(kind: str, **others: tuple[Any, Feature]) -> Dataset:
    """Return a dataset with a column `x` of a kind, and other columns."""
    values, feature = KINDS[kind]
    features = {"x": feature} if feature else {}
    features |= {name: of for name, (_, of) in others.items()}
    columns = {"x": values} | {name: column for name, (column, _) in others.items()}
    return Dataset.from_arrays(columns, features=features)


def plain(value: Any) -> Any:
    """Convert a value of a row to Python values that compare as equal."""
    if value is np.ma.masked:
        return None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value.astype("M8[us]"))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return "NaN" if isinstance(value, float) and value != value else value  # noqa: PLR0124


def rows(ds: Dataset) -> list[Any]:
    """Return the values of the column `x`."""
    return [plain(row["x"]) for row in ds]


IMAGES = {"image", "image, optional", "pixels"}
NESTED = {"list of lists", "struct", "struct, optional", "list of structs"}
UNSIZED = {kind for kind in KINDS if kind.startswith(("list", "bytes"))} | NESTED | {"empty lists"}
MASKED = {"integer, optional", "bool, optional", "class, optional", "text, optional"}

# kinds that a format cannot hold
REFUSED = {
    "parquet": set[str](),
    "arrow": set[str](),
    "csv": UNSIZED | IMAGES | {"array", "array with NaN", "pixels of two channels"},
    "jsonl": {"infinity", "pixels of two channels"},
    "npz": UNSIZED | MASKED | {"image", "image, optional"},
    "webdataset": {"infinity"},
    "tfrecord": NESTED | {"64-bit id", "list of missing integers"},
    "recordio": KINDS.keys() - {"text", "empty text", "image", "pixels"},
    "imagefolder": KINDS.keys() - {"image", "pixels"},
}


def held(*formats: str) -> list[tuple[str, str]]:
    """Return the formats with each kind that they can hold."""
    return [(to, kind) for to in formats for kind in KINDS if kind not in REFUSED[to]]
