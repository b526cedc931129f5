"""Rows and batches for a framework: one file each, with one or both of the same two functions.

* `rows(dataset)`: the framework's kind of dataset, with random access to rows.
* `batches(loader)`: an iterable of batches of the framework's tensors; each iteration is the next
  epoch of the loader. If batches are made ahead of their use, the module says what the loader's
  state counts.

Both give the rows of the dataset in its order, with its pixels. Only its adapter imports a
framework, when it is first used; if the framework is missing, the adapter raises
`MissingExtraError`.

A new framework is a new file here, named like the argument of `.to("…")`.
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
        batch: a dict of columns, or `(x, y)`.
        column: converts the values of a column, given its name.
        pair: the columns of `(x, y)`.
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

    Text, files and lists of text stay as they are.
    """
    if isinstance(values, LazyColumn):
        return values.mapped(partial(each_array, function=function))
    if isinstance(values, list) and values and isinstance(values[0], np.ndarray):
        return list(map(function, values))
    return function(values) if isinstance(values, np.ndarray) else values
