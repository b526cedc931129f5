"""Represent missing values of optional columns.

| rows of a column                | missing value in an array       | in a row          |
|---------------------------------|---------------------------------|-------------------|
| floats                          | NaN                             | NaN               |
| dates                           | NaT                             | NaT               |
| integers, bools, class numbers  | masked item of a `MaskedArray`  | None              |
| text, files, lists, structs     | None in the list                | None              |
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

TEXTS = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None")
"""Text of a missing value in the files of many programs."""


def uses_mask(dtype: np.dtype[Any]) -> bool:
    """Return True if no value of a dtype means that a value is missing."""
    return dtype.kind not in "fM"


def hidden(values: Any, valid: np.ndarray) -> Any:
    """Mark values as missing.

    Args:
        values: array (rows, …) or list of the rows.
        valid: bool (rows,), False for missing rows.
    """
    if not isinstance(values, np.ndarray):
        if valid.all():
            return values
        return [value if ok else None for value, ok in zip(values, valid.tolist(), strict=True)]
    if uses_mask(values.dtype):
        mask = np.broadcast_to(_spread(~valid, values), values.shape)
        return np.ma.MaskedArray(values, mask.copy())
    if valid.all():
        return values
    values = values.copy()
    values[~valid] = "NaT" if values.dtype.kind == "M" else np.nan
    return values


def _spread(flags: np.ndarray, values: np.ndarray) -> np.ndarray:
    return flags.reshape(len(flags), *[1] * (values.ndim - 1))


def is_valid(values: Any) -> np.ndarray:
    """Return which rows of a column have a value, bool (rows,); an array with a NaN has none."""
    if not isinstance(values, np.ndarray):
        return np.fromiter((value is not None for value in values), bool, len(values))
    missing: np.ndarray
    if isinstance(values, np.ma.MaskedArray):
        missing = np.ma.getmaskarray(values)
    elif values.dtype.kind == "f":
        missing = np.isnan(values)
    elif values.dtype.kind == "M":
        missing = np.isnat(values)
    else:
        return np.ones(len(values), bool)
    return np.logical_not(missing.any(axis=tuple(range(1, values.ndim))))


def present(values: np.ndarray) -> np.ndarray:
    """Return the values of an array that are not masked."""
    return values.compressed() if isinstance(values, np.ma.MaskedArray) else values


def replaced(values: Any, fill: Any) -> Any:
    """Replace missing values of a column, including NaN and NaT."""
    if isinstance(values, np.ma.MaskedArray):
        filled: np.ndarray = values.filled(fill)
        return filled
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fM":
            return values
        missing = np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
        return np.where(missing, fill, values)
    return [fill if value is None else value for value in values]


def empty_array(shape: tuple[int, ...], dtype: np.dtype[Any], *, optional: bool) -> np.ndarray:
    """Return an uninitialized array that can represent missing values."""
    if optional and uses_mask(dtype):
        return np.ma.MaskedArray(np.empty(shape, dtype), np.zeros(shape, bool))
    return np.empty(shape, dtype)


def concatenated(pieces: Sequence[Any]) -> np.ndarray:
    """Concatenate arrays; missing values stay missing."""
    masked = any(isinstance(piece, np.ma.MaskedArray) for piece in pieces)
    joined: np.ndarray = (np.ma.concatenate if masked else np.concatenate)(pieces)
    return joined


def item(value: Any) -> Any:
    """Return one row of a column as a plain value: None if missing, a Python number, or itself.

    A list with some missing items stays a masked array.
    """
    if value is np.ma.masked:
        return None
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        if not mask.any():
            return value.data
        return None if mask.all() else value
    return value.item() if isinstance(value, np.number | np.bool_) else value
