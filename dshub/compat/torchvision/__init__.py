"""The datasets of torchvision: ``from dshub.compat.torchvision import CIFAR10``.

Classes have the signatures and attributes of `torchvision.datasets`. Rows are `(PIL image, int)`,
so that transforms, samplers and `DataLoader` work as before. Neither PyTorch nor torchvision is
required. `root` is the folder of torchvision's downloads: dshub takes upstream files from it if
their checksums are right, but stores everything in its own cache.
"""

from dshub.compat.torchvision import datasets as datasets
from dshub.compat.torchvision.datasets import *  # noqa: F403  # `__all__` of the module


def __getattr__(name: str) -> object:
    """Explain names of torchvision that are not datasets."""
    if name in {"io", "models", "ops", "transforms", "tv_tensors", "utils"}:
        raise ImportError(f"dshub only has datasets; import {name} from torchvision", name=name)
    return datasets.__getattr__(name)
