"""Fill parts of images with a constant value."""

from dataclasses import dataclass

import numpy as np

from dshub._validate import interval, number, whole
from dshub.errors import ArgumentError
from dshub.loading.transforms.callables import ImageTransform
from dshub.loading.transforms.transform import Context, Images, each, random_box


@dataclass(frozen=True)
class Cutout(ImageTransform):
    """Fill a square around a random center in each image (DeVries and Taylor, 2017).

    Attributes:
        size: side of the square in pixels.
        fill: pixel value, in the range of pixels when this transform runs.

    Raises:
        ArgumentError: `size` is below 0. Applying the transform raises this error if pixels
            cannot hold `fill`.
    """

    size: int
    fill: float = 0

    def __post_init__(self) -> None:
        whole("size of Cutout", self.size, least=0)
        number("fill of Cutout", self.fill)

    def change(self, images: Images, context: Context) -> Images:
        if not context.training:
            return images
        images = each(images, np.copy)
        centers = context.draws.uniform(0), context.draws.uniform(1)
        for image, y, x in zip(images, *centers, strict=True):
            height, width = image.shape[:2]
            top, left = int(y * height) - self.size // 2, int(x * width) - self.size // 2
            rows = slice(max(0, top), max(0, top + self.size))
            columns = slice(max(0, left), max(0, left + self.size))
            _fill(image[rows, columns], self.fill, "Cutout")
        return images


@dataclass(frozen=True)
class RandomErasing(ImageTransform):
    """Fill a random rectangle in a fraction of the images (Zhong and others, 2017).

    Attributes:
        probability: probability that an image is changed.
        scale: smallest and largest fraction of the image area.
        ratio: smallest and largest width / height.
        fill: pixel value, in the range of pixels when this transform runs.

    Raises:
        ArgumentError: an argument is invalid. Applying the transform raises this error if pixels
            cannot hold `fill`.
    """

    probability: float = 0.5
    scale: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    fill: float = 0

    def __post_init__(self) -> None:
        number("probability of RandomErasing", self.probability, least=0, most=1)
        number("fill of RandomErasing", self.fill)
        interval("scale of RandomErasing", self.scale)
        interval("ratio of RandomErasing", self.ratio, positive=True)

    def change(self, images: Images, context: Context) -> Images:
        if not context.training:
            return images
        images = each(images, np.copy)
        draws = np.stack([context.draws.uniform(i) for i in range(1, 5)], axis=1)
        for row in np.flatnonzero(context.draws.uniform(0) < self.probability):
            part = random_box(images[row].shape, self.scale, self.ratio, draws[row])
            _fill(images[row][part], self.fill, "RandomErasing")
        return images


def _fill(part: np.ndarray, value: float, name: str) -> None:
    """Set all values of a part of an image (height, width, channels)."""
    if part.dtype == np.uint8 and not 0 <= value <= 255:
        expected = "from 0 to 255, because pixels are uint8"
        hint = f"put ToFloat before {name} to fill with floats"
        raise ArgumentError(name=f"fill of {name}", value=value, expected=expected, hint=hint)
    part[:] = value
