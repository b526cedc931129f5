"""Convert rows and batches for frameworks, with one module per framework.

An adapter defines one or more of these functions:

* `rows(dataset)` returns a dataset of the framework, with random access to rows.
* `batches(loader)` returns an iterable of batches of the framework's tensors. Each iteration is the
  next epoch of the loader. If batches are prefetched, the module documents which of them the state
  of the loader counts.
* `log(dataset, writer)` shows a dataset in a program that displays logs of experiments.

Rows and batches keep the order and the pixels of the dataset. Only the adapter imports its
framework, on first use. If the framework is missing, the adapter raises `MissingExtraError`.

To support another framework, add a module named like the argument of `.to("…")`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dshub.catalog.manifest import Pair
from dshub.datasets.decoding import LazyColumn


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
            else column(values, part if isinstance(part, str) else ", ".join(part))
            for values, part in parts
        )
    return {name: column(values, name) for name, values in batch.items()}


def each_array(values: Any, function: Callable[[np.ndarray], Any]) -> Any:
    """Apply a function to the array of a column, or to each array of a list or lazy column.

    Text, files and lists of text are returned unchanged.
    """
    if isinstance(values, LazyColumn):
        return values.map(partial(each_array, function=function))
    if isinstance(values, list) and values and isinstance(values[0], np.ndarray):
        return list(map(function, values))
    return function(values) if isinstance(values, np.ndarray) else values
