"""Resize images with Pillow's bilinear filter, which averages when it shrinks."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dshub._validate import interval
from dshub.errors import DshubError
from dshub.loading.transforms.transform import (
    Context,
    Images,
    ImageTransform,
    Size,
    check_size,
    pair,
    random_box,
    stacked,
)


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image, uint8 (height, width, 1 or 3); raises DshubError for floats."""
    if image.dtype != np.uint8:
        raise DshubError(
            f"images are resized as uint8, and these are {image.dtype}",
            hint="put it before Normalize, ToFloat and MixUp",
        )
    if image.shape[:2] == size:
        return image
    height, width = size
    channels = image.shape[2]
    source = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    target = source.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(target).reshape(height, width, channels)


@dataclass(frozen=True)
class Resize(ImageTransform):
    """Resize images.

    Attributes:
        size: (height, width); or the length of the shorter side, which keeps proportions.

    Raises:
        ArgumentError: a size below 1.
    """

    size: Size

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size of Resize", self.size))

    def change(self, images: Images, context: Context) -> Images:
        del context
        return stacked([resized(image, self._target(image)) for image in images])

    def _target(self, image: np.ndarray) -> tuple[int, int]:
        if not isinstance(self.size, int):
            return self.size
        height, width = image.shape[:2]
        scale = self.size / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))


@dataclass(frozen=True)
class RandomResizedCrop(ImageTransform):
    """Resize a random part of each image to one size, as for training on ImageNet.

    Area and proportions are drawn as in torchvision's transform of the same name (Szegedy and
    others, 2014), once for each row; a part that does not fit is clipped.

    Attributes:
        size: height and width of the result.
        scale: smallest and largest share of the area.
        ratio: smallest and largest width / height.

    Raises:
        ArgumentError: a size below 1, or an invalid scale or ratio.
    """

    size: Size
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size of RandomResizedCrop", self.size))
        interval("scale of RandomResizedCrop", self.scale)
        interval("ratio of RandomResizedCrop", self.ratio, positive=True)

    def change(self, images: Images, context: Context) -> Images:
        size = pair(self.size)
        draws = np.stack([context.draws.uniform(i) for i in range(4)], axis=1)
        parts = [
            resized(image[random_box(image, self.scale, self.ratio, drawn)], size)
            for image, drawn in zip(images, draws, strict=True)
        ]
        return stacked(parts, size)
