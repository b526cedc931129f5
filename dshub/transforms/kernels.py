"""The fused pass, compiled by numba: gather, perhaps cut and turn, then multiply and add.

Pixels are uint8 (…, height, width, channels); `scale` and `bias` float32 (channels,); `place`
int64 (rows, 3): row and column of the part's corner, and whether it is turned left to right.
What lies outside of a picture is 0.
"""

from typing import Any

import numba
import numpy as np

from dshub.transforms.colors import Scale, scales, scales_of_values

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


@_compiled
def _line(source, first, turned, scale, bias, line):
    """One line of a part, of one channel, which begins at a column of `source` (width,)."""
    width = len(line)
    low, high = max(0, -first), min(width, len(source) - first)
    if low > 0 or high < width:
        line[:] = bias
    if turned:
        for x in range(low, high):
            line[width - 1 - x] = np.float32(source[x + first]) * scale + bias
    else:
        for x in range(low, high):
            line[x] = np.float32(source[x + first]) * scale + bias


@_compiled
def _plane(plane, place, scale, bias, out):
    """A part of one channel of a picture, (height, width) each, with any strides."""
    height = len(plane)
    for y in range(len(out)):
        source = y + place[0]
        if 0 <= source < height:
            _line(plane[source], place[1], place[2], scale, bias, out[y])
        else:
            out[y] = bias


@_compiled
def _moved(pictures, rows, place, scale, bias, out):
    """Parts of pictures; `out` is (rows, channels, height, width), with any strides."""
    for i in range(len(rows)):
        picture = pictures[rows[i]]
        for c in range(len(scale)):
            _plane(picture[:, :, c], place[i], scale[c], bias[c], out[i, c])


@_compiled
def _three_lines(source, target, span, scale, bias):
    """One line of a part, its three channels into their planes.

    Slices cost more than what is done with them here, so whole rows come with places in them:
    `span` is where the line begins in `source`, where in `target`, how long it is, and how many
    values a plane has.
    """
    at, to, length, plane = span
    for x in range(length):
        target[to + x] = np.float32(source[at + 3 * x]) * scale[0] + bias[0]
        target[to + plane + x] = np.float32(source[at + 3 * x + 1]) * scale[1] + bias[1]
        target[to + 2 * plane + x] = np.float32(source[at + 3 * x + 2]) * scale[2] + bias[2]


@_compiled
def _three_turned(source, target, span, scale, bias):
    """The same from right to left; the line ends where `span` says that it begins."""
    at, to, length, plane = span
    for x in range(length):
        target[to - x] = np.float32(source[at + 3 * x]) * scale[0] + bias[0]
        target[to + plane - x] = np.float32(source[at + 3 * x + 1]) * scale[1] + bias[1]
        target[to + 2 * plane - x] = np.float32(source[at + 3 * x + 2]) * scale[2] + bias[2]


@_compiled
def _three_moved(pictures, rows, place, scaling, sizes, out):
    """Parts of pictures (…, height * width * 3), to (rows, 3 * down * right)."""
    scale, bias = scaling
    height, width, down, right = sizes
    plane = down * right
    for i in range(len(rows)):
        top, left, turned = place[i, 0], place[i, 1], place[i, 2]
        low, high = max(0, -left), min(right, width - left)
        if low > 0 or high < right or top < 0 or top + down > height:
            for c in range(3):
                out[i, c * plane : (c + 1) * plane] = bias[c]
        source, target = pictures[rows[i]], out[i]
        for y in range(max(0, -top), min(down, height - top)):
            at = ((y + top) * width + low + left) * 3
            if turned:
                to = y * right + right - 1 - low
                _three_turned(source, target, (at, to, high - low, plane), scale, bias)
            else:
                _three_lines(source, target, (at, y * right + low, high - low, plane), scale, bias)


@_compiled
def _scaled(source, target, span, scale, bias):
    """A run of values; `span` is where it begins in `source`, where in `target`, and its length."""
    at, to, length = span
    for j in range(length):
        target[to + j] = np.float32(source[at + j]) * scale[j] + bias[j]


@_compiled
def _turned(source, first, pixels, channels, line):
    """Fill `line` with pixels of `source` from right to left; `first` is its leftmost value."""
    for x in range(pixels):
        at = first + (pixels - 1 - x) * channels
        for c in range(channels):
            line[x * channels + c] = source[at + c]


@_compiled
def _lines_moved(pictures, rows, place, scaling, sizes, out):
    """Parts of pictures (…, height * width * channels), to (rows, down * right * channels).

    `scaling` is as long as a line. Turned lines are turned as bytes first, because the compiler
    makes long steps of plain runs only.
    """
    scale, bias = scaling
    height, width, down, right, channels = sizes
    line = np.empty(right * channels, np.uint8)
    for i in range(len(rows)):
        top, left, turned = place[i, 0], place[i, 1], place[i, 2]
        low, high = max(0, -left), min(right, width - left)
        source, target = pictures[rows[i]], out[i]
        if low > 0 or high < right or top < 0 or top + down > height:
            for j in range(len(target)):
                target[j] = bias[j % len(bias)]
        length = (high - low) * channels
        for y in range(max(0, -top), min(down, height - top)):
            at = ((y + top) * width + low + left) * channels
            if turned:
                _turned(source, at, high - low, channels, line)
                _scaled(
                    line, target, (0, (y * right + right - high) * channels, length), scale, bias
                )
            else:
                _scaled(source, target, (at, (y * right + low) * channels, length), scale, bias)


@_compiled
def _rows(pictures, rows, scale, bias, out):
    """(…, values) to (rows, values); `scale` and `bias` as long as a row."""
    for i in range(len(rows)):
        source, target = pictures[rows[i]], out[i]
        for j in range(len(source)):
            target[j] = np.float32(source[j]) * scale[j] + bias[j]


@_compiled
def _three_planes(pictures, rows, scale, bias, out):
    """(…, pixels * 3) to (rows, 3, pixels)."""
    pixels = out.shape[2]
    for i in range(len(rows)):
        source = pictures[rows[i]]
        red, green, blue = out[i, 0], out[i, 1], out[i, 2]
        for j in range(pixels):
            red[j] = np.float32(source[3 * j]) * scale[0] + bias[0]
            green[j] = np.float32(source[3 * j + 1]) * scale[1] + bias[1]
            blue[j] = np.float32(source[3 * j + 2]) * scale[2] + bias[2]


def run(  # one value for each thing that the pass reads
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
        place: None where nothing moves.
        scale: what is multiplied with and added.
    """
    _, height, width, channels = pictures.shape
    pixels, count, many = height * width, len(rows), len(pictures)
    flat, flat_out = pictures.reshape(many, -1), out.reshape(count, -1)
    lines = not planes or channels == 1
    down, right = out.shape[1:3] if not planes else out.shape[2:]
    scaling = scales(scale, channels)
    if place is None and lines:
        _rows(flat, rows, *scales_of_values(scale, channels, pixels, planes=False), flat_out)
    elif place is None and channels == 3:
        _three_planes(flat, rows, *scaling, out.reshape(count, 3, pixels))
    elif place is not None and lines:
        line = scales_of_values(scale, channels, right, planes=False)
        sizes = height, width, down, right, channels
        _lines_moved(flat, rows, place, line, sizes, flat_out)
    elif place is not None and channels == 3:
        _three_moved(flat, rows, place, scaling, (height, width, down, right), flat_out)
    else:
        still = np.zeros((count, 3), np.int64) if place is None else place
        _moved(pictures, rows, still, *scaling, out)
