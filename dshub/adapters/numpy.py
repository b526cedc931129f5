"""NumPy: whole columns, and batches, as datasets and loaders themselves return them."""

from dshub.datasets.dataset import Dataset
from dshub.loading.loader import Loader
from dshub.loading.transforms.transform import Batch


def rows(dataset: Dataset) -> Batch:
    """Return whole columns: arrays (rows, …), read-only views if the rows are adjacent."""
    return dataset.numpy()


def batches(loader: Loader) -> Loader:
    """Return batches of arrays (size, …), which are new and writable."""
    return loader.numpy()
