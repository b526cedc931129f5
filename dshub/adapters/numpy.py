"""NumPy: whole columns and batches, as returned by datasets and loaders."""

from dshub.datasets.dataset import Dataset
from dshub.loading.loader import Loader
from dshub.loading.transforms.transform import Batch


def rows(dataset: Dataset) -> Batch:
    """Return whole columns as arrays (rows, …), which are views if rows are consecutive."""
    return dataset.numpy()


def batches(loader: Loader) -> Loader:
    """Return batches of new, writable arrays (size, …)."""
    return loader.numpy()
