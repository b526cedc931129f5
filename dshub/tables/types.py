"""Map features to Arrow types, dtypes and row shapes."""

import json
from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
    is_encoded,
)

_ARRAYS = ImageFeature | MaskFeature | NumberFeature | BoxFeature


def arrow_type(feature: Feature) -> pa.DataType:  # noqa: C901, PLR0911  # a case each
    """Return the Arrow type of a column."""
    if is_encoded(feature):
        return pa.binary()
    match feature:
        case ImageFeature() | MaskFeature() | NumberFeature() | BoxFeature():
            kind = pa.from_numpy_dtype(np.dtype(feature.dtype))
            for length in reversed(feature.shape):
                kind = pa.list_(pa.field("item", kind, nullable=True), length)
            return kind
        case LabelFeature():
            return pa.int64()
        case TextFeature():
            return pa.string()
        case DateFeature():
            is_day, zone = feature.unit == "D", feature.timezone or None
            return pa.date32() if is_day else pa.timestamp(feature.unit, zone)
        case ListFeature():
            return pa.list_(arrow_type(feature.of))
        case StructFeature():
            return pa.struct({name: arrow_type(of) for name, of in feature.fields.items()})
        case AudioFeature() | BytesFeature():
            return pa.binary()
        case _:
            assert_never(feature)


def arrow_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the schema of a table, with the metadata that Hugging Face `datasets` reads."""
    fields = [pa.field(name, arrow_type(feature)) for name, feature in features.items()]
    described = {name: _describe(feature) for name, feature in features.items()}
    info = json.dumps({"info": {"features": described}}, sort_keys=True)
    return pa.schema(fields, metadata={"huggingface": info})


def _describe(feature: Feature) -> Any:  # noqa: C901, PLR0911, PLR0912  # a case each
    """Describe a feature in the form of `datasets.Features.to_dict`.

    A list is a "Sequence" as in version 3, because later versions read both that and "List". A list
    of structs is a list, because a "Sequence" of them would be a struct of lists.
    """
    if is_encoded(feature):
        return {"dtype": "binary", "_type": "Value"}
    match feature:
        case ImageFeature() | MaskFeature() | NumberFeature() | BoxFeature():
            described: dict[str, Any] = {"dtype": feature.dtype, "_type": "Value"}
            for length in reversed(feature.shape):
                described = {"feature": described, "length": length, "_type": "Sequence"}
            return described
        case LabelFeature():
            return {"names": list(feature.names), "_type": "ClassLabel"}
        case TextFeature():
            return {"dtype": "string", "_type": "Value"}
        case DateFeature():
            return {"dtype": str(arrow_type(feature)).partition("[day]")[0], "_type": "Value"}
        case ListFeature(of=StructFeature()):
            return [_describe(feature.of)]
        case ListFeature():
            return {"feature": _describe(feature.of), "length": -1, "_type": "Sequence"}
        case StructFeature():
            return {name: _describe(of) for name, of in feature.fields.items()}
        case AudioFeature() | BytesFeature():
            return {"dtype": "binary", "_type": "Value"}
        case _:
            assert_never(feature)


def inner_values(array: pa.Array) -> pa.Array:
    """Return the values of all rows of a fixed-size list array, including those of null rows."""
    size = array.type.list_size
    return array.values.slice(array.offset * size, len(array) * size)


def is_text(kind: pa.DataType) -> bool:
    """Return True if an Arrow type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def shaped(kind: pa.DataType) -> tuple[pa.DataType, tuple[int, ...]]:
    """Return the value type and the shape of nested fixed-size lists."""
    shape: list[int] = []
    while pa.types.is_fixed_size_list(kind):
        shape.append(kind.list_size)
        kind = kind.value_type
    return kind, tuple(shape)


def may_miss(feature: Feature) -> bool:
    """Return True if values can be missing at any depth."""
    inner: list[Feature] = []
    if isinstance(feature, ListFeature):
        inner = [feature.of]
    elif isinstance(feature, StructFeature):
        inner = list(feature.fields.values())
    return feature.optional or any(map(may_miss, inner))


def row_shape(feature: Feature) -> tuple[int, ...]:
    """Return the NumPy shape of a row, which is empty for single values and varying shapes."""
    if isinstance(feature, _ARRAYS) and not is_encoded(feature):
        return feature.shape
    return ()


def row_dtype(feature: Feature) -> np.dtype[Any] | None:
    """Return the NumPy dtype of a row, or None if rows are not numbers of one shape."""
    if isinstance(feature, LabelFeature):
        return np.dtype(np.int64)
    if isinstance(feature, DateFeature):
        return np.dtype(f"datetime64[{feature.unit}]")
    if isinstance(feature, _ARRAYS) and not is_encoded(feature):
        return np.dtype(feature.dtype)
    return None
