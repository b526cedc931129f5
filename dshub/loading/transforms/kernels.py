"""Gather, crop, flip and scale images in one pass that numba compiles.

Pixels are uint8 (…, height * width * channels). `places` is int64 (rows, 4): the row and column of
the corner of a crop, which are negative in the padding, and whether the crop is flipped
horizontally and vertically. The padding is 0.

Crops are copied and flipped as bytes first, in memory that stays in the cache of a core. Scaling is
then one simple loop over a whole image, which the compiler vectorizes. Separate loops for fixed
numbers of channels have the same purpose.
"""

from typing import Any

import numba
import numpy as np

from dshub.loading.transforms.colors import Normalize, scales, scales_of_values
from dshub.loading.transforms.resampling_kernels import resample as resample  # noqa: PLC0414  # compiled with the others

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


@_compiled
def _scale(source, scale, bias, target):
    """Scale an image, with a factor and bias for each value."""
    for j in range(len(target)):
        target[j] = np.float32(source[j]) * scale[j] + bias[j]


@_compiled
def _scale_planes(source, scale, bias, target):
    """Scale an image into channel planes, with a factor and bias for each channel."""
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
    """Copy pixels from right to left, starting at `last`; `span` is (pixels, channels)."""
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
    """Copy a crop of an image into `part`; `place` is a row of `places`."""
    height, width, down, right, channels = sizes
    top, left, flipped, upside_down = place
    low, high = max(0, -left), min(right, width - left)
    if low > 0 or high < right or top < 0 or top + down > height:
        for j in range(len(part)):
            part[j] = 0
    for y in range(max(0, -top), min(down, height - top)):
        at = ((y + top) * width + low + left) * channels
        length = (high - low) * channels
        row = down - 1 - y if upside_down else y
        if flipped:
            to = (row + 1) * right * channels - high * channels
            last = at + length - channels
            _flip(source, last, part, to, (high - low, channels))
        else:
            to = (row * right + low) * channels
            for j in range(length):  # faster than an assignment of slices
                part[np.uint64(to + j)] = source[np.uint64(at + j)]


@_compiled
def _fill(images, rows, places, sizes, scaling, out):
    """Fill `out`, as channel planes if `scaling` has one factor per channel."""
    scale, bias = scaling
    part = np.empty(out.shape[1], np.uint8)
    for i in range(len(rows)):
        if places is None:  # resolved at compile time
            source = images[rows[i]]
        else:
            place = (places[i, 0], places[i, 1], places[i, 2], places[i, 3])
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
    """Fill `out` with transformed rows of `images`.

    Args:
        images: contiguous array (…, height, width, channels).
        rows: indices of the rows.
        places: corners and flips of the crops, or None.
        normalize: transform that scales pixels.
        out: contiguous array (rows, height, width, channels), or with channels first.
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
