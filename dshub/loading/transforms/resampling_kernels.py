"""Crop, resize, flip and scale an image in one pass that numba compiles.

The filter is Pillow's bilinear one: a triangle that is as wide as the scale, with factors of 22
bits for each output row and column, and 8-bit pixels between the two directions. Pillow 13 resizes
either rows or columns first, and so does this module, so that all pixels are equal. Older versions
of Pillow always start with the columns, so their pixels can differ by 1. Without antialiasing, the
direction that needs fewer steps comes first, and rows are mixed with factors of 8 bits.

Rows are resized one at a time, in memory that stays in the cache of a core. Two
pixels are loaded as one integer, because gathering single bytes is slow. Loops write to one array
each, so that the compiler vectorizes them. They index arrays of two dimensions, because creating a
view counts references, which takes as long as 50 pixels.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

BITS = 22  # of a factor; a sum of 8-bit pixels still fits into 32 bits
HALF = 1 << (BITS - 1)  # rounds a sum
WORD = 8  # bytes that are loaded at once
SHIFTS = np.array([0, 8, 16], np.uint32)  # of the channels of a pixel

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


@intrinsic
def _word(_typing_context, values, place):
    """Return eight bytes of `values`, a contiguous uint8 array, as one integer.

    The first byte, at index `place`, is the lowest. It needs no alignment.
    """

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        first = builder.gep(array.data, [arguments[1]])
        return builder.load(builder.bitcast(first, ir.IntType(64).as_pointer()), align=1)

    return numba.uint64(values, place), generate


@_compiled
def _factors(length, span, size, antialias, flip):
    """Return the first input and the factors of each output, and the largest number of factors.

    `length` is the number of inputs, and `span` the start and the end of the part to resize.
    """
    first, last = np.float32(span[0]), np.float32(span[1])
    scale = np.float64(last - first) / size
    width = max(scale, 1.0) if antialias else 1.0
    limit = int(np.ceil(width)) * 2 + 2
    starts = np.zeros(size, np.uint32)
    factors = np.zeros((limit, size), np.uint32)
    weights = np.empty(limit, np.float64)
    used = 2
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
def _add(total, x, y, a, b):
    """Add two inputs with their factors to a total."""
    total = np.uint32(total + np.uint32(np.uint32(x) * a))
    return np.uint32(total + np.uint32(np.uint32(y) * b))


@_compiled
def _level(total):
    """Return a total as a level; it includes `HALF` for rounding."""
    return np.uint8(total >> np.uint32(BITS))


@_compiled
def _byte(word, shift):
    """Return a byte; the mask of `shift` proves to the compiler that 32 bits suffice."""
    return (word >> (shift & np.uint32(31))) & np.uint32(255)


@_compiled
def _gather(row, columns, channels, scratch):
    """Load the pixels of each output column, one in each half of an integer.

    If there are three pixels, the third ones come last, next to each other.
    """
    starts, _, used = columns
    words, taps, _, _ = scratch
    low, high = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFF00000000)
    up = np.uint64(32 - 8 * channels)
    for k in range(1 if used == 3 else len(words)):
        step = np.uint64(2 * k * channels)
        for j in range(len(starts)):
            word = _word(row, np.uint64(starts[j]) + step)
            words[k, j] = (word & low) | ((word << up) & high)
    if used == 3:
        step = np.uint64(2 * channels)
        for j in range(len(starts)):
            taps[1, j] = np.uint32(_word(row, np.uint64(starts[j]) + step))


@_compiled
def _pair(total, taps, factors, k, j, shift):
    """Add two inputs of column `j` with their factors to a total."""
    x, y = _byte(taps[k, 2 * j], shift), _byte(taps[k, 2 * j + 1], shift)
    return _add(total, x, y, factors[2 * k, j], factors[2 * k + 1, j])


@_compiled
def _plane(scratch, columns, shift, target, first):
    """Write one channel of a row to `target`, from index `first` on."""
    _, factors, used = columns
    _, taps, totals, _ = scratch
    half, size = np.uint32(HALF), factors.shape[1]
    if used == 2:
        for j in range(size):
            target[np.uint64(first + j)] = _level(_pair(half, taps, factors, 0, j, shift))
    elif used == 3:
        for j in range(size):
            total = _pair(half, taps, factors, 0, j, shift)
            value = np.uint32(_byte(taps[1, j], shift) * factors[2, j])
            target[np.uint64(first + j)] = _level(np.uint32(total + value))
    else:
        _start_totals(taps, factors, shift, totals)
        for j in range(size):
            total = _pair(totals[j], taps, factors, 1, j, shift)
            target[np.uint64(first + j)] = _level(total)


@_compiled
def _start_totals(taps, factors, shift, totals):
    """Sum all pairs of inputs but the second."""
    for j in range(factors.shape[1]):
        totals[j] = _pair(np.uint32(HALF), taps, factors, 0, j, shift)
    for k in range(2, len(taps)):
        for j in range(factors.shape[1]):
            totals[j] = _pair(totals[j], taps, factors, k, j, shift)


@_compiled
def _interleave(line, target, first):
    """Write the channels of each pixel next to each other."""
    size = len(line) // 3
    for j in range(size):
        place = np.uint64(first + 3 * j)
        target[place] = line[j]
        target[place + np.uint64(1)] = line[np.uint64(size + j)]
        target[place + np.uint64(2)] = line[np.uint64(2 * size + j)]


@_compiled
def _across(row, columns, planes, scratch, target, first):
    """Resize a row of bytes to `target`, with one part for each channel if `planes` is set."""
    size, line = len(columns[0]), scratch[3]
    channels = len(line) // size
    _gather(row, columns, channels, scratch)
    apart = planes or channels == 1
    parts, start = (target, first) if apart else (line, 0)
    for c in range(channels):
        _plane(scratch, columns, SHIFTS[c], parts, start + c * size)
    if not apart:
        _interleave(line, target, first)


@_compiled
def _scratch(columns, channels):
    """Allocate the memory of `_across`: words, their halves, totals and a line."""
    size, used = len(columns[0]), columns[2]
    words = np.empty(((used + 1) // 2, size), np.uint64)
    totals, line = np.empty(size, np.uint32), np.empty(size * channels, np.uint8)
    return words, words.view(np.uint32), totals, line


@_compiled
def _mix(source, start, first, share, target):
    """Mix two rows from `start` on; `share` is that of the second row, from 0 to 256."""
    upper, lower = start % len(source), (start + 1) % len(source)
    for j in range(len(target)):
        place = np.uint64(first + j)
        x = np.uint16(source[upper, place])
        change = np.uint16(np.uint16(np.uint16(source[lower, place]) - x) * share)
        total = np.uint16(np.uint16(np.uint16(x << np.uint16(8)) + np.uint16(128)) + change)
        target[j] = np.uint8(total >> np.uint16(8))


@_compiled
def _down(source, start, weights, first, totals, target):
    """Combine rows from `start` on to one row; `weights` are the factors, a column and a number."""
    factors, i, used = weights
    half, size, count = np.uint32(HALF), len(target), len(source)
    y, z, v = start % count, (start + 1) % count, (start + 2) % count
    a, b, c = factors[0, i], factors[1, i], factors[2, i]
    if used == 2:
        for j in range(size):
            place = np.uint64(first + j)
            target[j] = _level(_add(half, source[y, place], source[z, place], a, b))
    elif used == 3:
        for j in range(size):
            place = np.uint64(first + j)
            total = _add(half, source[y, place], source[z, place], a, b)
            target[j] = _level(np.uint32(total + np.uint32(np.uint32(source[v, place]) * c)))
    else:
        _down_many(source, start, weights, first, totals, target)


@_compiled
def _down_many(source, start, weights, first, totals, target):
    """Combine four or more rows; see `_down`."""
    factors, i, used = weights
    size, count = len(target), len(source)
    for j in range(size):
        totals[j] = np.uint32(HALF)
    for k in range(0, used, 2):
        y, z, a, b = (start + k) % count, (start + k + 1) % count, factors[k, i], factors[k + 1, i]
        for j in range(size):
            place = np.uint64(first + j)
            totals[j] = _add(totals[j], source[y, place], source[z, place], a, b)
    for j in range(size):
        target[j] = _level(totals[j])


@_compiled
def _combine(source, start, weights, first, memory, antialias):
    """Combine rows from `start` on, and bytes from `first` on, to one row.

    `weights` are as in `_down`, and `memory` is for totals and the result.
    """
    totals, target = memory
    if antialias:
        _down(source, start, weights, first, totals, target)
    else:
        factor = weights[0][1, weights[1]]
        share = np.uint16((factor + np.uint32(1 << (BITS - 9))) >> np.uint32(BITS - 8))
        _mix(source, start, first, share, target)


@_compiled
def _write(line, scaling, parts, out, i):
    """Write row `i` of the result, which has the channels in this number of parts."""
    size, plane = len(line) // parts, len(out) // parts
    for c in range(parts):
        source, target = c * size, c * plane + i * size
        if scaling is None:  # resolved at compile time
            for j in range(size):
                out[np.uint64(target + j)] = line[np.uint64(source + j)]
        elif parts > 1:
            scale, bias = scaling[0][c], scaling[1][c]
            for j in range(size):
                level = np.float32(line[np.uint64(source + j)])
                out[np.uint64(target + j)] = level * scale + bias
        else:
            scales, biases = scaling
            for j in range(size):
                out[np.uint64(target + j)] = np.float32(line[j]) * scales[j] + biases[j]


@_compiled
def _vertical_first(source, region, tables, flags, scaling, out):
    """Combine source rows, and resize each result to a row of the image."""
    first, size, channels = region
    antialias, upside_down, planes = flags
    (tops, factors, used), columns = tables
    down, parts = len(tops), channels if planes else 1
    row = np.empty(size + WORD * columns[2], np.uint8)
    memory, scratch = (np.empty(size, np.uint32), row[:size]), _scratch(columns, channels)
    line = np.empty(len(columns[0]) * channels, np.uint8)
    for i in range(down):
        _combine(source, np.int64(tops[i]), (factors, i, used), first, memory, antialias)
        _across(row, columns, planes, scratch, line, 0)
        _write(line, scaling, parts, out, down - 1 - i if upside_down else i)


@_compiled
def _horizontal_first(source, region, tables, flags, scaling, out):
    """Resize source rows, and combine the latest ones to each row of the image."""
    first, size, channels = region
    antialias, upside_down, planes = flags
    (tops, factors, used), columns = tables
    down, parts = len(tops), channels if planes else 1
    row = np.empty(size + WORD * columns[2], np.uint8)
    line = np.empty(len(columns[0]) * channels, np.uint8)
    memory, scratch = (np.empty(len(line), np.uint32), line), _scratch(columns, channels)
    latest = np.empty((used + 1, len(line)), np.uint8)
    flat, done = latest.reshape(-1), np.int64(0)
    for i in range(down):
        start = np.int64(tops[i])
        stop = min(start + used, len(source))
        for y in range(max(done, start), stop):
            for j in range(size):
                row[j] = source[y, np.uint64(first + j)]
            _across(row, columns, planes, scratch, flat, y % len(latest) * len(line))
        done = max(done, stop)
        _combine(latest, start, (factors, i, used), 0, memory, antialias)
        _write(line, scaling, parts, out, down - 1 - i if upside_down else i)


@_compiled
def resample(source, channels, window, flags, scaling, out):
    """Fill `out` with a part of an image.

    `source` is uint8 (height, width * channels). `window` has the region and the box, each (top,
    left, bottom, right), with the box relative to the region, and the size of the result. `flags`
    are whether to smooth, flip horizontally, flip vertically, and write channels first. `scaling`
    has factors and biases, for each channel if channels come first, or else for each value of a
    row. It is None for a result of bytes.
    """
    region, box, (down, across) = window
    top, left, bottom, right = region
    antialias, flip, upside_down, planes = flags
    height, width = bottom - top, right - left
    rows = _factors(height, (box[0], box[2]), down, antialias, False)  # noqa: FBT003  # compiled
    columns = _factors(width, (box[1], box[3]), across, antialias, flip)
    for j in range(across):
        columns[0][j] *= np.uint32(channels)
    lead = 2 * (width - across) if antialias else 0
    part, span = source[top:bottom], (left * channels, width * channels, channels)
    tables, others = (rows, columns), (antialias, upside_down, planes)
    if height > down and height - down > lead:
        _vertical_first(part, span, tables, others, scaling, out)
    else:
        _horizontal_first(part, span, tables, others, scaling, out)
