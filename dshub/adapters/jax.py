"""JAX: whole columns, and batches, as arrays on a device.

Arrays become `jax.Array`s of the same shape and dtype. Unless `jax_enable_x64` is on, JAX stores 64
bits as 32; integers that do not fit are an error. Text stays a list of `str`, files a list of
`bytes`; if rows differ in shape, a batch is a list of arrays.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from dshub.adapters import convert, each_array
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError, DshubError, needs
from dshub.loading.loader import Loader, walk_of

with needs("jax", extra="jax"):
    import jax


def rows(dataset: Dataset, *, device: Any = None) -> dict[str, Any]:
    """Return whole columns (rows, …) on a device; encoded columns are sequences that decode.

    Args:
        dataset: of the rows.
        device: a `jax.Device` or `jax.sharding.Sharding`, or None for JAX's default.

    Raises:
        ArgumentError: the device is neither.
        DshubError: rows do not divide among the devices, or integers need 64 bits.
    """
    _check_device(device)
    columns: dict[str, Any] = convert(dataset.numpy(), partial(_placed, device=device))
    return columns


def batches(loader: Loader, *, device: Any = None) -> "JaxBatches":
    """Return batches: dicts of arrays (size, …), or `(x, y)` if the loader is supervised.

    Args:
        loader: of the batches; each iteration is its next epoch.
        device: a `jax.Device` or `jax.sharding.Sharding`, or None for JAX's default.

    Raises:
        ArgumentError: the device is neither.
        DshubError: later, if rows of a batch do not divide among the devices, or integers need 64
            bits.
    """
    _check_device(device)
    return JaxBatches(loader, device)


def _check_device(device: Any) -> None:
    if device is not None and not isinstance(device, jax.Device | jax.sharding.Sharding):
        expected = "one of jax.devices(), or a jax.sharding.Sharding"
        raise ArgumentError(name="device", value=device, expected=expected)


class JaxBatches:
    """Batches that the loader's threads send to the device ahead of their use.

    `loader.state_dict()` counts the batches that were handed out.
    """

    def __init__(self, loader: Loader, device: Any = None) -> None:
        self.loader, self.device = loader, device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        walk, pair = walk_of(self.loader), self.loader.pair
        # `with jax.enable_x64(True)` and `with jax.default_device(…)` only affect one thread, so
        # the loader's threads get the settings of this one
        device = jax.config.jax_default_device if self.device is None else self.device
        wide = jax.config.jax_enable_x64

        def sent(rows: np.ndarray, epoch: int) -> Any:
            batch = walk.gatherer.batch(rows, epoch)
            with jax.enable_x64(wide):
                return convert(batch, partial(_placed, device=device), pair)

        return walk.batches(sent)


def _placed(values: Any, name: str, device: Any) -> Any:
    return each_array(values, partial(_sent, name=name, device=device))


def _sent(values: np.ndarray, name: str, device: Any) -> Any:
    _check_width(values, name)
    try:
        return jax.device_put(values, device)
    except ValueError as error:  # from a sharding
        raise DshubError(
            f"JAX cannot divide column {name} of shape {values.shape} among devices: {error}",
            hint="choose a batch size that divides among the devices, and drop_last=True",
        ) from error


def _check_width(values: np.ndarray, name: str) -> None:
    """Refuse integers whose upper bits JAX would drop silently."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not values.size:
        return
    narrow = np.iinfo(f"{values.dtype.kind}4")
    low, high = values.min(), values.max()
    if jax.config.jax_enable_x64 or (low >= narrow.min and high <= narrow.max):
        return
    wrong = low if low < narrow.min else high
    raise DshubError(
        f"column {name} holds {wrong}, but JAX stores integers in 32 bits",
        hint='call jax.config.update("jax_enable_x64", True), or leave the column out',
    )
