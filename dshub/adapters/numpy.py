"""NumPy: whole columns and batches, as returned by datasets and loaders."""

from typing import Any

from dshub.catalog.manifest import AnyPair
from dshub.datasets.dataset import Dataset
from dshub.loading.loader import Loader
from dshub.loading.pairs import paired
from dshub.loading.transforms.transform import Batch


def rows(dataset: Dataset, *, supervised: bool | AnyPair = False) -> Batch | tuple[Any, Any]:
    """Return whole columns as arrays (rows, …), which are views if rows are consecutive.

    ``x, y = load("iris", split="train").numpy(supervised=True)``

    Args:
        dataset: dataset with the rows.
        supervised: True or a pair of columns to get `(x, y)` instead of a dict. Several columns of
            numbers become one array (rows, columns).

    Raises:
        ArgumentError, UnknownNameError: `supervised` does not name a pair of columns.
    """
    pair = dataset.pair(supervised)
    columns = dataset.numpy()
    return columns if pair is None else paired(columns, pair, dataset.features)


def batches(loader: Loader) -> Loader:
    """Return batches of new, writable arrays (size, …)."""
    return loader.numpy()
