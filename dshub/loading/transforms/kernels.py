"""The fused pass, compiled by numba: gather, perhaps crop and flip, then multiply and add.

Pixels are uint8 (…, height * width * channels). `places` are int64 (rows, 3): row and column of
the part's corner in the padded image, and whether it is flipped left to right. Padding is 0.

Parts are cropped and flipped as bytes first, in memory that stays in the core's own cache. So the
multiplication is one plain loop over whole images, which the compiler vectorizes. Loops for
constant numbers of channels serve the same purpose.
"""

from typing import Any

import numba
import numpy as np

from dshub.loading.transforms.colors import Normalize, scales, scales_of_values

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


@_compiled
def _scale(source, scale, bias, target):
    """Scale an image, with a factor and a bias for each value."""
    for j in range(len(target)):
        target[j] = np.float32(source[j]) * scale[j] + bias[j]


@_compiled
def _scale_planes(source, scale, bias, target):
    """Scale an image into planes, with a factor and a bias for each channel."""
    channels = len(scale)
    pixels = len(target) // channels
    for c in range(channels):
        plane = target[c * pixels : (c + 1) * pixels]
        if channels == 3:
            for j in range(pixels):
                plane[j] = np.float32(source[3 * j + c]) * scale[c] + bias[c]
        else:
            for j in range(pixels):
                plane[j] = np.float32(source[channels * j + c]) * scale[c] + bias[c]


@_compiled
def _flip(source, last, part, to, span):
    """Copy pixels from the one at `last` leftwards; `span` is their number and their channels."""
    pixels, channels = span
    if channels == 3:
        for x in range(pixels):
            part[to + 3 * x] = source[last - 3 * x]
            part[to + 3 * x + 1] = source[last - 3 * x + 1]
            part[to + 3 * x + 2] = source[last - 3 * x + 2]
    elif channels == 1:
        for x in range(pixels):
            part[to + x] = source[last - x]
    else:
        for x in range(pixels):
            for c in range(channels):
                part[to + x * channels + c] = source[last - x * channels + c]


@_compiled
def _crop(source, place, sizes, part):
    """Copy a part of an image into `part`, flipped if its place says so."""
    height, width, down, right, channels = sizes
    top, left, flipped = place
    low, high = max(0, -left), min(right, width - left)
    if low > 0 or high < right or top < 0 or top + down > height:
        part[:] = 0
    for y in range(max(0, -top), min(down, height - top)):
        at = ((y + top) * width + low + left) * channels
        length = (high - low) * channels
        if flipped:
            to = (y + 1) * right * channels - high * channels
            last = at + length - channels
            _flip(source, last, part, to, (high - low, channels))
        else:
            to = (y * right + low) * channels
            part[to : to + length] = source[at : at + length]


@_compiled
def _fill(images, rows, places, sizes, scaling, out):
    """Fill `out`, in planes if there is one factor for each channel, not for each value."""
    scale, bias = scaling
    part = np.empty(out.shape[1], np.uint8)
    for i in range(len(rows)):
        if places is None:  # resolved when it is compiled
            source = images[rows[i]]
        else:
            place = (places[i, 0], places[i, 1], places[i, 2])
            _crop(images[rows[i]], place, sizes, part)
            source = part
        if len(scale) == out.shape[1]:
            _scale(source, scale, bias, out[i])
        else:
            _scale_planes(source, scale, bias, out[i])


def run(
    images: np.ndarray,
    rows: np.ndarray,
    places: np.ndarray | None,
    normalize: Normalize,
    out: np.ndarray,
    *,
    planes: bool,
) -> None:
    """Fill `out`, (rows, height, width, channels), or with channels first if `planes`.

    Args:
        images: (…, height, width, channels).
        rows: their numbers.
        places: None if nothing is cropped or flipped.
        normalize: the multiplication and addition.
        out: contiguous.
        planes: whether channels come first in `out`.
    """
    _, height, width, channels = images.shape
    flat, target = images.reshape(len(images), -1), out.reshape(len(out), -1)
    down, right = out.shape[2:] if planes else out.shape[1:3]
    if planes and channels > 1:
        scaling = scales(normalize, channels)
    else:
        scaling = scales_of_values(normalize, channels, down * right, planes=False)
    _fill(flat, rows, places, (height, width, down, right, channels), scaling, target)
