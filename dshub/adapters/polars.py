"""Polars: a `polars.DataFrame` over the same Arrow memory.

Arrays become `polars.Array`, lists `polars.List`; pictures and recordings that are kept as files
are those files (`Binary`), whether the dataset decodes them or not. Numbers, arrays and files are
not copied where rows lie side by side; polars keeps text in a layout of its own.
"""

from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.errors import MissingExtraError

try:
    import polars as pl
except ImportError as error:
    raise MissingExtraError(package="polars", extra="polars") from error


def rows(dataset: Dataset) -> Any:
    """All rows as a `polars.DataFrame`, in the dataset's order."""
    return pl.from_arrow(dataset.arrow(), rechunk=False)
