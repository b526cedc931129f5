"""The Arrow type, dtype and shape of each feature.

Where in a split a value stands, for errors.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    is_encoded,
)
from dshub.errors import SchemaError


class Place:
    """A column of a batch.

    Args:
        where: dataset, split and column.
        first_row: number of the batch's first row in its split.
        row_of: the row, within the batch, of a value; values are rows where not given.
    """

    def __init__(
        self, where: str, first_row: int, row_of: Callable[[int], int] = lambda value: value
    ) -> None:
        self.where, self._first_row, self._row_of = where, first_row, row_of

    def within(self, offsets: np.ndarray) -> "Place":
        """The place of the values of lists that begin at those offsets."""
        return Place(
            self.where,
            self._first_row,
            lambda value: int(np.searchsorted(offsets, value, side="right")) - 1,
        )

    def within_rows(self, size: int) -> "Place":
        """The place of values of which each row has `size`."""
        if size == 1:
            return self
        return Place(self.where, self._first_row, lambda value: self._row_of(value // size))

    def fault(self, value: int, *, expected: str, got: str) -> SchemaError:
        """What is wrong with a value."""
        row = self._first_row + self._row_of(value)
        return SchemaError(where=f"{self.where}, row {row}", expected=expected, got=got)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def numbers_of(
    values: pa.Array, feature: NumberFeature, wanted: pa.DataType, place: Place
) -> pa.Array:
    """Values as the feature wants them, where that loses nothing; otherwise as they are.

    Raises:
        SchemaError: a text is no number; a number does not fit.
    """
    if values.type == wanted:
        return values
    if is_text(values.type):
        return _from_text(values, feature, wanted, place)
    narrower = pa.types.is_floating(values.type) and pa.types.is_floating(wanted)
    if not narrower and not pa.types.is_integer(values.type):
        return values
    try:
        return values.cast(wanted, safe=True)
    except pa.ArrowInvalid:
        row = _first_wrong(values, wanted)
        raise place.fault(row, expected=f"one {wanted}", got=str(values[row].as_py())) from None


def _from_text(
    values: pa.Array, feature: NumberFeature, wanted: pa.DataType, place: Place
) -> pa.Array:
    if feature.missing:
        holes = pc.is_in(values, value_set=pa.array(feature.missing, values.type))
        values = pc.if_else(holes, pa.scalar("nan", values.type), values)
    try:
        # by way of double, which every text of a float is meant as
        through = pa.float64() if pa.types.is_floating(wanted) else wanted
        return values.cast(through).cast(wanted)
    except pa.ArrowInvalid:
        row = _first_wrong(values, wanted)
        got = repr(values[row].as_py())
        raise place.fault(row, expected=f"the text of one {wanted}", got=got) from None


def _first_wrong(values: pa.Array, wanted: pa.DataType) -> int:
    """The first value that cannot be cast, found by halves."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            values[low:middle].cast(wanted, safe=True)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


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
