"""An example table with a column of each feature type."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.tables.conforming import conform
from dshub.tables.record import TableRecord
from dshub.tables.types import row_dtype
from dshub.tables.writer import TableWriter
from tests.manifests import IDX, make_manifest

FEATURES: dict[str, Feature] = {
    "image": ImageFeature(shape=(2, 3, 1)),
    "label": LabelFeature(names=("a", "b", "c")),
    "vector": NumberFeature(dtype="float64", shape=(2,)),
    "text": TextFeature(),
    "photo": ImageFeature(encoding="any"),
    "words": ListFeature(of=TextFeature()),
    "kinds": ListFeature(of=LabelFeature(names=("a", "b", "c"))),
    "boxes": ListFeature(of=NumberFeature(dtype="float32", shape=(4,))),
}


TIME = dt.datetime(2020, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001  # a time without a zone
MISSING: dict[str, list[Any]] = {
    "integer": [1, None, -3],
    "id": [1234567890123456789, None, 1234567890123456781],
    "bool": [True, None, False],
    "text": ["a", None, ""],
    "bytes": [b"\0", None, b""],
    "date": [dt.date(2020, 1, 2), None, dt.date(1, 1, 1)],
    "time": [TIME, None, TIME.replace(year=1969)],
    "list": [[1, 2], None, []],
    "dates": [[dt.date(2020, 1, 2), None], None, []],
    "times": [{"at": TIME}, None, {"at": None}],
    "nested": [[[1], []], None, [[]]],
    "hole": [["a", None], [], ["b"]],
    "struct": [{"role": "user", "n": 1}, None, {"role": None, "n": 2}],
    "chat": [[{"role": "user", "calls": [{"f": "g"}]}, {"role": "x", "calls": None}], None, []],
}
"""Three rows of each kind as Python values, with missing values as None."""


SINGLE = [name for name, feature in FEATURES.items() if row_dtype(feature) is not None]


LISTS = {name: list if name == "words" else np.ndarray for name in FEATURES}


TEXTS = ["", "plain", "ein Wörtchen", "日本語 😀", "\0 and \n", "x" * 300, ""]


def manifest(rows: int, features: dict[str, Feature] = FEATURES) -> Manifest:
    """Return a manifest with one split."""
    return make_manifest(
        {"r": Resource(filename="r", sha256="0" * 64)},
        name="ds",
        features=features,
        splits={"train": Split(rows=rows, reader=IDX, files={"image": "r"})},
    )


def expected(rows: int) -> dict[str, list[Any]]:
    """Return the columns as plain Python values."""
    return {
        "image": [
            [[[(i * 6 + y * 3 + x) % 256] for x in range(3)] for y in range(2)] for i in range(rows)
        ],
        "label": [i % 3 for i in range(rows)],
        "vector": [[i / 4, -i] for i in range(rows)],
        "text": [TEXTS[i % 7] + str(i) * (i % 2) for i in range(rows)],
        "photo": [b"BM" + bytes(range(i)) for i in range(rows)],
        "words": [TEXTS[i % 7 : i % 7 + i % 4] for i in range(rows)],
        "kinds": [[(i + j) % 3 for j in range(i * 7 % 5)] for i in range(rows)],
        "boxes": [[[i, j, i / 2, -j] for j in range(i % 3)] for i in range(rows)],
    }


def whole_batch(rows: int) -> pa.RecordBatch:
    """Return the expected rows as a reader yields them."""
    columns = expected(rows)
    image = pa.array(np.array(columns["image"], np.uint8).reshape(-1))
    for length in (1, 3, 2):
        image = pa.FixedSizeListArray.from_arrays(image, length)
    vector = pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(columns["vector"])), 2)
    result = {"image": image, "label": pa.array(columns["label"]), "vector": vector}
    result |= {name: pa.array(columns[name]) for name in ("text", "photo", "words", "kinds")}
    boxes = pa.list_(pa.list_(pa.float32(), 4))
    return pa.RecordBatch.from_pydict(result | {"boxes": pa.array(columns["boxes"], boxes)})


def write(folder: Path, rows: int, *, batch: int, shard_bytes: int) -> TableRecord:
    """Write the expected rows in batches, sliced from one large batch."""
    folder.mkdir(parents=True)
    rows_batch = whole_batch(rows)
    with TableWriter(folder, manifest(rows), "train", shard_bytes=shard_bytes) as writer:
        for start in range(0, rows, batch):
            piece = rows_batch.slice(start, batch)
            writer.write(conform(piece, FEATURES, where="ds", first_row=start))
        return writer.close({"key": "value"})


def plain(values: object) -> list[Any]:
    """Convert an array or a list to plain Python values."""
    if isinstance(values, np.ndarray):
        result: list[Any] = values.tolist()
        return result
    assert isinstance(values, list)
    return [value if isinstance(value, str | bytes) else plain(value) for value in values]
