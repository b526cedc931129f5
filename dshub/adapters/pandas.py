"""pandas: a `DataFrame` with a row for each row.

Numbers and classes are columns of their dtype, text is text. Arrays, pictures and lists are
objects, an array in each row, which for arrays and raw pictures is a view of the memory map;
pictures and recordings that are kept as files are `bytes`, whether the dataset decodes them or
not.
"""

from typing import Any

import numpy as np

from dshub.catalog.features import TextFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import MissingExtraError

try:
    import pandas as pd
except ImportError as error:
    raise MissingExtraError(package="pandas", extra="pandas") from error


_TEXT = pd.Series(["text"]).dtype  # `object` before pandas 3, `str` since


def rows(dataset: Dataset) -> Any:
    """All rows as a `pandas.DataFrame`, in the dataset's order."""
    columns = dataset.decode(on=False).numpy()
    texts = [name for name, kind in dataset.features.items() if isinstance(kind, TextFeature)]
    made = {name: _series(values, name, text=name in texts) for name, values in columns.items()}
    return pd.DataFrame(made, index=pd.RangeIndex(len(dataset)))


def _series(values: Any, name: str, *, text: bool) -> Any:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return pd.Series(values, name=name, copy=True)  # a view could not be written to
    if text:  # told, so that no rows, or none yet, are a column of the same type
        return pd.Series(list(values), name=name, dtype=_TEXT)
    return pd.Series(list(values), name=name, dtype=object)
