"""Crop, flip and resize images; resizing uses the bilinear filter of Pillow.

Masks are changed in the same way. When they are resized, each pixel takes the nearest value.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dshub._validate import flag, interval, number, whole
from dshub.catalog.features import MaskFeature
from dshub.errors import DshubError
from dshub.loading.transforms.callables import GeometricTransform
from dshub.loading.transforms.resampling import Finish, resample
from dshub.loading.transforms.transform import (
    Context,
    Images,
    Size,
    check_fits,
    check_size,
    each,
    pair,
    random_box,
    stack,
)
from dshub.loading.transforms.windows import Window


@dataclass(frozen=True)
class RandomCrop(GeometricTransform):
    """Crop each image at a random position, like torchvision's `RandomCrop`.

    If images differ in size, the result is one array if `size` is set, or else a list. A call
    without training crops the center.

    Attributes:
        size: height and width of the crop; None keeps the size of the image.
        padding: number of zero pixels to add on each side of the image first; those of masks have
            the value `ignore` of the feature.

    Raises:
        ArgumentError: `size` is below 1, or `padding` is below 0.
    """

    size: Size | None = None
    padding: int = 0

    moves = "yes"

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
        """Draw the rows and columns of the top-left corners of the crops, each int64 (rows,).

        Corners in the padding above or left of the image are negative.
        """
        down, right = self.target(height, width)
        rows = context.draws.integers(height + 2 * self.padding - down + 1, 0)
        columns = context.draws.integers(width + 2 * self.padding - right + 1, 1)
        return rows - self.padding, columns - self.padding

    def change(self, images: Images, context: Context) -> Images:
        if not context.training:
            return self._centers(images, context)
        draws = context.draws.uniform(0).tolist(), context.draws.uniform(1).tolist()
        larger = each(images, lambda part: pad(part, self.padding, _padding_of(context)))
        parts = [self._part(image, y, x) for image, y, x in zip(larger, *draws, strict=True)]
        if self.size is None and isinstance(images, list):
            return parts
        return stack(parts, self.size)

    def _centers(self, images: Images, context: Context) -> Images:
        if self.size is None:
            return images
        larger = each(images, lambda part: pad(part, self.padding, _padding_of(context)))
        return CenterCrop(self.size).change(larger, context)

    def _part(self, image: np.ndarray, y: float, x: float) -> np.ndarray:
        """Crop a padded image at a position, expressed as fractions from 0 to 1."""
        height, width = image.shape[:2]
        down, right = self.target(height - 2 * self.padding, width - 2 * self.padding)
        top, left = int(y * (height - down + 1)), int(x * (width - right + 1))
        return image[top : top + down, left : left + right]


def _padding_of(context: Context) -> int:
    """Return the value of pixels around images, or around masks."""
    return context.mask.ignore or 0 if context.mask else 0


def pad(images: np.ndarray, around: int, fill: int = 0) -> np.ndarray:
    """Add pixels on every side of images (…, height, width, channels)."""
    if not around:
        return images
    *rows, height, width, channels = images.shape
    shape = (*rows, height + 2 * around, width + 2 * around, channels)
    result = np.full(shape, fill, images.dtype)
    result[..., around : around + height, around : around + width, :] = images
    return result


@dataclass(frozen=True)
class _RandomFlip(GeometricTransform):
    """Flip a random fraction of the images."""

    probability: float = 0.5

    moves = "yes"

    def __post_init__(self) -> None:
        number(f"probability of {type(self).__name__}", self.probability, least=0, most=1)

    def flipped(self, context: Context) -> np.ndarray:
        """Draw which rows to flip, bool (rows,)."""
        return context.draws.uniform() < self.probability

    def change(self, images: Images, context: Context) -> Images:
        if not context.training:
            return images
        flipped = self.flipped(context)
        if isinstance(images, np.ndarray):
            return np.where(flipped[:, None, None, None], self.flip(images), images)
        return [
            self.flip(image) if flip else image for image, flip in zip(images, flipped, strict=True)
        ]

    @abstractmethod
    def flip(self, images: np.ndarray) -> np.ndarray:
        """Return flipped images (…, height, width, channels), as a view."""


@dataclass(frozen=True)
class RandomHorizontalFlip(_RandomFlip):
    """Flip a random fraction of the images horizontally.

    Raises:
        ArgumentError: `probability` is not from 0 to 1.
    """

    def flip(self, images: np.ndarray) -> np.ndarray:
        return images[..., ::-1, :]


@dataclass(frozen=True)
class RandomVerticalFlip(_RandomFlip):
    """Flip a random fraction of the images vertically.

    Raises:
        ArgumentError: `probability` is not from 0 to 1.
    """

    def flip(self, images: np.ndarray) -> np.ndarray:
        return images[..., ::-1, :, :]


@dataclass(frozen=True)
class CenterCrop(GeometricTransform):
    """Crop the center of each image; images can differ in size.

    Raises:
        ArgumentError: `size` is below 1.
    """

    size: Size

    moves = "yes"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size of CenterCrop", self.size))

    def change(self, images: Images, context: Context) -> Images:
        del context
        return stack([_center(image, pair(self.size)) for image in images], self.size)


def _center(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    down, right = size
    height, width = image.shape[:2]
    check_fits("CenterCrop", size, height, width)
    y, x = (height - down) // 2, (width - right) // 2
    return image[y : y + down, x : x + right]


def nearest(values: np.ndarray, window: Window) -> np.ndarray:
    """Resize a part of an array (height, width, …); each pixel takes the nearest value."""
    top, left, bottom, right = window.box
    height, width = window.size
    rows = (top + (np.arange(height) + 0.5) * ((bottom - top) / height)).astype(np.int64)
    columns = (left + (np.arange(width) + 0.5) * ((right - left) / width)).astype(np.int64)
    last = values.shape[0] - 1, values.shape[1] - 1
    result: np.ndarray = values[np.minimum(rows, last[0])[:, None], np.minimum(columns, last[1])]
    return result


def resize(
    image: np.ndarray,
    size: tuple[int, int],
    *,
    antialias: bool = True,
    mask: MaskFeature | None = None,
) -> np.ndarray:
    """Resize an image or a mask.

    Args:
        image: pixels, uint8 (height, width, 1 or 3) or uint16 (height, width, channels).
        size: height and width of the result.
        antialias: whether to average all pixels that an output pixel covers.
        mask: feature of a mask, or None for an image.

    Raises:
        DshubError: the image has another dtype.
    """
    if mask is not None:
        return nearest(image, Window.of((0, 0, *image.shape[:2]), size))
    if image.dtype == np.uint16:
        channels = (_resized_channel(image[..., i], size, antialias) for i in range(image.shape[2]))
        return np.stack(list(channels), axis=-1)
    if image.dtype != np.uint8:
        raise DshubError(
            f"resizing requires uint8 or uint16 images, not {image.dtype}",
            hint="put the resizing transform before Normalize, ToFloat and MixUp",
        )
    if image.shape[:2] == size:
        return image
    height, width = size
    channels = image.shape[2]
    if not antialias:
        result = np.empty((height, width, channels), np.uint8)
        window = Window.of((0, 0, *image.shape[:2]), size)
        resample(np.ascontiguousarray(image), window, result, Finish(antialias=False))
        return result
    source = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    target = source.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(target).reshape(height, width, channels)


def _resized_channel(values: np.ndarray, size: tuple[int, int], antialias: bool) -> np.ndarray:  # noqa: FBT001
    """Resize values of 16 bits, uint16 (height, width), in 32-bit floats, which hold them."""
    source, (height, width) = Image.fromarray(values.astype(np.float32)), size
    bilinear = Image.Resampling.BILINEAR
    if antialias:
        resized = source.resize((width, height), bilinear)
    else:
        whole = (0, 0, *source.size)
        resized = source.transform((width, height), Image.Transform.EXTENT, whole, bilinear)
    rounded: np.ndarray = np.rint(np.asarray(resized)).astype(np.uint16)
    return rounded


@dataclass(frozen=True)
class Resize(GeometricTransform):
    """Resize each image.

    Attributes:
        size: (height, width), or the length of the shorter side to keep the aspect ratio.
        antialias: whether to average all pixels that an output pixel covers. False is faster, but
            shrinking then skips pixels.

    Raises:
        ArgumentError: `size` is below 1.
    """

    size: Size
    antialias: bool = True

    moves = "scales"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size of Resize", self.size))
        flag("antialias of Resize", self.antialias)

    def change(self, images: Images, context: Context) -> Images:
        targets = [self.target(*image.shape[:2]) for image in images]
        return stack(
            [
                resize(image, target, antialias=self.antialias, mask=context.mask)
                for image, target in zip(images, targets, strict=True)
            ]
        )

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of a resized image."""
        if not isinstance(self.size, int):
            return self.size
        scale = self.size / min(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))


@dataclass(frozen=True)
class RandomResizedCrop(GeometricTransform):
    """Crop a random part of each image and resize it, as in ImageNet training.

    Area and aspect ratio are drawn as in torchvision's `RandomResizedCrop` (Szegedy and others,
    2014), but only once per row. A part that does not fit is clipped. A call without training
    resizes the largest central part with the aspect ratio of `size`.

    Attributes:
        size: height and width of the result.
        scale: smallest and largest fraction of the image area.
        ratio: smallest and largest width / height.
        antialias: see `Resize`.

    Raises:
        ArgumentError: `size` is below 1, or `scale` or `ratio` is invalid.
    """

    size: Size
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    antialias: bool = True

    moves = "yes"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size("size of RandomResizedCrop", self.size))
        interval("scale of RandomResizedCrop", self.scale)
        interval("ratio of RandomResizedCrop", self.ratio, positive=True)
        flag("antialias of RandomResizedCrop", self.antialias)

    def change(self, images: Images, context: Context) -> Images:
        size = pair(self.size)
        if not context.training:
            return stack([self._center(image, context) for image in images], size)
        parts = [
            resize(
                image[random_box(image.shape, self.scale, self.ratio, drawn)],
                size,
                antialias=self.antialias,
                mask=context.mask,
            )
            for image, drawn in zip(images, self.drawn(context), strict=True)
        ]
        return stack(parts, size)

    def drawn(self, context: Context) -> np.ndarray:
        """Draw the numbers that choose the part of each image, float64 (rows, 4)."""
        return np.stack([context.draws.uniform(i) for i in range(4)], axis=1)

    def window(self, height: int, width: int, drawn: Sequence[float]) -> Window:
        """Return the part of an image that `drawn` chooses."""
        rows, columns = random_box((height, width), self.scale, self.ratio, drawn)
        region = rows.start, columns.start, rows.stop, columns.stop
        return Window.of(region, pair(self.size))

    def _center(self, image: np.ndarray, context: Context) -> np.ndarray:
        """Resize the largest central part that has the aspect ratio of `size`."""
        down, right = size = pair(self.size)
        height, width = image.shape[:2]
        scale = min(height / down, width / right)
        part = max(1, round(down * scale)), max(1, round(right * scale))
        return resize(_center(image, part), size, antialias=self.antialias, mask=context.mask)
