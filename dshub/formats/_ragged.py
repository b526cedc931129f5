"""Build columns from the arrays of single rows, some of which can be missing."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import nested

DTYPES = "biuf"  # kinds of NumPy dtypes that a column can hold


def array_column(values: Sequence[np.ndarray | None], shape: Sequence[int] | None) -> pa.Array:
    """Build a column from one array per row; missing rows become nulls.

    Args:
        values: arrays with one number of axes, or None for a missing row.
        shape: shape of every array, for fixed-size lists; None for lists of any length.
    """
    present = [value for value in values if value is not None]
    if not present:
        return pa.nulls(len(values))
    dtype = np.result_type(*{value.dtype for value in present})
    present = [value.astype(dtype, copy=False) for value in present]
    column = _ragged(present) if shape is None else nested(np.stack(present))
    if len(present) == len(values):
        return column
    valid = np.array([value is not None for value in values])
    return column.take(pa.array(np.cumsum(valid) - 1, mask=~valid))


def _ragged(values: Sequence[np.ndarray]) -> pa.Array:
    """Build nested lists, one level for each axis."""
    column = pa.array(np.concatenate([value.reshape(-1) for value in values]))
    for axis in reversed(range(values[0].ndim)):
        lengths = [np.full(prod(value.shape[:axis]), value.shape[axis]) for value in values]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int32)
        column = pa.ListArray.from_arrays(pa.array(offsets), column)
    return column


def shaped(values: np.ndarray, shape: Sequence[int], file: str, what: str) -> np.ndarray:
    """Reshape an array with the same number of values.

    Raises:
        ReadError: the number of values differs.
    """
    if values.size != prod(shape):
        expected, got = ("x".join(map(str, one)) or "one value" for one in (shape, values.shape))
        reason = f"{what} has the shape {got}, not {expected} as in the reader's `shape`"
        raise ReadError(file=file, reason=reason)
    return values.reshape(tuple(shape))


def as_array(value: Any, column: pa.Array) -> np.ndarray:
    """Convert nested lists of a column to an array."""
    kind = column.type
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return np.asarray(value, kind.to_pandas_dtype())
