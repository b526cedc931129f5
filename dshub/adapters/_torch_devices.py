"""Copy batches of PyTorch tensors to a device, and normalize images there."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from dshub.adapters import convert
from dshub.catalog.manifest import Pair
from dshub.errors import ArgumentError, needs
from dshub.loading.pairs import Row
from dshub.loading.transforms.colors import Normalize, scales

with needs("torch", extra="torch"):
    import torch


def checked_device(device: Any) -> torch.device:
    """Return the `torch.device` of an argument.

    Raises:
        ArgumentError: torch does not know the device.
    """
    try:
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        expected = "a torch device, such as 'cuda', 'cuda:1', 'mps' or 'cpu'"
        raise ArgumentError(name="device", value=device, expected=expected) from error


def each_tensor(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    """Apply a function to the tensors of a batch, leaving text unchanged."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, dict):
        return type(value)({n: each_tensor(values, function) for n, values in value.items()})
    if isinstance(value, tuple | list):
        return type(value)(each_tensor(values, function) for values in value)
    return value


def allocate_pinned(size: int) -> np.ndarray:
    """Allocate pinned memory, uint8 (size,), from which devices copy asynchronously."""
    memory: np.ndarray = torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()
    return memory


def copy_batches(
    batches: Iterator[Any], device: torch.device, scaling: "Scaling | None" = None
) -> Iterator[Any]:
    """Copy batches to a device.

    Each batch is kept until its copy is complete, because gatherers reuse unreferenced memory.

    Args:
        batches: batches on the CPU.
        device: device to copy to.
        scaling: normalization to apply on the device, or None.
    """
    waiting: deque[tuple[Any, Any]] = deque()
    for batch in batches:
        moved = _copy(batch, device)
        if device.type == "cuda":
            event = torch.cuda.Event()
            event.record(torch.cuda.current_stream(device))
            waiting.append((event, batch))
            while waiting and waiting[0][0].query():
                waiting.popleft()
        del batch
        if scaling is not None:
            moved = scaling.apply(moved)
        yield moved
        del moved


def _copy(value: Any, device: torch.device) -> Any:
    """Copy the tensors of a batch to a device."""
    asynchronous = device.type == "cuda"
    return each_tensor(value, lambda tensor: tensor.to(device, non_blocking=asynchronous))


@dataclass(frozen=True)
class Scaling:
    """Normalization of the images of batches on their device, with the results of the CPU.

    Attributes:
        scale: transform to apply.
        planes: columns of images, and whether their channels come first.
        pair: column names of `(x, y)`, or None if batches are dicts.
    """

    scale: Normalize
    planes: Mapping[str, bool]
    pair: Pair | None

    def apply(self, batch: Any) -> Any:
        """Return a batch with float32 images of the same shape and memory format.

        Raises:
            ArgumentError: the transform is for a different number of channels.
        """
        batch = convert(batch, self._column, self.pair)
        return Row(batch) if isinstance(batch, dict) else batch

    def _column(self, values: Any, name: str) -> Any:
        if name not in self.planes:
            return values
        return each_tensor(values, partial(self._scaled, planes=self.planes[name]))

    def _scaled(self, images: torch.Tensor, *, planes: bool) -> torch.Tensor:
        channels = images.shape[-3 if planes else -1]
        factors, biases = _scales_on(images.device, self.scale, channels)
        if planes:
            factors, biases = factors[:, None, None], biases[:, None, None]
        # a copy, because images that are floats already can share memory with the dataset; a
        # separate multiplication and addition round like NumPy, unlike `addcmul`
        return images.to(torch.float32, copy=True).mul_(factors).add_(biases)


@lru_cache(maxsize=64)
def _scales_on(
    device: torch.device, scale: Normalize, channels: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the factor and bias of each channel, float32 (channels,), on a device."""
    factors, biases = scales(scale, channels)
    return torch.from_numpy(factors).to(device), torch.from_numpy(biases).to(device)
