"""The fused pass, compiled by numba: gather, perhaps cut and turn, then multiply and add.

Pixels are uint8 (…, height, width, channels); `scale` and `bias` float32 (channels,); `place`
int64 (rows, 3): row and column of the part's corner, and whether it is turned left to right.
What lies outside of a picture is 0.
"""

from typing import Any

import numba
import numpy as np

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


@_compiled
def _line(source, first, turned, scale, bias, line):
    """One line of a part, of one channel, which begins at a column of `source` (width,)."""
    low, high = max(0, -first), min(len(line), len(source) - first)
    line[:low] = bias
    line[high:] = bias
    for x in range(low, high):
        line[x] = np.float32(source[x + first]) * scale + bias
    if turned:
        last = len(line) - 1
        for x in range(len(line) // 2):
            line[x], line[last - x] = line[last - x], line[x]


@_compiled
def _part(picture, place, scale, bias, out):
    """A part of one picture; `out` is (channels, height, width), with any strides."""
    height = len(picture)
    channels, down, _ = out.shape
    for y in range(down):
        source = y + place[0]
        for c in range(channels):
            if 0 <= source < height:
                _line(picture[source, :, c], place[1], place[2], scale[c], bias[c], out[c, y])
            else:
                out[c, y] = bias[c]


@_compiled
def _moved(pictures, rows, place, scale, bias, out):
    """Parts of pictures; `out` is (rows, channels, height, width), with any strides."""
    for i in range(len(rows)):
        _part(pictures[rows[i]], place[i], scale, bias, out[i])


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
    scaling: tuple[np.ndarray, np.ndarray],
    out: np.ndarray,
    *,
    planes: bool,
) -> None:
    """Fill `out`, (rows, height, width, channels), or with channels first where `planes`.

    Args:
        place: None where nothing moves.
        scaling: scale and bias.
    """
    _, height, width, channels = pictures.shape
    pixels, count, many = height * width, len(rows), len(pictures)
    flat = pictures.reshape(many, -1)
    if place is None and (not planes or channels == 1):
        wide = [np.tile(values, pixels) for values in scaling]
        _rows(flat, rows, *wide, out.reshape(count, -1))
    elif place is None and channels == 3:
        _three_planes(flat, rows, *scaling, out.reshape(count, 3, pixels))
    else:
        still = np.zeros((count, 3), np.int64) if place is None else place
        _moved(pictures, rows, still, *scaling, out if planes else np.moveaxis(out, 3, 1))
