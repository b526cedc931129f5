"""Resample a part of an image with compiled kernels, or else with Pillow."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from dshub.loading.transforms.colors import Normalize, scales, scales_of_values
from dshub.loading.transforms.compiled import kernels
from dshub.loading.transforms.windows import Window


class Finish(NamedTuple):
    """Options of a resampled image.

    Attributes:
        antialias: whether to average all pixels that an output pixel covers.
        flip: whether to flip the result horizontally.
        upside_down: whether to flip the result vertically.
        scale: transform that scales pixels, or None.
        planes: whether channels come first.
    """

    antialias: bool = True
    flip: bool = False
    upside_down: bool = False
    scale: Normalize | None = None
    planes: bool = False


def resample(source: Any, window: Window, out: np.ndarray, finish: Finish) -> None:
    """Fill `out` with a part of an image.

    Args:
        source: uint8 (height, width, 1 or 3), contiguous, or a Pillow image of mode L or RGB.
        window: part of the image, and the size of the result.
        out: contiguous array (height, width, channels), or with channels first; float32 if `scale`
            is set, or else uint8.
        finish: options of the result.
    """
    module = kernels()
    if module is None:
        _with_pillow(source, window, out, finish)
        return
    if not isinstance(source, np.ndarray):  # copying only the region is faster
        top, left, bottom, right = window.region
        source = np.asarray(source.crop((left, top, right, bottom)))
        source, window = source.reshape(*source.shape[:2], -1), window.alone
    elif not source.flags.writeable:  # else numba would compile another version
        top, left, bottom, right = window.region
        source, window = source[top:bottom, left:right].copy(), window.alone
    if window.keeps_size:
        _copy(module, source, window, out, finish)
        return
    height, width, channels = source.shape
    module.resample(
        source.reshape(height, width * channels),
        channels,
        (window.region, window.inner_box, window.size),
        (finish.antialias, finish.flip, finish.upside_down, finish.planes),
        _scaling(finish, channels, window.size[1]),
        out.reshape(-1),
    )


def _copy(
    module: ModuleType, source: np.ndarray, window: Window, out: np.ndarray, finish: Finish
) -> None:
    """Crop, flip and scale pixels without resizing them."""
    top, left, bottom, right = window.region
    if finish.scale is None:
        rows, columns = -1 if finish.upside_down else 1, -1 if finish.flip else 1
        pixels = source[top:bottom, left:right, :][::rows, ::columns]
        np.copyto(out, np.moveaxis(pixels, -1, 0) if finish.planes else pixels)
        return
    places = np.array([[top, left, finish.flip, finish.upside_down]], np.int64)
    row = np.zeros(1, np.int64)
    module.run(source[None], row, places, finish.scale, out[None], planes=finish.planes)


def _with_pillow(source: Any, window: Window, out: np.ndarray, finish: Finish) -> None:
    antialias, flip, upside_down, scale, planes = finish
    top, left, bottom, right = window.region
    if isinstance(source, np.ndarray):
        part = source[top:bottom, left:right]
        image = Image.fromarray(part[:, :, 0] if part.shape[2] == 1 else part)
    else:
        image = source
        if (left, top, right, bottom) != (0, 0, *image.size):
            image = image.crop((left, top, right, bottom))
    y, x, down, across = window.inner_box
    height, width = window.size
    box, bilinear = (x, y, across, down), Image.Resampling.BILINEAR
    if antialias:
        image = image.resize((width, height), bilinear, box)
    else:
        image = image.transform((width, height), Image.Transform.EXTENT, box, bilinear)
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if upside_down:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    pixels = np.asarray(image).reshape(height, width, -1)
    np.copyto(out, np.moveaxis(pixels, -1, 0) if planes else pixels)
    if scale is not None:
        channels = pixels.shape[-1]
        factors, biases = scales_of_values(scale, channels, height * width, planes=planes)
        flat = out.reshape(-1)
        flat *= factors
        flat += biases


def _scaling(finish: Finish, channels: int, across: int) -> Any:
    if finish.scale is None:
        return None
    if finish.planes and channels > 1:
        return scales(finish.scale, channels)
    return scales_of_values(finish.scale, channels, across, planes=False)
