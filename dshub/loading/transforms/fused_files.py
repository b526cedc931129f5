"""Decode, crop, resize, flip and scale image files, each in one pass into the batch.

A list of transforms can start with `RandomResizedCrop`, or with `Resize` and `CenterCrop` or
`RandomCrop`, followed by `RandomHorizontalFlip`, `RandomVerticalFlip`, `ColorJitter`, and
`Normalize` or `ToFloat`. Each of them is optional, but all images must get the same size. A JPEG is
decoded at 1/2, 1/4 or 1/8 of its size if the part to resize still has at least as many pixels as
the result.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dshub.catalog.features import ImageFeature, MaskFeature
from dshub.loading.decoding import pillow
from dshub.loading.decoding.images import decoding_errors
from dshub.loading.decoding.pixels import Decoding, checked_pixels, request_of
from dshub.loading.decoding.request import Decoded, Request
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from dshub.loading.transforms.jitter import ColorJitter, jittered
from dshub.loading.transforms.resampling import Finish, resample
from dshub.loading.transforms.transform import AnyTransform, Context, Layout, check_fits, pair
from dshub.loading.transforms.windows import Window

WindowOf = Callable[[int, int, int], Window]
"""Function that returns the window of an image by its index, height and width."""


@dataclass(frozen=True)
class FusedFiles:
    """Transforms that are applied to image files while they are decoded.

    Attributes:
        resize: transform that resizes, or None.
        crop: transform that crops, or None.
        flip: transform that flips horizontally, or None.
        upside_down: transform that flips vertically, or None.
        jitter: transform that changes colors, or None.
        scale: transform that scales pixels, or None.
        count: number of these transforms, at the start of the list.
    """

    resize: Resize | RandomResizedCrop | None = None
    crop: CenterCrop | RandomCrop | None = None
    flip: RandomHorizontalFlip | None = None
    upside_down: RandomVerticalFlip | None = None
    jitter: ColorJitter | None = None
    scale: Normalize | None = None
    count: int = 0

    @classmethod
    def beginning(cls, transforms: Sequence[AnyTransform]) -> "FusedFiles":
        """Create a pass from the leading transforms of a list that can be fused."""
        fused: dict[str, Any] = {}
        kinds: dict[str, Any] = {
            "resize": Resize | RandomResizedCrop,
            "crop": CenterCrop | RandomCrop,
            "flip": RandomHorizontalFlip,
            "upside_down": RandomVerticalFlip,
            "jitter": ColorJitter,
            "scale": Normalize,
        }
        for name, kind in kinds.items():
            if len(fused) == len(transforms) or not isinstance(transforms[len(fused)], kind):
                continue
            if name == "crop" and not _is_plain(transforms[len(fused)], fused.get("resize")):
                break
            fused[name] = transforms[len(fused)]
        return cls(**fused, count=len(fused))

    def size(self, feature: ImageFeature | MaskFeature) -> tuple[int, int] | None:
        """Return the height and width of the results, or None if they can differ.

        Raises:
            ArgumentError: an image is smaller than the crop.
        """
        if isinstance(self.resize, RandomResizedCrop):
            return pair(self.resize.size)
        if self.crop is not None and self.crop.size is not None:
            return pair(self.crop.size)
        if self.resize is not None and not isinstance(self.resize.size, int):
            return self.resize.size
        if not feature.shape:
            return None
        height, width = feature.shape[:2]
        return (height, width) if self.resize is None else self.resize.target(height, width)

    @property
    def dtype(self) -> type[np.generic]:
        """Dtype of the resulting pixels."""
        return np.uint8 if self.scale is None else np.float32

    @property
    def antialias(self) -> bool:
        """Whether resizing averages all pixels that an output pixel covers."""
        return self.resize is None or self.resize.antialias

    def windows(self, context: Context) -> WindowOf:
        """Draw the part of each image of a batch."""
        resize, crop = self.resize, self.crop
        if isinstance(resize, RandomResizedCrop):
            drawn = resize.drawn(self._context(context, "resize")).tolist()
            return lambda i, height, width: resize.window(height, width, drawn[i])
        if crop is None:
            return lambda _, height, width: _resized(resize, height, width)
        corners: list[tuple[float, float]] = []
        if isinstance(crop, RandomCrop):
            draws = self._context(context, "crop").draws
            corners = list(zip(draws.uniform(0).tolist(), draws.uniform(1).tolist(), strict=True))
        size = pair(crop.size or 0)
        name = type(crop).__name__

        def window(i: int, height: int, width: int) -> Window:
            target = _resized(resize, height, width).size
            check_fits(name, size, *target)
            spare = target[0] - size[0], target[1] - size[1]
            y, x = (spare[0] // 2, spare[1] // 2)
            if corners:
                y, x = (
                    int(draw * (free + 1)) for draw, free in zip(corners[i], spare, strict=True)
                )
            return _cropped((height, width), target, (y, x), size)

        return window

    def flips(self, context: Context) -> Sequence[Sequence[bool]]:
        """Draw which images of a batch are flipped horizontally and vertically."""
        flips = np.zeros((len(context.draws.rows), 2), bool)
        if self.flip is not None:
            flips[:, 0] = self.flip.flipped(self._context(context, "flip"))
        if self.upside_down is not None:
            flips[:, 1] = self.upside_down.flipped(self._context(context, "upside_down"))
        result: list[list[bool]] = flips.tolist()
        return result

    def factors(self, context: Context) -> Sequence[Sequence[float]]:
        """Draw the factors of `jitter` for each image of a batch."""
        if self.jitter is None:
            return []
        drawn = self.jitter.factors(self._context(context, "jitter"))
        factors: list[list[float]] = drawn.tolist()
        return factors

    def _context(self, context: Context, name: str) -> Context:
        """Return a context with the draws of a transform, which depend on its index in the list."""
        steps = ("resize", "crop", "flip", "upside_down", "jitter")
        index = sum(getattr(self, step) is not None for step in steps[: steps.index(name)])
        return replace(context, draws=context.draws.apart(index))


def _is_plain(crop: AnyTransform, resize: AnyTransform | None) -> bool:
    """Return True if a crop needs no padding and follows a transform that it can be fused with."""
    if isinstance(resize, RandomResizedCrop):
        return False
    return isinstance(crop, CenterCrop) or (
        isinstance(crop, RandomCrop) and crop.size is not None and not crop.padding
    )


def _resized(resize: Any, height: int, width: int) -> Window:
    """Return the window of a whole image."""
    size = (height, width) if resize is None else resize.target(height, width)
    return Window.of((0, 0, height, width), size)


def _cropped(
    image: tuple[int, int],
    target: tuple[int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
) -> Window:
    """Return the window of a crop of a resized image.

    Args:
        image: height and width of the image.
        target: height and width after resizing.
        corner: top-left corner of the crop, after resizing.
        size: height and width of the crop.
    """
    (y, x), (down, right) = corner, size
    if image == target:
        return Window.of((y, x, y + down, x + right), size)
    rows, columns = image[0] / target[0], image[1] / target[1]
    top, end = y * rows, min((y + down) * rows, image[0])
    left, side = x * columns, min((x + right) * columns, image[1])
    above, beside = math.ceil(max(1, rows)) + 1, math.ceil(max(1, columns)) + 1
    region = (  # pixels that the filter uses
        max(0, int(top) - above),
        max(0, int(left) - beside),
        min(image[0], math.ceil(end) + above),
        min(image[1], math.ceil(side) + beside),
    )
    return Window(region, (top, left, end, side), size)


class ImagePass:
    """Fills the rows of one batch with transformed images, in any order and thread.

    Args:
        fused: transforms to apply.
        context: context of the batch.
        channels: number of channels of the images.
        out: contiguous array (rows, height, width, channels), or with channels first.
        layout: layout of `out`.

    Attributes:
        window_of: function that returns the part of an image by its index, height and width.
    """

    def __init__(
        self, fused: FusedFiles, context: Context, channels: int, out: np.ndarray, layout: Layout
    ) -> None:
        self._fused, self._channels, self._out = fused, channels, out
        self._planes = layout == "chw"
        self.window_of, self._flips = fused.windows(context), fused.flips(context)
        self._factors = fused.factors(context)

    def put(self, index: int, source: Any, window: Window) -> None:
        """Fill a row with a part of an image; see `resample`."""
        fused, out = self._fused, self._out[index]
        flip, upside_down = self._flips[index]
        finish = Finish(fused.antialias, flip, upside_down, fused.scale, self._planes)
        if fused.jitter is None:
            resample(source, window, out, finish)
            return
        pixels = np.empty((*window.size, self._channels), np.uint8)
        resample(source, window, pixels, finish._replace(scale=None, planes=False))
        whole = Window.of((0, 0, *window.size), window.size)
        last = Finish(scale=fused.scale, planes=self._planes)
        resample(jittered(pixels, self._factors[index]), whole, out, last)


class FilePass:
    """Fills the rows of one batch from image files, in any order and thread.

    Args:
        images: transforms of the batch, and its memory.
        feature: feature of the column.
        decoding: decoder and order of the channels.
    """

    def __init__(self, images: ImagePass, feature: ImageFeature, decoding: Decoding) -> None:
        self._images, self._feature = images, feature
        self._decoder = decoding.decoder
        self._request = replace(request_of(feature, decoding.order), reuse=True)

    def fill(self, index: int, data: bytes | memoryview, where: Callable[[], str]) -> None:
        """Fill a row from the contents of a file.

        Raises:
            ReadError: the file cannot be decoded.
            SchemaError: the image does not fit the feature.
            ArgumentError: the image is smaller than the crop.
        """
        chosen: list[Window] = []

        def divisor(height: int, width: int) -> int:
            chosen.append(self._images.window_of(index, height, width))
            return chosen[-1].divisor

        request = replace(self._request, divisor=divisor)
        with decoding_errors(where, data=data):
            decoded = self._decode(memoryview(data), request)
        source: Any = checked_pixels(decoded, self._feature, where)
        size = decoded.height, decoded.width
        window = chosen[-1] if chosen else self._images.window_of(index, *size)
        if decoded.divisor > 1:
            scaled = (-(-length // decoded.divisor) for length in size)
            window = window.scaled(decoded.divisor, *scaled)
        self._images.put(index, source, window)

    def _decode(self, data: memoryview, request: Request) -> Decoded:
        """Decode a file; without kernels, Pillow resizes its own image, without a copy."""
        decoded = self._decoder.try_decode(data, request)
        if decoded is not None:
            return decoded
        if request.order == "rgb":
            return Decoded(*pillow.open_upright(data, request))
        return pillow.decode(data, request)
