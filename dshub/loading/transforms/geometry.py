"""Crop and flip images."""

from dataclasses import dataclass

import numpy as np

from dshub._validate import number, whole
from dshub.loading.transforms.transform import (
    Context,
    Images,
    ImageTransform,
    Size,
    check_fits,
    check_size,
    pair,
    stacked,
)


@dataclass(frozen=True)
class RandomCrop(ImageTransform):
    """Crop each image at a random place, like torchvision's transform of the same name.

    Images that differ in size become one array if `size` is given, and stay a list otherwise.

    Attributes:
        size: height and width; None keeps those of the image.
        padding: zero pixels added around each image first.

    Raises:
        ArgumentError: a size below 1, or a padding below 0.
    """

    size: Size | None = None
    padding: int = 0

    def __post_init__(self) -> None:
        if self.size is not None:
            object.__setattr__(self, "size", check_size("size of RandomCrop", self.size))
        whole("padding of RandomCrop", self.padding, least=0)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result; raises ArgumentError if the image is smaller."""
        size = (height, width) if self.size is None else pair(self.size)
        check_fits("RandomCrop", size, height + 2 * self.padding, width + 2 * self.padding)
        return size

    def corners(self, context: Context, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the upper left corners, int64 (rows,); negative in the padding."""
        down, right = self.target(height, width)
        rows = context.draws.integers(height + 2 * self.padding - down + 1, 0)
        columns = context.draws.integers(width + 2 * self.padding - right + 1, 1)
        return rows - self.padding, columns - self.padding

    def change(self, images: Images, context: Context) -> Images:
        draws = context.draws.uniform(0).tolist(), context.draws.uniform(1).tolist()
        larger: Images
        if isinstance(images, list):
            larger = [padded(image[None], self.padding)[0] for image in images]
        else:
            larger = padded(images, self.padding)
        parts = [self._part(image, y, x) for image, y, x in zip(larger, *draws, strict=True)]
        if self.size is None and isinstance(images, list):
            return parts
        return stacked(parts, self.size)

    def _part(self, image: np.ndarray, y: float, x: float) -> np.ndarray:
        """Crop a padded image at a place given by numbers from 0 to 1."""
        height, width = image.shape[:2]
        down, right = self.target(height - 2 * self.padding, width - 2 * self.padding)
        top, left = int(y * (height - down + 1)), int(x * (width - right + 1))
        return image[top : top + down, left : left + right]


def padded(images: np.ndarray, around: int) -> np.ndarray:
    """Add zero pixels on every side of images (rows, height, width, channels)."""
    if not around:
        return images
    rows, height, width, channels = images.shape
    result = np.zeros((rows, height + 2 * around, width + 2 * around, channels), images.dtype)
    result[:, around : around + height, around : around + width] = images
    return result


@dataclass(frozen=True)
class RandomHorizontalFlip(ImageTransform):
    """Mirror a share of the images left to right.

    Raises:
        ArgumentError: the probability is not from 0 to 1.
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        number("probability of RandomHorizontalFlip", self.probability, least=0, most=1)

    def flipped(self, context: Context) -> np.ndarray:
        """Draw which rows are flipped, bool (rows,)."""
        return context.draws.uniform() < self.probability

    def change(self, images: Images, context: Context) -> Images:
        flipped = self.flipped(context)
        if isinstance(images, np.ndarray):
            return np.where(flipped[:, None, None, None], images[:, :, ::-1], images)
        return [
            image[:, ::-1] if flip else image for image, flip in zip(images, flipped, strict=True)
        ]


@dataclass(frozen=True)
class CenterCrop(ImageTransform):
    """Crop the center of each image; images can differ in size.

    Raises:
        ArgumentError: a size below 1.
    """

    size: Size

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size of CenterCrop", self.size))

    def change(self, images: Images, context: Context) -> Images:
        del context
        return stacked([self._part(image) for image in images], self.size)

    def _part(self, image: np.ndarray) -> np.ndarray:
        down, right = pair(self.size)
        height, width = image.shape[:2]
        check_fits("CenterCrop", (down, right), height, width)
        y, x = (height - down) // 2, (width - right) // 2
        return image[y : y + down, x : x + right]
