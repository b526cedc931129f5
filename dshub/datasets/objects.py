"""Convert Python objects to Arrow arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def to_arrow(values: Any) -> pa.Array:
    """Convert Python objects to an Arrow array; masked items and None become nulls."""
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        return pa.array(values.data, mask=np.ma.getmaskarray(values))
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, np.ndarray) for value in present):
        return _array_of_arrays(values, present)
    plain = list(map(_plain, values))
    try:
        return pa.array(plain)
    except OverflowError:
        return pa.array(plain, pa.uint64())


def _array_of_arrays(values: Any, present: Sequence[np.ndarray]) -> pa.Array:
    """Convert arrays and None to an Arrow array with the dtype of the arrays."""
    shapes = {(array.dtype, array.shape) for array in present}
    if len(shapes) == 1 and len(present) == len(values) and present[0].dtype.kind in "biuf":
        return _fixed_lists(np.stack(present))
    dtypes = {(array.dtype, array.ndim) for array in present}
    kind = None
    if len(dtypes) == 1 and present[0].dtype.kind in "biuf":
        kind = pa.from_numpy_dtype(present[0].dtype)
        for _ in range(present[0].ndim):
            kind = pa.list_(kind)
    return pa.array(list(map(_plain, values)), kind)


def _plain(value: Any) -> Any:
    """Convert arrays to lists, at any depth."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def _fixed_lists(arrays: np.ndarray) -> pa.Array:
    """Convert arrays of one shape to nested fixed-size lists."""
    column = pa.array(np.ascontiguousarray(arrays).reshape(-1))
    for length in reversed(arrays.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column
