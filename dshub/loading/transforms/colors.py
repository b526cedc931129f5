"""Convert pixels from bytes to floats."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from dshub._validate import number
from dshub.errors import ArgumentError
from dshub.loading.transforms.callables import ImageTransform
from dshub.loading.transforms.transform import Context, Images, each


@dataclass(frozen=True)
class Normalize(ImageTransform):
    """Convert pixels to (pixel / 255 - mean) / std, float32, with a mean and std per channel.

    ``Normalize(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))``

    The result equals that of torchvision's `ToTensor` and `Normalize` up to float32 rounding,
    because it is computed as pixel * scale + bias. Pixels of uint16 are divided by 65535 instead.

    Attributes:
        mean, std: tuple, list or array with one number per channel, or one number for all channels.

    Raises:
        ArgumentError: `mean` and `std` differ in length, or a std is not above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        if len(self.mean) != len(self.std):
            expected = f"of the same length as mean, {len(self.mean)}"
            raise ArgumentError(name="std of Normalize", value=self.std, expected=expected)
        if min(self.std) <= 0:
            raise ArgumentError(name="std of Normalize", value=self.std, expected="above 0")

    def change(self, images: Images, context: Context) -> Images:
        del context
        return each(images, self._scale)

    def _scale(self, pixels: np.ndarray) -> np.ndarray:
        scale, bias = scales(self, pixels.shape[-1])
        if pixels.dtype == np.uint16:
            scale = scale * np.float32(255 / 65535)
        scaled: np.ndarray = np.multiply(pixels, scale, dtype=np.float32)
        scaled += bias
        return scaled


def _numbers(name: str, argument: Any) -> tuple[float, ...]:
    numbers = tuple(argument) if isinstance(argument, list | tuple | np.ndarray) else ()
    if not numbers or np.ndim(argument) != 1:
        expected = "a tuple with one number per channel"
        raise ArgumentError(name=f"{name} of Normalize", value=argument, expected=expected)
    return tuple(number(f"{name} of Normalize", value) for value in numbers)


@dataclass(frozen=True)
class ToFloat(Normalize):
    """Convert pixels to pixel / 255, or those of uint16 to pixel / 65535, float32."""

    mean: tuple[float, ...] = field(default=(0.0,), init=False, repr=False)
    std: tuple[float, ...] = field(default=(1.0,), init=False, repr=False)


@lru_cache(maxsize=64)
def scales(normalize: Normalize, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cached factor and bias of each channel, float32 (channels,).

    Raises:
        ArgumentError: the transform is for a different number of channels.
    """
    if len(normalize.mean) not in {1, channels}:
        expected = "1 number, because the images have 1 channel"
        if channels > 1:
            expected = f"1 or {channels} numbers, because the images have {channels} channels"
        raise ArgumentError(name="mean of Normalize", value=normalize.mean, expected=expected)
    mean, std = np.array(normalize.mean), np.array(normalize.std)
    factors = np.broadcast_to(1 / (255 * std), channels)
    biases = np.broadcast_to(-mean / std, channels)
    return factors.astype(np.float32), biases.astype(np.float32)


@lru_cache(maxsize=64)
def scales_of_values(
    normalize: Normalize, channels: int, pixels: int, *, planes: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor and bias of each value of an image, float32 (pixels * channels,).

    Args:
        normalize: transform with a mean and std per channel.
        channels, pixels: number of channels and pixels of an image.
        planes: whether values are ordered by channel instead of by pixel.
    """
    repeated = np.repeat if planes else np.tile
    factors, biases = scales(normalize, channels)
    return repeated(factors, pixels), repeated(biases, pixels)
