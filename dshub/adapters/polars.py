"""Polars: a `polars.DataFrame` over the same Arrow memory.

Arrays become `polars.Array`, lists `polars.List`; encoded images and audio stay files (`Binary`),
even if the dataset decodes them. Numbers, arrays and files of adjacent rows are not copied; polars
stores text in its own layout.
"""

from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.errors import needs

with needs("polars", extra="polars"):
    import polars as pl


def rows(dataset: Dataset) -> Any:
    """Return all rows as a `polars.DataFrame`, in the dataset's order."""
    return pl.from_arrow(dataset.arrow(), rechunk=False)
