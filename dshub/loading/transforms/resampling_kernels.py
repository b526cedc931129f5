"""Crop, resize, flip and scale an image in one pass that numba compiles.

The filter is Pillow's bilinear one: a triangle that is as wide as the scale, with factors of 22
bits for each output row and column, and 8-bit pixels between the two directions. Pillow 13 resizes
either rows or columns first, and so does this module, so that all pixels are equal. Older versions
of Pillow always start with the columns, so their pixels can differ by 1.

A pixel of three channels is packed into one integer, because gathering single bytes is slow. Loops
write to one array each, so that the compiler vectorizes them.
"""

from typing import Any

import numba
import numpy as np

BITS = 22  # of a factor; a sum of 8-bit pixels still fits into 32 bits

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)
_inlined: Any = numba.njit(cache=True, nogil=True, boundscheck=False, inline="always")


@_compiled
def _factors(length, span, size, antialias, flip):
    """Return the first input and the factors of each output, and the largest number of factors.

    `length` is the number of inputs, and `span` the start and the end of the part to resize.
    """
    first, last = np.float32(span[0]), np.float32(span[1])
    scale = np.float64(last - first) / size
    width = max(scale, 1.0) if antialias else 1.0
    limit = int(np.ceil(width)) * 2 + 1
    starts = np.zeros(size, np.uint32)
    factors = np.zeros((limit, size), np.uint32)
    weights = np.empty(limit, np.float64)
    used = 1
    for i in range(size):
        center = first + (i + 0.5) * scale
        start = max(0, int(center - width + 0.5))
        count = min(length, int(center + width + 0.5)) - start
        total = 0.0
        for k in range(count):
            weights[k] = max(0.0, 1.0 - abs((k + start - center + 0.5) * (1.0 / width)))
            total += weights[k]
        place = size - 1 - i if flip else i
        starts[place] = start
        for k in range(count):
            factors[k, place] = np.uint32(0.5 + weights[k] / total * (1 << BITS))
            if factors[k, place] and k >= used:
                used = k + 1
    return starts, factors, used


@_compiled
def _pack(row, channels, packed):
    """Pack the channels of each pixel of a row into one integer."""
    if channels == 1:
        for x in range(len(packed)):
            packed[x] = np.uint32(row[x])
    else:
        for x in range(len(packed)):
            packed[x] = (
                np.uint32(row[3 * x])
                | (np.uint32(row[3 * x + 1]) << np.uint32(8))
                | (np.uint32(row[3 * x + 2]) << np.uint32(16))
            )


@_inlined
def _sum_two(taps, factors, shift, part):
    """Sum two taps of one channel."""
    first, second = taps[0], taps[1]
    a, b = factors[0], factors[1]
    byte = np.uint32(255)
    for j in range(len(part)):
        part[j] = np.uint32(
            np.uint32(1 << (BITS - 1))
            + np.uint32(((first[j] >> shift) & byte) * a[j])
            + np.uint32(((second[j] >> shift) & byte) * b[j])
        )


@_inlined
def _sum_three(taps, factors, shift, part):
    """Sum three taps of one channel."""
    first, second, third = taps[0], taps[1], taps[2]
    a, b, c = factors[0], factors[1], factors[2]
    byte = np.uint32(255)
    for j in range(len(part)):
        part[j] = np.uint32(
            np.uint32(1 << (BITS - 1))
            + np.uint32(((first[j] >> shift) & byte) * a[j])
            + np.uint32(((second[j] >> shift) & byte) * b[j])
            + np.uint32(((third[j] >> shift) & byte) * c[j])
        )


@_inlined
def _add(tap, factor, shift, part):
    """Add a tap of one channel."""
    for j in range(len(part)):
        part[j] = np.uint32(part[j] + np.uint32(((tap[j] >> shift) & np.uint32(255)) * factor[j]))


@_inlined
def _sum(taps, factors, used, shift, part):
    """Sum the taps of one channel."""
    if used <= 2:
        _sum_two(taps, factors, shift, part)
    else:
        _sum_three(taps, factors, shift, part)
        for k in range(3, used):
            _add(taps[k], factors[k], shift, part)


@_compiled
def _across(packed, columns, channels, taps, sums):
    """Sum the columns of a packed row; `sums` has one part for each channel."""
    starts, factors, used = columns
    size = len(starts)
    for k in range(used):
        tap = taps[k]
        for j in range(size):
            tap[j] = packed[np.uint64(starts[j]) + np.uint64(k)]
    _sum(taps, factors, used, np.uint32(0), sums[:size])
    if channels == 3:
        _sum(taps, factors, used, np.uint32(8), sums[size : 2 * size])
        _sum(taps, factors, used, np.uint32(16), sums[2 * size :])


@_compiled
def _down(rows, start, factors, used, columns, sums):
    """Sum rows of bytes; `columns` is the first and the last byte."""
    first, last = columns
    sums[:] = np.uint32(1 << (BITS - 1))
    for k in range(used):
        factor = factors[k]
        if factor:
            row = rows[start + k, first:last]
            for j in range(len(sums)):
                sums[j] = np.uint32(sums[j] + np.uint32(np.uint32(row[j]) * factor))


@_compiled
def _write_part(part, scale, bias, target):
    """Write one channel of a row, scaled unless `scale` is None."""
    bits = np.uint32(BITS)
    if scale is None:  # resolved at compile time
        for j in range(len(target)):
            target[j] = np.uint8(part[j] >> bits)
    else:
        for j in range(len(target)):
            target[j] = np.float32(part[j] >> bits) * scale + bias


@_compiled
def _write_pixels(sums, scale, bias, target):
    """Write a row of pixels with three channels; one loop lets the compiler interleave them."""
    size = len(target) // 3
    bits = np.uint32(BITS)
    red, green, blue = sums[:size], sums[size : 2 * size], sums[2 * size :]
    if scale is None:
        for j in range(size):
            target[3 * j] = np.uint8(red[j] >> bits)
            target[3 * j + 1] = np.uint8(green[j] >> bits)
            target[3 * j + 2] = np.uint8(blue[j] >> bits)
    else:
        factor = (scale[0], scale[1], scale[2])
        added = (bias[0], bias[1], bias[2])
        for j in range(size):
            target[3 * j] = np.float32(red[j] >> bits) * factor[0] + added[0]
            target[3 * j + 1] = np.float32(green[j] >> bits) * factor[1] + added[1]
            target[3 * j + 2] = np.float32(blue[j] >> bits) * factor[2] + added[2]


@_compiled
def _write(sums, channels, scaling, out, i, planes):
    """Write row `i` of the result."""
    size = len(sums) // channels
    if channels == 3 and not planes:
        target = out[i * len(sums) : (i + 1) * len(sums)]
        if scaling is None:  # resolved at compile time
            _write_pixels(sums, None, None, target)
        else:
            _write_pixels(sums, scaling[0], scaling[1], target)
        return
    for c in range(channels):
        start = c * (len(out) // channels) + i * size
        target, part = out[start : start + size], sums[c * size : (c + 1) * size]
        if scaling is None:
            _write_part(part, None, None, target)
        else:
            _write_part(part, scaling[0][c], scaling[1][c], target)


@_compiled
def resample(source, channels, window, flags, scaling, out):
    """Fill `out` with a part of an image.

    `source` is uint8 (height, width * channels). `window` has the region and the box, each (top,
    left, bottom, right), with the box relative to the region, and the size of the result. `flags`
    are whether to smooth, flip and write channels first. `scaling` has a factor and bias for each
    channel, or is None for a result of bytes.
    """
    region, box, size = window
    top, left, bottom, right = region
    antialias, flip, planes = flags
    height, width = bottom - top, right - left
    down, across = size
    rows = _factors(height, (box[0], box[2]), down, antialias, False)  # noqa: FBT003  # compiled
    columns = _factors(width, (box[1], box[3]), across, antialias, flip)
    packed = np.zeros(width + columns[2], np.uint32)
    taps = np.zeros((max(2, columns[2]), across), np.uint32)
    sums = np.empty(across * channels, np.uint32)
    bits = np.uint32(BITS)
    span = (left * channels, right * channels)
    if not antialias or (height > down and height - down > 2 * (width - across)):
        wide = np.empty(width * channels, np.uint32)
        row = np.empty(width * channels, np.uint8)
        for i in range(down):
            _down(source, top + rows[0][i], rows[1][:, i], rows[2], span, wide)
            for j in range(len(row)):
                row[j] = np.uint8(wide[j] >> bits)
            _pack(row, channels, packed[:width])
            _across(packed, columns, channels, taps, sums)
            _write(sums, channels, scaling, out, i, planes)
        return
    narrow = np.empty((height, across * channels), np.uint8)
    for y in range(height):
        _pack(source[top + y, span[0] : span[1]], channels, packed[:width])
        _across(packed, columns, channels, taps, sums)
        row = narrow[y]
        for j in range(len(row)):
            row[j] = np.uint8(sums[j] >> bits)
    for i in range(down):
        _down(narrow, rows[0][i], rows[1][:, i], rows[2], (0, across * channels), sums)
        _write(sums, channels, scaling, out, i, planes)
