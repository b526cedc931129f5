"""JAX: whole columns and batches as arrays on a device.

Arrays become `jax.Array`s of the same shape and dtype. Unless `jax_enable_x64` is set, JAX stores
64-bit numbers in 32 bits, and integers that do not fit raise an error. Text stays a list of `str`,
and files stay a list of `bytes`. If rows differ in shape, a batch is a list of arrays.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from dshub.adapters import NormalizeOn, convert, each_array, normalization_on_device
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError, DshubError, needs
from dshub.loading.gathering import Gatherer
from dshub.loading.loader import Loader, cursor_of, repeated
from dshub.loading.transforms.colors import Normalize, scales

with needs("jax", extra="jax"):
    import jax

# public since JAX 0.8, and experimental before
enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64


def rows(dataset: Dataset, *, device: Any = None) -> dict[str, Any]:
    """Return whole columns (rows, …) on a device; encoded columns are decoded on access.

    Args:
        dataset: dataset with the rows.
        device: `jax.Device` or `jax.sharding.Sharding`, or None for the default device of JAX.

    Raises:
        ArgumentError: `device` is not a device or sharding.
        DshubError: the devices do not divide the rows evenly, or integers need 64 bits.
    """
    _check_device(device)
    columns: dict[str, Any] = convert(dataset.numpy(), partial(_put_column, device=device))
    return columns


def batches(loader: Loader, *, device: Any = None, normalize: NormalizeOn = "auto") -> "JaxBatches":
    """Return batches as dicts of arrays (size, …), or as `(x, y)` if `supervised` is set.

    Args:
        loader: loader of the batches; each iteration is its next epoch.
        device: `jax.Device` or `jax.sharding.Sharding`, or None for the default device of JAX.
        normalize: where `Normalize` or `ToFloat` runs if it is the last transform: on the `device`,
            so that uint8 pixels are copied, or in the `loader`, on the CPU. The values are the same
            up to float32 rounding. `auto` is the device, unless it is a CPU.

    Raises:
        ArgumentError: `device` is not a device or sharding, or `normalize` is invalid, or it is
            `device` and there is no such transform.
        DshubError: the devices do not divide a batch evenly, or integers need 64 bits. Iterating
            raises this error.
    """
    _check_device(device)
    kind = _device_type(device)
    return JaxBatches(
        loader, device, normalization_on_device(loader.options, normalize, device_type=kind)
    )


def _check_device(device: Any) -> None:
    if device is not None and not isinstance(device, jax.Device | jax.sharding.Sharding):
        expected = "one of jax.devices(), or a jax.sharding.Sharding"
        raise ArgumentError(name="device", value=device, expected=expected)


def _device_type(device: Any) -> str:
    """Return the type of a device, or of the devices of a sharding, such as `cpu` or `gpu`."""
    device = jax.config.jax_default_device if device is None else device
    if isinstance(device, jax.sharding.Sharding):
        device = next(iter(device.device_set))
    if device is None or isinstance(device, str):  # JAX also accepts the name of a platform
        return str(device or jax.default_backend())
    return str(device.platform)


class JaxBatches:
    """Batches that loader threads copy to a device in advance.

    `loader.state_dict()` counts only the yielded batches.
    """

    def __init__(self, loader: Loader, device: Any = None, scale: Normalize | None = None) -> None:
        self.loader, self.device, self._scale = loader, device, scale

    def __len__(self) -> int:
        return len(self.loader)

    def repeat(self, count: int | None = None) -> Iterator[Any]:
        """Yield the batches of `count` epochs, or of all epochs; see `Loader.repeat`."""
        return repeated(self, count)

    def __iter__(self) -> Iterator[Any]:
        cursor, pair, gatherer = cursor_of(self.loader), self.loader.pair, self._gatherer
        # `with jax.enable_x64(True)` and `with jax.default_device(…)` affect only this thread, so
        # its settings are passed to the loader threads
        device = jax.config.jax_default_device if self.device is None else self.device
        wide = jax.config.jax_enable_x64

        def finish(batch: Any) -> Any:
            with enable_x64(wide):
                batch = convert(batch, partial(_put_column, device=device), pair)
                return batch if self._scale is None else convert(batch, self._normalized, pair)

        def make(rows: np.ndarray, epoch: int) -> Any:
            return finish(gatherer.batch(rows, epoch))

        return cursor.batches(make, finish=finish, options=gatherer.options)

    @cached_property
    def _gatherer(self) -> Gatherer:
        if self._scale is None:
            return cursor_of(self.loader).gatherer
        options = self.loader.options
        return Gatherer(self.loader.rows, replace(options, transform=options.transforms[:-1]))

    def _normalized(self, values: Any, name: str) -> Any:
        """Normalize a column of images on its device."""
        if self._scale is None or name not in self.loader.rows.image_columns:
            return values
        planes = self.loader.options.layout == "chw"
        put = partial(_normalized_array, scale=self._scale, planes=planes)
        return [put(image) for image in values] if isinstance(values, list) else put(values)


def _normalized_array(images: Any, *, scale: Normalize, planes: bool) -> Any:
    """Normalize images (…, height, width, channels), or with channels first, on their device."""
    factors, biases = scales(scale, images.shape[-3 if planes else -1])
    if planes:
        factors, biases = factors[:, None, None], biases[:, None, None]
    return _multiply_add(images, factors, biases)


_multiply_add = jax.jit(
    lambda images, factors, biases: images.astype(np.float32) * factors + biases
)


def _put_column(values: Any, name: str, device: Any) -> Any:
    return each_array(values, partial(_put_array, name=name, device=device))


def _put_array(values: np.ndarray, name: str, device: Any) -> Any:
    _check_width(values, name)
    try:
        return jax.device_put(values, device)
    except ValueError as error:  # raised if a sharding does not divide the array
        raise DshubError(
            f"JAX cannot divide column {name} of shape {values.shape} among devices: {error}",
            hint="choose a batch size that the number of devices divides, and drop_last=True",
        ) from error


def _check_width(values: np.ndarray, name: str) -> None:
    """Reject integers that lose their upper bits, because JAX would drop them silently."""
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
