"""How each kind of feature is kept: its Arrow type, its dtype and shape, and what must hold.

======== ============================================ ===========================
feature  Arrow type of a column                       NumPy rows
======== ============================================ ===========================
image    nested fixed-size lists: height, width,      (height, width, channels)
         channels                                     of its dtype
label    int64, 0 to classes - 1                      int64
number   its dtype, nested in fixed-size lists for    its dtype, of its shape
         each length of its shape
text     string                                       str
======== ============================================ ===========================

Nested fixed-size lists have no offsets: the values of all rows lie side by side, so a column is
one block of memory that NumPy can view. Hugging Face `datasets` reads the same types; the schema
carries the description it needs to open a table's file with its own features.
"""

import json
from collections.abc import Mapping
from math import prod
from typing import Any, assert_never, cast

import numpy as np
import pyarrow as pa

from dshub.errors import SchemaError
from dshub.manifest import Feature, ImageFeature, LabelFeature, NumberFeature, TextFeature


def arrow_type(feature: Feature) -> pa.DataType:
    """The Arrow type of a column."""
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
        case _:
            assert_never(feature)


def arrow_schema(features: Mapping[str, Feature]) -> pa.Schema:
    """The schema of a table, with the description that Hugging Face `datasets` looks for."""
    fields = [pa.field(name, arrow_type(feature)) for name, feature in features.items()]
    described = {name: _hugging_face(feature) for name, feature in features.items()}
    info = json.dumps({"info": {"features": described}}, sort_keys=True)
    return pa.schema(fields, metadata={"huggingface": info})


def row_shape(feature: Feature) -> tuple[int, ...]:
    """The shape of one row as NumPy sees it; empty for a single value."""
    if isinstance(feature, ImageFeature | NumberFeature):
        return feature.shape
    return ()


def row_dtype(feature: Feature) -> np.dtype[Any] | None:
    """The dtype of a row as NumPy sees it; None for text."""
    match feature:
        case ImageFeature() | NumberFeature():
            return np.dtype(feature.dtype)
        case LabelFeature():
            return np.dtype(np.int64)
        case TextFeature():
            return None
        case _:
            assert_never(feature)


def conform(
    batch: pa.RecordBatch, features: Mapping[str, Feature], *, where: str, first_row: int
) -> pa.RecordBatch:
    """Make what a reader found fit the features, or say what does not.

    Args:
        batch: columns as the reader gave them; those without a feature are dropped.
        features: the columns that are wanted, in order.
        where: dataset and split, for errors.
        first_row: number of the batch's first row in its split, for errors.

    Raises:
        SchemaError: a column is missing, a value is missing, of another type or shape, or out
            of range.
    """
    columns = []
    for name, feature in features.items():
        place = _Place(f"{where}, column {name}", first_row)
        if name not in batch.schema.names:
            found = ", ".join(batch.schema.names)
            raise SchemaError(where=place.where, expected="that column", got=f"only {found}")
        column = batch.column(name)
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise place.fault(row, expected="a value", got="none")
        columns.append(_conform_column(column, feature, place))
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(features))


class _Place:
    def __init__(self, where: str, first_row: int) -> None:
        self.where, self._first_row = where, first_row

    def fault(self, row: int, *, expected: str, got: str) -> SchemaError:
        where = f"{self.where}, row {self._first_row + row}"
        return SchemaError(where=where, expected=expected, got=got)


def _conform_column(column: pa.Array, feature: Feature, place: _Place) -> pa.Array:
    match feature:
        case ImageFeature() | NumberFeature():
            return _conform_array(column, feature, place)
        case LabelFeature():
            return _conform_label(column, feature, place)
        case TextFeature():
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                raise SchemaError(where=place.where, expected="text", got=str(column.type))
            return column.cast(pa.string())
        case _:
            assert_never(feature)


def _conform_array(
    column: pa.Array, feature: ImageFeature | NumberFeature, place: _Place
) -> pa.Array:
    """Same values, same number of them a row; lengths of 1 may come and go."""
    shape: tuple[int, ...] = ()
    values = column
    while pa.types.is_fixed_size_list(values.type):
        shape, values = (*shape, values.type.list_size), values.flatten()
        if values.null_count:
            hole = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise place.fault(hole // max(1, prod(shape)), expected="a value", got="none")
    wanted = pa.from_numpy_dtype(np.dtype(feature.dtype))
    if values.type != wanted or _without_ones(shape) != _without_ones(feature.shape):
        raise SchemaError(
            where=place.where,
            expected=_words(feature.shape, str(wanted)),
            got=_words(shape, str(values.type)),
        )
    for length in reversed(feature.shape):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    return values


def _conform_label(column: pa.Array, feature: LabelFeature, place: _Place) -> pa.Array:
    if not pa.types.is_integer(column.type):
        raise SchemaError(where=place.where, expected="class numbers", got=str(column.type))
    numbers = cast("np.ndarray", column.to_numpy(zero_copy_only=False)).astype(np.int64)
    numbers = numbers - feature.first
    wrong = np.flatnonzero((numbers < 0) | (numbers >= len(feature.names)))
    if len(wrong):
        last = feature.first + len(feature.names) - 1
        raise place.fault(
            int(wrong[0]),
            expected=f"a class from {feature.first} to {last}",
            got=str(column[int(wrong[0])].as_py()),
        )
    return pa.array(numbers)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _words(shape: tuple[int, ...], dtype: str) -> str:
    return f"{'x'.join(str(length) for length in shape)} {dtype}" if shape else f"one {dtype}"


def _hugging_face(feature: Feature) -> dict[str, Any]:
    """The feature in the words of `datasets.Features.to_dict`.

    A list is called "Sequence", as version 3 calls it; later ones call it "List" and read both.
    """
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
        case _:
            assert_never(feature)
