"""pandas: a `DataFrame` with a row for each row.

Numbers and classes are columns of their dtype, text is text. Arrays, pictures and lists are
objects, an array in each row, which for arrays and raw pictures is a view of the memory map;
pictures and recordings that are kept as files are `bytes`, whether the dataset decodes them or
not.
"""

from typing import Any

import numpy as np

from dshub.dataset import Dataset
from dshub.errors import MissingExtraError

try:
    import pandas as pd
except ImportError as error:
    raise MissingExtraError(package="pandas", extra="pandas") from error


def rows(dataset: Dataset) -> Any:
    """All rows as a `pandas.DataFrame`, in the dataset's order."""
    columns = dataset.decode(on=False).numpy()
    made = {name: _series(values, name) for name, values in columns.items()}
    return pd.DataFrame(made, index=pd.RangeIndex(len(dataset)))


def _series(values: Any, name: str) -> Any:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return pd.Series(values, name=name, copy=True)  # a view could not be written to
    is_text = bool(len(values)) and isinstance(values[0], str)
    return pd.Series(list(values), name=name, dtype=None if is_text else object)
