"""From bytes to floats."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dshub.transforms.transform import Batch, Context


@dataclass(frozen=True)
class Normalize:
    """(pixel / 255 - mean) / std, float32, a mean and a std for each channel.

    ``Normalize(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))``

    As torchvision's `ToTensor` and `Normalize` together give, up to float32 rounding: it is
    computed as pixel * scale + bias.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or min(self.std, default=0) <= 0:
            raise ValueError(
                "mean and std need one number a channel, and std none that is not above 0"
            )

    def scale_and_bias(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 (channels,) each."""
        if len(self.mean) not in {1, channels}:
            raise ValueError(f"{len(self.mean)} means for pictures of {channels} channels")
        mean, std = np.array(self.mean), np.array(self.std)
        scale = np.broadcast_to(1 / (255 * std), channels)
        bias = np.broadcast_to(-mean / std, channels)
        return scale.astype(np.float32), bias.astype(np.float32)

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            batch[name] = _scaled(batch[name], *self.scale_and_bias(channels_of(batch[name])))
        return batch


@dataclass(frozen=True)
class ToFloat:
    """pixel / 255, float32."""

    def scale_and_bias(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 (channels,) each."""
        return np.full(channels, 1 / 255, np.float32), np.zeros(channels, np.float32)

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            batch[name] = _scaled(batch[name], *self.scale_and_bias(channels_of(batch[name])))
        return batch


Scale = Normalize | ToFloat


@lru_cache(maxsize=64)
def scales(scale: Scale, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """What a transform multiplies with and adds, float32 (channels,) each; not to be changed."""
    return scale.scale_and_bias(channels)


@lru_cache(maxsize=64)
def scales_of_values(
    scale: Scale, channels: int, pixels: int, *, planes: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The same for each value of so many pixels, float32 (pixels * channels,) each.

    Args:
        planes: whether the values of a channel come one behind the other, or those of a pixel.
    """
    repeated = np.repeat if planes else np.tile
    factors, biases = scales(scale, channels)
    return repeated(factors, pixels), repeated(biases, pixels)


def channels_of(pictures: np.ndarray | list[np.ndarray]) -> int:
    """Channels of a column of pictures, (…, height, width, channels)."""
    return int(pictures[0].shape[-1]) if len(pictures) else 1


def _scaled(
    pictures: np.ndarray | list[np.ndarray], scale: np.ndarray, bias: np.ndarray
) -> np.ndarray | list[np.ndarray]:
    if isinstance(pictures, list):
        return [picture * scale + bias for picture in pictures]
    found: np.ndarray = np.multiply(pictures, scale, dtype=np.float32)
    found += bias
    return found
