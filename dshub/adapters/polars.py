"""Polars: a `polars.DataFrame` over the same Arrow memory.

Arrays become `polars.Array`, and lists become `polars.List`. Encoded images and audio stay files
(`Binary`), even if the dataset decodes them. Numbers, arrays and files of consecutive rows are not
copied. Text is copied, because polars stores it in a different layout.
"""

from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.errors import needs

with needs("polars", extra="polars"):
    import polars as pl


def rows(dataset: Dataset) -> Any:
    """Return all rows as a `polars.DataFrame`, in dataset order."""
    return pl.from_arrow(dataset.arrow(), rechunk=False)
