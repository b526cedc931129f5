"""How each kind of feature is kept: its Arrow type, and its dtype and shape in NumPy."""

import json
from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np
import pyarrow as pa

from dshub.manifest import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    is_encoded,
)


def arrow_type(feature: Feature) -> pa.DataType:
    """The Arrow type of a column."""
    if is_encoded(feature):
        return pa.binary()
    match feature:
        case ImageFeature() | NumberFeature():
            kind = pa.from_numpy_dtype(np.dtype(feature.dtype))
            for length in reversed(feature.shape):
                kind = pa.list_(pa.field("item", kind, nullable=True), length)
            return kind
        case LabelFeature():
            return pa.int64()
        case TextFeature():
            return pa.string()
        case ListFeature():
            return pa.list_(arrow_type(feature.of))
        case AudioFeature():
            return pa.binary()
        case _:
            assert_never(feature)


def arrow_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """The schema of a table, with the description that Hugging Face `datasets` looks for."""
    fields = [pa.field(name, arrow_type(feature)) for name, feature in features.items()]
    described = {name: _hugging_face(feature) for name, feature in features.items()}
    info = json.dumps({"info": {"features": described}}, sort_keys=True)
    return pa.schema(fields, metadata={"huggingface": info})


def row_shape(feature: Feature) -> tuple[int, ...]:
    """The shape of one row as NumPy sees it; empty for a single value, and where rows differ."""
    if is_encoded(feature):
        return ()
    if isinstance(feature, ImageFeature | NumberFeature):
        return feature.shape
    return ()


def row_dtype(feature: Feature) -> np.dtype[Any] | None:
    """The dtype of a row as NumPy sees it; None where rows are no arrays of one shape."""
    if is_encoded(feature):
        return None
    match feature:
        case ImageFeature() | NumberFeature():
            return np.dtype(feature.dtype)
        case LabelFeature():
            return np.dtype(np.int64)
        case TextFeature() | ListFeature() | AudioFeature():
            return None
        case _:
            assert_never(feature)


def _hugging_face(feature: Feature) -> dict[str, Any]:
    """The feature in the words of `datasets.Features.to_dict`.

    A list is called "Sequence", as version 3 calls it; later ones call it "List" and read both.
    """
    if is_encoded(feature):
        return {"dtype": "binary", "_type": "Value"}
    match feature:
        case ImageFeature() | NumberFeature():
            described: dict[str, Any] = {"dtype": feature.dtype, "_type": "Value"}
            for length in reversed(feature.shape):
                described = {"feature": described, "length": length, "_type": "Sequence"}
            return described
        case LabelFeature():
            return {"names": list(feature.names), "_type": "ClassLabel"}
        case TextFeature():
            return {"dtype": "string", "_type": "Value"}
        case ListFeature():
            return {"feature": _hugging_face(feature.of), "length": -1, "_type": "Sequence"}
        case AudioFeature():
            return {"dtype": "binary", "_type": "Value"}
        case _:
            assert_never(feature)
