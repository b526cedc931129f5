"""Convert rows and batches for frameworks, with one module per framework.

An adapter defines one or more of these functions:

* `rows(dataset)` returns a dataset of the framework, with random access to rows.
* `batches(loader)` returns an iterable of batches of the framework's tensors. Each iteration is the
  next epoch of the loader. If batches are prefetched, the module documents which of them the state
  of the loader counts.
* `log(dataset, writer)` shows a dataset in a program that displays logs of experiments.

Rows and batches keep the order and the pixels of the dataset. Tensors get dates as integers, and an
error for missing values; see `numbers`. Only the adapter imports its framework, on first use. It
raises `MissingExtraError` if the framework is not installed.

To support another framework, add a module named like the argument of `.to("…")`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from dshub._validate import choice
from dshub.catalog.manifest import Pair
from dshub.datasets.decoding import LazyColumn
from dshub.errors import ArgumentError, DshubError
from dshub.loading.options import BatchOptions
from dshub.loading.transforms.colors import Normalize

NormalizeOn = Literal["auto", "device", "loader"]
"""Where `Normalize` or `ToFloat` runs: on the device of the batches, or in the loader on the CPU;
`auto` is the device if it is not a CPU."""


def convert(batch: Any, column: Callable[[Any, str], Any], pair: Pair | None = None) -> Any:
    """Convert every column of a batch.

    Args:
        batch: dict of columns, or `(x, y)`.
        column: function that converts the values of a column; it also receives the column name.
        pair: column names of `(x, y)`.
    """
    if isinstance(batch, tuple):
        parts = zip(batch, pair or ("x", "y"), strict=True)
        return tuple(
            convert(values, column)
            if isinstance(values, dict)
            else _column(values, part if isinstance(part, str) else ", ".join(part), column)
            for values, part in parts
        )
    return {name: _column(values, name, column) for name, values in batch.items()}


def _column(values: Any, name: str, column: Callable[[Any, str], Any]) -> Any:
    return column(each_array(values, partial(numbers, name=name)), name)


def numbers(values: Any, name: str) -> Any:
    """Return the numbers of a column for tensors, which have neither dates nor missing values.

    Dates become int64 counts of their unit since 1970.

    Args:
        values: array of values.
        name: name of the column.

    Raises:
        DshubError: a value is missing, and no NaN represents it.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.getmaskarray(values).any():
            raise missing_error(name)
        return values.data
    if values.dtype.kind != "M":
        return values
    if np.isnat(values).any():
        raise missing_error(name)
    return values.astype(np.int64)


def missing_error(name: str) -> DshubError:
    """Return the error for a column with missing values, which tensors cannot represent."""
    return DshubError(
        f"column {name} has missing values, which tensors cannot represent",
        hint=f'fill them with ds.fill({{"{name}": 0}}), drop the rows with '
        f'ds.drop_missing("{name}"), or leave the column out',
    )


def normalization_on_device(
    options: BatchOptions, normalize: NormalizeOn, *, device_type: str | None
) -> Normalize | None:
    """Return the last transform if an adapter has to apply it on the device, or else None.

    The adapter then gathers batches without this transform, and copies uint8 pixels to the device:
    a quarter of the bytes.

    Args:
        options: options of the batches.
        normalize: argument of the adapter.
        device_type: type of the device, such as `cpu` or `cuda`, or None if no device is set.

    Raises:
        ArgumentError: `normalize` is invalid, or it is `device` and there is no device, or the last
            transform is not `Normalize` or `ToFloat`.
    """
    choice("normalize", normalize, ("auto", "device", "loader"))
    last = options.transforms[-1] if options.transforms else None
    found = last if isinstance(last, Normalize) else None
    if normalize == "device" and (device_type is None or found is None):
        reason = "the last transform is not Normalize or ToFloat"
        reason = "`device` is not set" if device_type is None else reason
        expected = f"'auto' or 'loader', because {reason}"
        raise ArgumentError(name="normalize", value=normalize, expected=expected)
    on_device = normalize == "device" or (normalize == "auto" and device_type not in {None, "cpu"})
    return found if on_device else None


def each_array(values: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to the array of a column, or to each array of a list, dict or lazy column.

    Text, files and lists of text are returned unchanged.
    """
    if isinstance(values, LazyColumn):
        return values.map(partial(each_array, function=function))
    if isinstance(values, dict):
        return {name: each_array(value, function) for name, value in values.items()}
    if isinstance(values, list) and _holds_arrays(values):
        return [each_array(value, function) for value in values]
    return function(values) if isinstance(values, np.ndarray | np.datetime64) else values


def _holds_arrays(values: list[Any]) -> bool:
    first = next((value for value in values if value is not None and len(value)), None)
    if first is None:  # empty arrays
        return any(isinstance(value, np.ndarray) for value in values)
    if isinstance(first, dict):
        return any(isinstance(value, np.ndarray | list | dict) for value in first.values())
    return _holds_arrays(first) if isinstance(first, list) else isinstance(first, np.ndarray)
