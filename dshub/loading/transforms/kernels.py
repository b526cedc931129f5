"""The fused pass, compiled by numba: gather, perhaps cut and turn, then multiply and add.

Pixels are uint8 (…, height * width * channels); `place` int64 (rows, 3): row and column of the
part's corner, and whether it is turned left to right. What lies outside of a picture is 0.

Parts are cut and turned as bytes first, in memory that stays in the core's own cache: so what
multiplies is one plain run over whole pictures, of which the compiler makes long steps. Constant
numbers of channels are for the same reason.
"""

from typing import Any

import numba
import numpy as np

from dshub.loading.transforms.colors import Scale, scales, scales_of_values

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


@_compiled
def _scaled(source, scale, bias, target):
    """A picture, with a scale and a bias for each value."""
    for j in range(len(target)):
        target[j] = np.float32(source[j]) * scale[j] + bias[j]


@_compiled
def _scaled_planes(source, scale, bias, target):
    """A picture whose channels become planes, with a scale and a bias for each channel."""
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
def _turned(source, last, part, to, span):
    """Pixels from the one at `last` to the left; `span` says how many, of how many channels."""
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
def _cut(source, place, sizes, part):
    """A part of a picture, turned where its place says so, into `part`."""
    height, width, down, right, channels = sizes
    top, left, turned = place
    low, high = max(0, -left), min(right, width - left)
    if low > 0 or high < right or top < 0 or top + down > height:
        part[:] = 0
    for y in range(max(0, -top), min(down, height - top)):
        at = ((y + top) * width + low + left) * channels
        length = (high - low) * channels
        if turned:
            to = (y + 1) * right * channels - high * channels
            last = at + length - channels
            _turned(source, last, part, to, (high - low, channels))
        else:
            to = (y * right + low) * channels
            part[to : to + length] = source[at : at + length]


@_compiled
def _whole(pictures, rows, scale, bias, out):
    """Whole pictures; they become planes where `scale` is shorter than they are."""
    lines = len(scale) == out.shape[1]
    for i in range(len(rows)):
        if lines:
            _scaled(pictures[rows[i]], scale, bias, out[i])
        else:
            _scaled_planes(pictures[rows[i]], scale, bias, out[i])


@_compiled
def _parts(pictures, rows, place, sizes, scaling, out):
    """The same of parts of pictures."""
    scale, bias = scaling
    lines = len(scale) == out.shape[1]
    part = np.empty(out.shape[1], np.uint8)
    for i in range(len(rows)):
        _cut(pictures[rows[i]], (place[i, 0], place[i, 1], place[i, 2]), sizes, part)
        if lines:
            _scaled(part, scale, bias, out[i])
        else:
            _scaled_planes(part, scale, bias, out[i])


def run(
    pictures: np.ndarray,
    rows: np.ndarray,
    place: np.ndarray | None,
    scale: Scale,
    out: np.ndarray,
    *,
    planes: bool,
) -> None:
    """Fill `out`, (rows, height, width, channels), or with channels first where `planes`.

    Args:
        pictures: (…, height, width, channels).
        place: None where nothing moves.
        scale: what is multiplied with and added.
    """
    _, height, width, channels = pictures.shape
    flat, target = pictures.reshape(len(pictures), -1), out.reshape(len(out), -1)
    down, right = out.shape[2:] if planes else out.shape[1:3]
    if planes and channels > 1:
        scaling = scales(scale, channels)
    else:
        scaling = scales_of_values(scale, channels, down * right, planes=False)
    if place is None:
        _whole(flat, rows, *scaling, target)
    else:
        _parts(flat, rows, place, (height, width, down, right, channels), scaling, target)
