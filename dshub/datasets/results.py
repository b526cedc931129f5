"""Convert the results of functions to columns."""

from bisect import bisect_left
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    TextFeature,
)
from dshub.datasets.arrow import arrow_values
from dshub.datasets.from_memory import conform_chunks
from dshub.datasets.inference import cast_column, check_missing, feature_of, from_zero
from dshub.errors import DshubError, SchemaError
from dshub.tables.types import arrow_type, is_text, may_miss, row_dtype, row_shape, shaped

HINT = "pass features={name: …} to map"
_EXPECTED = "numbers, text or lists of them"
_FAULTS = (pa.ArrowException, ValueError, TypeError, OverflowError, RuntimeError)


def fit(values: Any, feature: Feature, name: str) -> pa.Array:
    """Convert the values of a column to fit a feature; raise SchemaError if they cannot."""
    array = cast_column(_arrow(values, name))
    label = isinstance(getattr(feature, "of", feature), LabelFeature)
    if array.type == arrow_type(feature) and not label and not may_miss(feature):
        check_missing(name, [array])
        return array
    if row_shape(feature) and not pa.types.is_fixed_size_list(array.type):
        array = cast_column(_arrow(_stacked(values, feature), name))
    (converted,) = conform_chunks([array], name, from_zero(feature), "map")
    return converted


def infer(values: Any, old: Feature | None, name: str) -> Feature:
    """Infer the feature of a column.

    Args:
        values: results for some rows.
        old: feature of the replaced column, which is kept if the values fit; None for a new column.
        name: name of the column.

    Raises:
        SchemaError: no feature fits the values.
    """
    array = _arrow(values, name)
    if old is not None and _means_the_same(array, old):
        try:
            fit(values, old, name)
        except DshubError:
            pass
        else:
            return old
    array = cast_column(array)
    kind, shape = shaped(array.type)
    same = isinstance(old, ImageFeature | MaskFeature) and kind == pa.from_numpy_dtype(old.dtype)
    if isinstance(old, ImageFeature) and len(shape) == 3 and same:
        return ImageFeature(shape=shape, dtype=old.dtype)
    if isinstance(old, MaskFeature) and len(shape) == 2 and same:
        return msgspec.structs.replace(old, shape=shape, encoding="raw")
    if pa.types.is_null(getattr(kind, "value_type", kind)):
        got = "only None" if pa.types.is_null(kind) else "only empty lists"
        raise SchemaError(where=name, expected=_EXPECTED, got=f"{got} in the first rows", hint=HINT)
    return feature_of(name, [array])


def first_unfit(values: Any, feature: Feature, name: str) -> int:
    """Return the index of the first value that does not fit a feature."""

    def fails(count: int) -> bool:
        try:
            fit(values[:count], feature, name)
        except SchemaError:
            return True
        return False

    return bisect_left(range(1, len(values)), True, key=fails)  # noqa: FBT003


def _means_the_same(values: pa.Array, old: Feature) -> bool:
    """Return False for values that fit a feature but have a different meaning.

    For example, strings of digits are not numbers, and bools are not class numbers.
    """
    while isinstance(old, ListFeature) and hasattr(values.type, "value_type"):
        values, old = values.flatten(), old.of
    if isinstance(old, LabelFeature) and is_text(values.type):
        return set(values.to_pylist()) <= {*old.names, *old.codes}
    if isinstance(old, LabelFeature):
        return not pa.types.is_boolean(values.type)
    return is_text(values.type) == isinstance(old, TextFeature)


def _arrow(values: Any, name: str) -> pa.Array:
    """Convert values to an Arrow array; raise SchemaError if they cannot be converted."""
    try:
        return _array(_plain(values))
    except _FAULTS as error:
        raise SchemaError(where=name, expected=_EXPECTED, got=str(error), hint=HINT) from error


def _array(values: Any) -> pa.Array:
    if isinstance(values, np.ndarray) and (values.size or values.ndim < 3):
        return arrow_values(values, NumberFeature(dtype="uint8"))
    try:
        return pa.array(values if isinstance(values, list) else list(map(_as_lists, values)))
    except OverflowError:
        return pa.array(values, pa.uint64())
    except (
        pa.ArrowException,
        ValueError,
        TypeError,
    ):  # raised for tensors, which Arrow does not support
        return pa.array([_as_lists(value) for value in values])


def _plain(values: Any) -> Any:
    """Convert a column of any library to an array of numbers, or to a list."""
    if isinstance(values, pa.ChunkedArray | pa.Array):
        return values.to_pylist()
    if hasattr(values, "__array__"):  # an array, a tensor or a pandas column
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            return array.tolist() if array.dtype.kind in "OUT" else array
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    items = values if isinstance(values, list) else list(values)
    if items and all(hasattr(item, "__array__") for item in items):
        arrays = [np.asarray(item) for item in items]
        if len({(array.shape, array.dtype) for array in arrays}) == 1:
            return _plain(np.stack(arrays))
    return items


def _stacked(values: Any, feature: Feature) -> np.ndarray:
    """Convert nested lists to one array, which a feature with a shape requires."""
    try:
        return np.asarray(_plain(values), None if values else row_dtype(feature))
    except _FAULTS:
        return np.empty(0)


def _as_lists(value: Any) -> Any:
    """Convert tensors to arrays, and arrays of several dimensions to lists, at any depth."""
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return list(map(_as_lists, array)) if array.ndim > 1 else array
    if isinstance(value, dict):
        return {name: _as_lists(one) for name, one in value.items()}
    return list(map(_as_lists, value)) if isinstance(value, list | tuple) else value
