"""The modules of `keras.datasets` for the datasets of the registry.

`load_data` returns arrays with the same shapes and dtypes as Keras, which need not be installed. It
uses files that Keras downloaded to `~/.keras/datasets` if their checksums are right.
"""

from dshub.compat.keras.datasets import cifar10 as cifar10
from dshub.compat.keras.datasets import cifar100 as cifar100
from dshub.compat.keras.datasets import fashion_mnist as fashion_mnist
from dshub.compat.keras.datasets import imdb as imdb
from dshub.compat.keras.datasets import mnist as mnist

_MISSING = {"boston_housing", "california_housing", "reuters"}


def __getattr__(name: str) -> object:
    """Explain datasets that the registry does not have."""
    if name in _MISSING:  # an AttributeError would lose its message in `from … import`
        raise ImportError(f"dshub does not have {name}; import it from keras.datasets", name=name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
