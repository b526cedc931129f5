"""Crop, flip and resize images; resizing is Pillow's bilinear filter, which averages."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dshub._validate import interval, number, whole
from dshub.errors import DshubError
from dshub.loading.transforms.transform import (
    Context,
    Images,
    ImageTransform,
    Size,
    check_fits,
    check_size,
    each,
    pair,
    random_box,
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
        """Return the height and width of the result.

        Raises:
            ArgumentError: the padded image is smaller than the crop.
        """
        size = (height, width) if self.size is None else pair(self.size)
        check_fits("RandomCrop", size, height + 2 * self.padding, width + 2 * self.padding)
        return size

    def corners(self, context: Context, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the top-left corners of the crops: rows and columns, each int64 (rows,).

        They are negative above or left of the unpadded image.
        """
        down, right = self.target(height, width)
        rows = context.draws.integers(height + 2 * self.padding - down + 1, 0)
        columns = context.draws.integers(width + 2 * self.padding - right + 1, 1)
        return rows - self.padding, columns - self.padding

    def change(self, images: Images, context: Context) -> Images:
        draws = context.draws.uniform(0).tolist(), context.draws.uniform(1).tolist()
        larger = each(images, lambda part: padded(part, self.padding))
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
    """Add zero pixels on every side of images (…, height, width, channels)."""
    if not around:
        return images
    *rows, height, width, channels = images.shape
    result = np.zeros((*rows, height + 2 * around, width + 2 * around, channels), images.dtype)
    result[..., around : around + height, around : around + width, :] = images
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
