"""JAX: whole columns, and batches, as arrays on a device.

Arrays become `jax.Array`s of the same shape and dtype; while `jax_enable_x64` is off, as it is at
first, JAX keeps 64 bits as 32, and whole numbers that do not fit are an error. Text stays a list
of `str`, files of `bytes`; where rows differ in shape, a batch is a list of arrays.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from dshub.datasets.dataset import Dataset
from dshub.datasets.decoding import LazyColumn
from dshub.errors import ArgumentError, DshubError, MissingExtraError
from dshub.loading.gathering import Gatherer
from dshub.loading.loader import Loader, walk_of

try:
    import jax
except ImportError as error:
    raise MissingExtraError(package="jax", extra="jax") from error


def rows(dataset: Dataset, *, device: Any = None) -> dict[str, Any]:
    """Whole columns (rows, …) on a device; one that is decoded is a sequence that does so.

    Args:
        device: a `jax.Device` or `jax.sharding.Sharding`; the default one where not given.

    Raises:
        ArgumentError: the device is neither.
        DshubError: rows do not divide among the devices; or whole numbers need 64 bits.
    """
    _check_device(device)
    return {name: _placed(values, name, device) for name, values in dataset.numpy().items()}


def batches(loader: Loader, *, device: Any = None) -> "JaxBatches":
    """Dicts of arrays (size, …), or `(x, y)` where the loader is supervised.

    Args:
        loader: whose next epoch each iteration is.
        device: a `jax.Device` or `jax.sharding.Sharding`; the default one where not given.

    Raises:
        ArgumentError: the device is neither.
        DshubError: later, where rows of a batch do not divide among the devices; or whole numbers
            need 64 bits.
    """
    _check_device(device)
    return JaxBatches(loader, device)


def _check_device(device: Any) -> None:
    if device is not None and not isinstance(device, jax.Device | jax.sharding.Sharding):
        expected = "one of jax.devices(), or a jax.sharding.Sharding"
        raise ArgumentError(name="device", value=device, expected=expected)


class JaxBatches:
    """Batches whose way to the device has begun before they are asked for.

    The loader's threads send them, as far ahead as they make them. `loader.state_dict()` counts
    those that were handed out.
    """

    def __init__(self, loader: Loader, device: Any = None) -> None:
        self.loader, self.device = loader, device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        return walk_of(self.loader).batches(_Sender(self.loader, self.device).batch)


class _Sender:
    """Makes batches and sends them, in the loader's threads, with the settings of the caller's.

    `with jax.enable_x64(True)` and `with jax.default_device(…)` hold for a thread alone.
    """

    def __init__(self, loader: Loader, device: Any) -> None:
        self._gatherer = Gatherer(loader.rows, loader.options)
        self._pair = loader.rows.supervised or ("x", "y")
        self._device = jax.config.jax_default_device if device is None else device
        self._wide = jax.config.jax_enable_x64

    def batch(self, rows: np.ndarray, epoch: int) -> Any:
        """The batch of some rows, on the device."""
        batch = self._gatherer.batch(rows, epoch)
        with jax.enable_x64(self._wide):
            if isinstance(batch, tuple):
                named = zip(self._pair, batch, strict=True)
                return tuple(_placed(values, name, self._device) for name, values in named)
            return {name: _placed(values, name, self._device) for name, values in batch.items()}


def _placed(values: Any, name: str, device: Any) -> Any:
    if isinstance(values, LazyColumn):
        return values.mapped(partial(_placed, name=name, device=device))
    if isinstance(values, list) and values and isinstance(values[0], np.ndarray):
        return [_placed(row, name, device) for row in values]
    if not isinstance(values, np.ndarray):
        return values
    _check_width(values, name)
    try:
        return jax.device_put(values, device)
    except ValueError as error:  # of a sharding
        raise DshubError(
            f"JAX cannot share column {name}, {values.shape}, out as it was asked to: {error}",
            hint="rows of a batch must divide among the devices: drop_last=True leaves out a last "
            "batch that does not",
        ) from error


def _check_width(values: np.ndarray, name: str) -> None:
    """JAX would cut the upper bits off without a word."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not values.size:
        return
    narrow = np.iinfo(f"{values.dtype.kind}4")
    low, high = values.min(), values.max()
    if jax.config.jax_enable_x64 or (low >= narrow.min and high <= narrow.max):
        return
    wrong = low if low < narrow.min else high
    raise DshubError(
        f"column {name} holds {wrong}, and JAX keeps whole numbers in 32 bits",
        hint='jax.config.update("jax_enable_x64", True), or leave the column out',
    )
