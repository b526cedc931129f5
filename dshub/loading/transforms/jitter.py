"""Change brightness, contrast and saturation at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dshub._validate import number
from dshub.errors import DshubError
from dshub.loading.transforms.callables import ImageTransform
from dshub.loading.transforms.transform import Context, Images, stack

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of ITU-R BT.601, for RGB


@dataclass(frozen=True)
class ColorJitter(ImageTransform):
    """Multiply the brightness, contrast and saturation of each image by random factors.

    Each factor is drawn uniformly from 1 - x to 1 + x, but at least 0, as in torchvision's
    `ColorJitter`. Brightness is changed first, then contrast around the average gray, and then
    saturation. Pixels are rounded and limited to 0 … 255 once, at the end. A call without training
    does nothing.

    Attributes:
        brightness, contrast, saturation: largest change of each factor.

    Raises:
        ArgumentError: a change is below 0.
        DshubError: images are not uint8; raised when the transform is applied.
    """

    brightness: float = 0
    contrast: float = 0
    saturation: float = 0

    def __post_init__(self) -> None:
        for name, value in zip(("brightness", "contrast", "saturation"), self._most, strict=True):
            number(f"{name} of ColorJitter", value, least=0)

    @property
    def _most(self) -> tuple[float, float, float]:
        return self.brightness, self.contrast, self.saturation

    def factors(self, context: Context) -> np.ndarray:
        """Draw the three factors of each image, float64 (rows, 3)."""
        drawn = np.stack([context.draws.uniform(i) for i in range(3)], axis=1)
        most = np.array(self._most)
        low = np.maximum(0, 1 - most)
        factors: np.ndarray = low + (1 + most - low) * drawn
        return factors

    def change(self, images: Images, context: Context) -> Images:
        if not context.training:
            return images
        factors = self.factors(context).tolist()
        changed = [jittered(*pair) for pair in zip(images, factors, strict=True)]
        return np.stack(changed) if isinstance(images, np.ndarray) and changed else stack(changed)


def jittered(pixels: np.ndarray, factors: Sequence[float]) -> np.ndarray:
    """Multiply brightness, contrast and saturation of an image, uint8 (height, width, 1 or 3).

    Raises:
        DshubError: the image is not uint8.
    """
    if pixels.dtype != np.uint8:
        raise DshubError(
            f"ColorJitter requires uint8 images, not {pixels.dtype}",
            hint="put ColorJitter before Normalize, ToFloat and MixUp",
        )
    brightness, contrast, saturation = factors
    channels = pixels.shape[-1]
    flat = pixels.reshape(-1, channels).astype(np.float32)
    luma = _LUMA if channels == 3 else np.ones(channels, np.float32) / channels
    average = brightness * float(flat.mean(axis=0) @ luma)
    matrix = np.eye(channels, dtype=np.float32)
    if channels == 3:
        matrix = matrix * np.float32(saturation) + np.float32(1 - saturation) * luma[:, None]
    mixed = flat @ (matrix * np.float32(brightness * contrast))
    mixed += np.float32((1 - contrast) * average + 0.5)
    result: np.ndarray = mixed.clip(0, 255, out=mixed).astype(np.uint8)
    return result.reshape(pixels.shape)
