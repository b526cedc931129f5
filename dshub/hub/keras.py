"""Image datasets with the interface of `keras.datasets`: ``from dshub.hub.keras import cifar10``.

`load_data` returns arrays with the same shapes and dtypes as Keras. Keras need not be installed.
"""

from dataclasses import dataclass
from typing import Any

from dshub.hub import functions


@dataclass(frozen=True)
class KerasDataset:
    """A dataset with the interface of a module of `keras.datasets`."""

    name: str

    def load_data(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Return ``(x_train, y_train), (x_test, y_test)``; see `dshub.load_data`."""
        return functions.load_data(self.name)


mnist = KerasDataset("mnist")
fashion_mnist = KerasDataset("fashion-mnist")
cifar10 = KerasDataset("cifar-10")
cifar100 = KerasDataset("cifar-100")
