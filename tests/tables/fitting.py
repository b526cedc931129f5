"""Example columns that match their features."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature, ImageFeature, LabelFeature, NumberFeature, TextFeature
from dshub.tables.conforming import conform

FEATURES: dict[str, Feature] = {
    "image": ImageFeature(shape=(2, 3, 1)),
    "label": LabelFeature(names=("a", "b", "c")),
    "number": NumberFeature(dtype="float32"),
    "vector": NumberFeature(dtype="int16", shape=(4,)),
    "text": TextFeature(),
}


def nested(array: np.ndarray) -> pa.Array:
    """Convert rows to nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def good(rows: int = 5) -> dict[str, pa.Array]:
    """Return columns that match the features, as a reader yields them."""
    return {
        "image": nested(np.arange(rows * 6, dtype=np.uint8).reshape(rows, 2, 3)),
        "label": pa.array([i % 3 for i in range(rows)], pa.uint8()),
        "number": pa.array([i / 2 for i in range(rows)], pa.float32()),
        "vector": nested(np.arange(rows * 4, dtype=np.int16).reshape(rows, 4)),
        "text": pa.array([f"row {i} é" for i in range(rows)]),
    }


def fit(
    columns: Mapping[str, pa.Array], features: Mapping[str, Feature] = FEATURES
) -> pa.RecordBatch:
    """Conform a batch that starts at row 100 of its split."""
    batch = pa.RecordBatch.from_pydict(dict(columns))
    return conform(batch, features, where="ds, split train", first_row=100)
