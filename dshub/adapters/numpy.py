"""NumPy: what datasets and loaders give by themselves, under the verbs of every adapter."""

from dshub.datasets.dataset import Dataset
from dshub.loading.loader import Loader
from dshub.loading.transforms.transform import Batch


def rows(dataset: Dataset) -> Batch:
    """Whole columns: arrays (rows, …), read-only views where the rows lie side by side."""
    return dataset.numpy()


def batches(loader: Loader) -> Loader:
    """Batches of arrays (size, …); the arrays are new and may be written to."""
    return loader.numpy()
