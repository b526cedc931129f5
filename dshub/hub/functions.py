"""The functions of the package: one-liners over a default hub.

It is made on first use from the environment, and anew when that has changed.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, overload

from dshub.hub.hub import Hub
from dshub.manifest import Manifest
from dshub.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from dshub.dataset import Dataset, Splits
    from dshub.fetcher import Fetched

    Arrays = tuple[np.ndarray, np.ndarray]


@lru_cache(maxsize=1)
def _hub_of(settings: Settings) -> Hub:
    return Hub(settings=settings)


def _hub() -> Hub:
    """The hub of this process's environment, made anew when that has changed."""
    return _hub_of(Settings.read())


def names() -> list[str]:
    """Every dataset that can be named, sorted; see `Hub.names`."""
    return _hub().names()


def info(name: str) -> Manifest:
    """The manifest of a dataset; see `Hub.info`."""
    return _hub().info(name)


def fetch(*names: str, prepare: bool = True) -> "list[Fetched]":
    """Get datasets onto this machine, verified; see `Hub.fetch`."""
    return _hub().fetch(*names, prepare=prepare)


@overload
def load(
    name: str,
    split: str,
    *,
    columns: Sequence[str] | None = None,
    synthetic: int | None = None,
) -> "Dataset": ...
@overload
def load(
    name: str,
    split: None = None,
    *,
    columns: Sequence[str] | None = None,
    synthetic: int | None = None,
) -> "Splits": ...
def load(
    name: str,
    split: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    synthetic: int | None = None,
) -> "Dataset | Splits":
    """A split of a dataset, ready to use; see `Hub.load`."""
    if split is None:
        return _hub().load(name, columns=columns, synthetic=synthetic)
    return _hub().load(name, split, columns=columns, synthetic=synthetic)


def load_data(name: str, *, synthetic: int | None = None) -> "tuple[Arrays, Arrays]":
    """`(x_train, y_train), (x_test, y_test)`; see `Hub.load_data`."""
    return _hub().load_data(name, synthetic=synthetic)
