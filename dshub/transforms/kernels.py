"""The fused pass, compiled by numba."""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=False)
def _to_rows(pictures, rows, place, scale, bias, out):  # type: ignore[no-untyped-def]
    """(…, height, width, channels) to the same layout."""
    _, height, width, channels = pictures.shape
    _, down, right, _ = out.shape
    for i in range(len(rows)):
        picture = pictures[rows[i]]
        top, left, turned = place[i]
        for y in range(down):
            source = y + top
            for x in range(right):
                column = (right - 1 - x if turned else x) + left
                inside = 0 <= source < height and 0 <= column < width
                for c in range(channels):
                    value = picture[source, column, c] if inside else np.uint8(0)
                    out[i, y, x, c] = np.float32(value) * scale[c] + bias[c]


@numba.njit(cache=True, nogil=True, fastmath=False)
def _to_planes(pictures, rows, place, scale, bias, out):  # type: ignore[no-untyped-def]
    """(…, height, width, channels) to channels first."""
    _, height, width, channels = pictures.shape
    _, _, down, right = out.shape
    for i in range(len(rows)):
        picture = pictures[rows[i]]
        top, left, turned = place[i]
        for c in range(channels):
            for y in range(down):
                source = y + top
                for x in range(right):
                    column = (right - 1 - x if turned else x) + left
                    inside = 0 <= source < height and 0 <= column < width
                    value = picture[source, column, c] if inside else np.uint8(0)
                    out[i, c, y, x] = np.float32(value) * scale[c] + bias[c]


@numba.njit(cache=True, nogil=True, fastmath=False)
def _unmoved_rows(pictures, rows, scale, bias, out):  # type: ignore[no-untyped-def]
    """The same without moving: flat rows, `scale` and `bias` as long as one."""
    for i in range(len(rows)):
        source = pictures[rows[i]]
        for j in range(source.shape[0]):
            out[i, j] = np.float32(source[j]) * scale[j] + bias[j]


@numba.njit(cache=True, nogil=True, fastmath=False)
def _unmoved_planes(pictures, rows, scale, bias, out):  # type: ignore[no-untyped-def]
    """(…, pixels, channels) to (…, channels, pixels)."""
    _, pixels, channels = pictures.shape
    for i in range(len(rows)):
        source = pictures[rows[i]]
        for c in range(channels):
            for j in range(pixels):
                out[i, c, j] = np.float32(source[j, c]) * scale[c] + bias[c]


def run(  # noqa: PLR0913
    pictures: np.ndarray,
    rows: np.ndarray,
    place: np.ndarray,
    scale: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    planes: bool,
) -> None:
    """See `dshub.transforms.fused.Fused.run`; `place` is int64 (rows, 3)."""
    count, channels = len(pictures), pictures.shape[3]
    same = out.size == len(rows) * pictures[0].size if count else False
    if same and not place.any():
        pixels = pictures.shape[1] * pictures.shape[2]
        if planes:
            shaped = pictures.reshape(count, pixels, channels)
            _unmoved_planes(shaped, rows, scale, bias, out.reshape(len(rows), channels, pixels))
        else:
            wide = np.tile(scale, pixels), np.tile(bias, pixels)
            _unmoved_rows(
                pictures.reshape(count, -1), rows, *wide, out.reshape(len(rows), -1)
            )
    elif planes:
        _to_planes(pictures, rows, place, scale, bias, out)
    else:
        _to_rows(pictures, rows, place, scale, bias, out)
