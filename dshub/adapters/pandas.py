"""pandas: a `DataFrame` with all rows.

Numbers and labels become columns of their dtype, and text becomes strings. Arrays, images and lists
become objects, with one array per row. Integers, bools and labels with missing values become
nullable columns (`Int64`, `boolean`). Arrays and raw images are views of the memory map. Encoded
images and audio are `bytes`, even if the dataset decodes them.
"""

from typing import Any

import numpy as np

from dshub.catalog.features import TextFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import needs

with needs("pandas", extra="pandas"):
    import pandas as pd


_TEXT = pd.Series(["text"]).dtype  # `object` before pandas 3, `str` since then


def rows(dataset: Dataset) -> Any:
    """Return all rows as a `pandas.DataFrame`, in dataset order."""
    columns = {
        name: _series(values, name, text=isinstance(dataset.features[name], TextFeature))
        for name, values in dataset.decode(on=False).numpy().items()
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(len(dataset)))


def _series(values: Any, name: str, *, text: bool) -> Any:
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        mask = np.ma.getmaskarray(values).copy()
        is_bool = values.dtype.kind == "b"
        nullable = pd.arrays.BooleanArray if is_bool else pd.arrays.IntegerArray
        return pd.Series(nullable(values.data.copy(), mask), name=name)
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return pd.Series(values, name=name, copy=True)  # a view would be read-only
    # the dtype matters for columns without rows
    return pd.Series(list(values), name=name, dtype=_TEXT if text else object)
