"""Crop, resize, flip and scale an image in one pass that numba compiles.

The filter is Pillow's bilinear one: a triangle that is as wide as the scale, with factors of 22
bits for each output row and column, and 8-bit pixels between the two directions. Pillow 13 resizes
either rows or columns first, and so does this module, so that all pixels are equal. Older versions
of Pillow always start with the columns, so their pixels can differ by 1. Without antialiasing, the
direction that needs fewer steps comes first, and rows are mixed with factors of 8 bits.

Rows are resized one at a time, in memory that stays in the cache of a core. Channels are apart
until the end. Four pixels are loaded at once and shuffled to one integer for each channel, because
gathering single bytes is slow. Loops write to one array each, so that the compiler vectorizes them,
and most run over a multiple of `BLOCK` values, so that none is left over. They index arrays of two
dimensions, because creating a view counts references, which takes as long as 50 pixels.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BITS = 22  # of a factor; a sum of 8-bit pixels still fits into 32 bits
HALF = np.uint32(1 << (BITS - 1))  # rounds a sum
TAPS = 4  # pixels that are loaded at once
SLACK = 4 * TAPS  # bytes of a load
ORDER = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 13, 14, 15]  # channels of four pixels apart
PIXELS, WORDS = ir.VectorType(ir.IntType(8), SLACK), ir.VectorType(ir.IntType(32), TAPS)
BLOCK = 64  # values of an unrolled loop

_compiled: Any = numba.njit(cache=True, nogil=True, boundscheck=False)


def _shuffle(builder: Any, vectors: Any, order: list[int]) -> Any:
    """Emit an instruction that selects elements of two vectors."""
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(*vectors, lanes)


@intrinsic
def _turn(_typing_context, row, places, taps, to):
    """Load four pixels of three bytes at each of four places, and store their channels apart.

    `row` is a contiguous uint8 array, and `taps` a contiguous uint32 array. `to` has the index of
    four integers for each channel. The lowest byte of an integer is from the first pixel.
    """

    def generate(context, builder, signature, arguments):
        source, target = (
            context.make_array(signature.args[i])(context, builder, arguments[i]).data
            for i in (0, 2)
        )
        columns = []
        for place in cgutils.unpack_tuple(builder, arguments[1]):
            first = builder.bitcast(builder.gep(source, [place]), PIXELS.as_pointer())
            pixels = builder.load(first, align=1)
            columns.append(builder.bitcast(_shuffle(builder, (pixels, pixels), ORDER), WORDS))
        pairs = columns[:2], columns[2:]
        low = [_shuffle(builder, pair, [0, 4, 1, 5]) for pair in pairs]
        high = [_shuffle(builder, pair, [2, 6, 3, 7]) for pair in pairs]
        channels = [
            _shuffle(builder, low, [0, 1, 4, 5]),
            _shuffle(builder, low, [2, 3, 6, 7]),
            _shuffle(builder, high, [0, 1, 4, 5]),
        ]
        for channel, index in zip(
            channels, cgutils.unpack_tuple(builder, arguments[3]), strict=True
        ):
            first = builder.bitcast(builder.gep(target, [index]), WORDS.as_pointer())
            builder.store(channel, first, align=4)
        return context.get_dummy_value()

    return types.void(row, places, taps, to), generate


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
def _blocks(size):
    """Round a size up to whole blocks."""
    return (size + BLOCK - 1) // BLOCK * BLOCK


@_compiled
def _spread(columns, channels):
    """Return where the inputs of each column start, and factors for each value of a row.

    The channels of a row are apart, each at a multiple of `TAPS`.
    """
    starts, narrow, used = columns
    size, quads = len(starts), (used + TAPS - 1) // TAPS
    stride = (size + TAPS - 1) // TAPS * TAPS
    factors = np.zeros((quads * TAPS, _blocks(stride * channels)), np.uint32)
    for k in range(used):
        for c in range(channels):
            for j in range(size):
                factors[k, np.uint64(c * stride + j)] = narrow[k, j]
    places = np.zeros(stride, np.uint32)
    for j in range(size):
        places[j] = starts[j] * np.uint32(channels)
    return places, factors, used


@_compiled
def _gather_colors(row, starts, taps):
    """Load the inputs of each value of a row of three channels, as bytes of integers."""
    size = np.uint64(len(starts))
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for k in range(len(taps)):
        step = np.uint64(3 * TAPS * k)
        for j in range(0, len(starts), TAPS):
            x, to = np.uint64(j), np.uint64(k * taps.shape[1] + j)
            first, second = starts[x] + step, starts[x + one] + step
            third, fourth = starts[x + two] + step, starts[x + three] + step
            indices = to, to + size, to + two * size
            _turn(row, (first, second, third, fourth), taps, indices)


@_compiled
def _word(row, place):
    """Return four bytes as one integer."""
    word = np.uint32(0)
    for i in range(4):
        word |= np.uint32(row[place + np.uint64(i)]) << np.uint32(8 * i)
    return word


@_compiled
def _gather(row, starts, channels, taps):
    """Load the inputs of each value of a row, as bytes of integers."""
    if channels == 3:
        _gather_colors(row, starts, taps)
        return
    for k in range(len(taps)):
        for j in range(len(starts)):
            taps[k, j] = _word(row, np.uint64(starts[j]) + np.uint64(TAPS * k))


@_compiled
def _byte(word):
    """Return the lowest byte of an integer."""
    return word & np.uint32(255)


@_compiled
def _two(total, word, factors, k, j):
    """Add two inputs, the lower bytes of `word`, with the factors from `k` on to a total."""
    low, high = _byte(word), _byte(word >> np.uint32(8))
    return _add(total, low, high, factors[k, j], factors[k + 1, j])


@_compiled
def _four(total, word, factors, k, j):
    """Add four inputs with their factors to a total."""
    return _two(_two(total, word, factors, k, j), word >> np.uint32(16), factors, k + 2, j)


@_compiled
def _across(row, columns, channels, memory, target, first):
    """Resize a row of bytes to `target`, from index `first` on, with one part for each channel."""
    starts, factors, used = columns
    taps, totals = memory
    _gather(row, starts, channels, taps)
    size = factors.shape[1]
    if used == 2:
        for j in range(size):
            target[np.uint64(first + j)] = _level(_two(HALF, taps[0, j], factors, 0, j))
    elif used == 3:
        for j in range(size):
            total = _two(HALF, taps[0, j], factors, 0, j)
            third = _byte(taps[0, j] >> np.uint32(16))
            total = np.uint32(total + np.uint32(third * factors[2, j]))
            target[np.uint64(first + j)] = _level(total)
    elif used == 4:
        for j in range(size):
            target[np.uint64(first + j)] = _level(_four(HALF, taps[0, j], factors, 0, j))
    else:
        _start_totals(taps, factors, totals)
        last = len(taps) - 1
        for j in range(size):
            total = _four(totals[j], taps[last, j], factors, last * TAPS, j)
            target[np.uint64(first + j)] = _level(total)


@_compiled
def _start_totals(taps, factors, totals):
    """Sum all inputs but the last four."""
    size = len(totals)
    for j in range(size):
        totals[j] = HALF
    for k in range(len(taps) - 1):
        for j in range(size):
            totals[j] = _four(totals[j], taps[k, j], factors, k * TAPS, j)


@_compiled
def _scratch(columns):
    """Allocate the memory of `_across`: inputs and totals."""
    count, size = columns[1].shape
    return np.zeros((count // TAPS, size), np.uint32), np.empty(size, np.uint32)


@_compiled
def _interleave(line, stride, target):
    """Write the channels of each pixel next to each other."""
    for j in range(len(target) // 3):
        place = np.uint64(3 * j)
        target[place] = line[j]
        target[place + np.uint64(1)] = line[np.uint64(stride + j)]
        target[place + np.uint64(2)] = line[np.uint64(2 * stride + j)]


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
    size, count = len(target), len(source)
    y, z, v = start % count, (start + 1) % count, (start + 2) % count
    a, b, c = factors[0, i], factors[1, i], factors[2, i]
    if used == 2:
        for j in range(size):
            place = np.uint64(first + j)
            target[j] = _level(_add(HALF, source[y, place], source[z, place], a, b))
    elif used == 3:
        for j in range(size):
            place = np.uint64(first + j)
            total = _add(HALF, source[y, place], source[z, place], a, b)
            target[j] = _level(np.uint32(total + np.uint32(np.uint32(source[v, place]) * c)))
    elif used == 4:
        w, d = (start + 3) % count, factors[3, i]
        for j in range(size):
            place = np.uint64(first + j)
            total = _add(HALF, source[y, place], source[z, place], a, b)
            target[j] = _level(_add(total, source[v, place], source[w, place], c, d))
    else:
        _down_many(source, start, weights, first, totals, target)


@_compiled
def _down_many(source, start, weights, first, totals, target):
    """Combine five or more rows; see `_down`."""
    factors, i, used = weights
    size, count = len(target), len(source)
    for j in range(size):
        totals[j] = HALF
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
def _write(line, mixed, scaling, region, out, i):
    """Write row `i` of the result; `mixed` is memory for interleaving it.

    `region` is its width, the distance and the number of channels, and whether they come first.
    """
    size, stride, channels, planes = region
    if not planes and channels == 3:
        _interleave(line, stride, mixed)
        line = mixed
    parts = channels if planes else 1
    size, plane = size * channels // parts, len(out) // parts
    for c in range(parts):
        source, target = c * stride, c * plane + i * size
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
    first, size, across, channels = region
    antialias, upside_down, planes = flags
    (tops, factors, used), columns = tables
    down, stride = len(tops), len(columns[0])
    row = np.empty(size + SLACK * columns[2], np.uint8)
    memory, scratch = (np.empty(size, np.uint32), row[:size]), _scratch(columns)
    line, mixed = np.empty(columns[1].shape[1], np.uint8), np.empty(across * channels, np.uint8)
    for i in range(down):
        _combine(source, np.int64(tops[i]), (factors, i, used), first, memory, antialias)
        _across(row, columns, channels, scratch, line, 0)
        at = down - 1 - i if upside_down else i
        _write(line, mixed, scaling, (across, stride, channels, planes), out, at)


@_compiled
def _horizontal_first(source, region, tables, flags, scaling, out):
    """Resize source rows, and combine the latest ones to each row of the image."""
    first, size, across, channels = region
    antialias, upside_down, planes = flags
    (tops, factors, used), columns = tables
    down, stride = len(tops), len(columns[0])
    row = np.empty(size + SLACK * columns[2], np.uint8)
    line, mixed = np.empty(columns[1].shape[1], np.uint8), np.empty(across * channels, np.uint8)
    memory, scratch = (np.empty(len(line), np.uint32), line), _scratch(columns)
    latest = np.empty((used + 1, len(line)), np.uint8)
    flat, done = latest.reshape(-1), np.int64(0)
    for i in range(down):
        start = np.int64(tops[i])
        stop = min(start + used, len(source))
        for y in range(max(done, start), stop):
            for j in range(size):
                row[j] = source[y, np.uint64(first + j)]
            _across(row, columns, channels, scratch, flat, y % len(latest) * len(line))
        done = max(done, stop)
        _combine(latest, start, (factors, i, used), 0, memory, antialias)
        at = down - 1 - i if upside_down else i
        _write(line, mixed, scaling, (across, stride, channels, planes), out, at)


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
    lead = 2 * (width - across) if antialias else 0
    part, span = source[top:bottom], (left * channels, width * channels, across, channels)
    tables, others = (rows, _spread(columns, channels)), (antialias, upside_down, planes)
    if height > down and height - down > lead:
        _vertical_first(part, span, tables, others, scaling, out)
    else:
        _horizontal_first(part, span, tables, others, scaling, out)
