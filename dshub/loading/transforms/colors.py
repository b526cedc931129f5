"""From bytes to floats."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dshub._validate import number
from dshub.errors import ArgumentError
from dshub.loading.transforms.transform import Batch, Context, Pictures


@dataclass(frozen=True)
class Normalize:
    """(pixel / 255 - mean) / std, float32, a mean and a std for each channel.

    ``Normalize(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))``

    As torchvision's `ToTensor` and `Normalize` together give, up to float32 rounding: it is
    computed as pixel * scale + bias.

    Attributes:
        mean, std: a tuple, also given as a list or an array: of one number for each channel, or of
            one for all of them.

    Raises:
        ArgumentError: they differ in length, or a std is not above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        if len(self.mean) != len(self.std):
            told = f"as long as mean, {len(self.mean)} numbers"
            raise ArgumentError(name="std of Normalize", value=self.std, expected=told)
        if min(self.std) <= 0:
            raise ArgumentError(name="std of Normalize", value=self.std, expected="above 0")

    def scale_and_bias(self, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 (channels,) each; raises ArgumentError for another number of channels."""
        if len(self.mean) not in {1, channels}:
            more = f", or {channels}: one for each channel of these pictures"
            told = f"1 number{more if channels > 1 else ', as these pictures have 1 channel'}"
            raise ArgumentError(name="mean of Normalize", value=self.mean, expected=told)
        mean, std = np.array(self.mean), np.array(self.std)
        scale = np.broadcast_to(1 / (255 * std), channels)
        bias = np.broadcast_to(-mean / std, channels)
        return scale.astype(np.float32), bias.astype(np.float32)

    def apply(self, batch: Batch, context: Context) -> Batch:
        for name in context.pictures:
            batch[name] = _scaled(batch[name], *self.scale_and_bias(channels_of(batch[name])))
        return batch


def _numbers(name: str, given: Any) -> tuple[float, ...]:
    found = tuple(given) if isinstance(given, list | tuple | np.ndarray) else ()
    if not found or np.ndim(given) != 1:
        expected = "a tuple of numbers, one for each channel"
        raise ArgumentError(name=f"{name} of Normalize", value=given, expected=expected)
    return tuple(number(f"{name} of Normalize", value) for value in found)


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


def channels_of(pictures: Pictures) -> int:
    """Channels of a column of pictures, (…, height, width, channels)."""
    return int(pictures[0].shape[-1]) if len(pictures) else 1


def _scaled(pictures: Pictures, scale: np.ndarray, bias: np.ndarray) -> Pictures:
    if isinstance(pictures, list):
        return [picture * scale + bias for picture in pictures]
    found: np.ndarray = np.multiply(pictures, scale, dtype=np.float32)
    found += bias
    return found
