"""NumPy: what datasets and loaders give by themselves, under the verbs of every adapter."""

from dshub.dataset import Dataset
from dshub.loader import Batch, Loader


def rows(dataset: Dataset) -> Batch:
    """Whole columns: arrays (rows, …), read-only views where the rows lie side by side."""
    return dataset.numpy()


def batches(loader: Loader) -> Loader:
    """Batches of arrays (size, …); the arrays are new and may be written to."""
    return loader.numpy()
