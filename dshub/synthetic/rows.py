"""Made-up rows that depend on their class.

All randomness is raw bits of NumPy's Philox generator, which releases keep; its distributions,
which they may change, are not used.
"""

import hashlib
from collections.abc import Mapping
from typing import assert_never

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont

from dshub.manifest import Feature, ImageFeature, LabelFeature, NumberFeature, TextFeature

GRID = 5  # a class's background is this many random patches each way, blended
SHIFT = 3  # pixels that a picture may lie off centre


def make(
    features: Mapping[str, Feature], all_features: Mapping[str, Feature], rows: int, seed: int
) -> pa.RecordBatch:
    """Rows in the form that upstream's files hold them, as a reader's `write` takes them.

    Args:
        features: the columns to make.
        all_features: those of the whole dataset; a hidden label still decides the rest.
        rows: how many.
        seed: another seed, other rows of the same classes.
    """
    names = next((f.names for f in all_features.values() if isinstance(f, LabelFeature)), ("",))
    classes = _classes(rows, len(names), seed)
    columns = {
        name: _column(feature, names, classes, bits(rows, seed, name))
        for name, feature in features.items()
    }
    return pa.RecordBatch.from_pydict(columns)


def bits(count: int, seed: int, *words: str) -> np.ndarray:
    """`count` random uint64 that belong to a seed and some words."""
    key = int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")
    generator = np.random.Philox(key=np.array([seed, key], np.uint64))
    raw: np.ndarray = generator.random_raw(count)
    return raw


def _classes(rows: int, count: int, seed: int) -> np.ndarray:
    """Every class as often as every other (give or take one), in random order."""
    return np.argsort(bits(rows, seed, "order"), kind="stable") % count


def _column(
    feature: Feature, names: tuple[str, ...], classes: np.ndarray, random: np.ndarray
) -> pa.Array:
    match feature:
        case ImageFeature():
            return _nested(_pictures(feature, names, classes, random))
        case LabelFeature():
            small = feature.first + len(feature.names) <= 256
            found = classes % len(feature.names) + feature.first
            return pa.array(found.astype(np.uint8 if small else np.int32))
        case NumberFeature():
            near = (classes[:, None] * 8 + _spread(random, feature.shape) % 8) % 128
            return _nested(near.astype(feature.dtype).reshape(len(classes), *feature.shape))
        case TextFeature():
            return pa.array(
                [_sentence(int(c), int(r)) for c, r in zip(classes, random, strict=True)]
            )
        case _:
            assert_never(feature)


def _spread(random: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(rows, values in a row) of random words from one word a row."""
    steps = np.arange(1, int(np.prod(shape, dtype=int)) + 1, dtype=np.uint64)
    spread: np.ndarray = (random[:, None] * (2 * steps + np.uint64(1))) >> np.uint64(40)
    return spread.astype(np.int64)


def _pictures(
    feature: ImageFeature, names: tuple[str, ...], classes: np.ndarray, random: np.ndarray
) -> np.ndarray:
    """(rows, height, width, channels): the class's stamp, moved a little, with noise."""
    height, width, _ = feature.shape
    stamps = np.stack([_stamp(feature.shape, i, name) for i, name in enumerate(names)])
    down = (random % np.uint64(2 * SHIFT + 1)).astype(np.int64) - SHIFT
    right = ((random >> np.uint64(8)) % np.uint64(2 * SHIFT + 1)).astype(np.int64) - SHIFT
    vertical = (np.arange(height) - down[:, None]) % height
    horizontal = (np.arange(width) - right[:, None]) % width
    moved = stamps[classes[:, None, None], vertical[:, :, None], horizontal[:, None, :]]
    noise = np.random.Philox(key=int(random[0]) if len(random) else 0).random_raw(
        -(-moved.size // 8)
    )
    grain = noise.view(np.uint8)[: moved.size].reshape(moved.shape)
    mixed = (moved.astype(np.uint16) * 144 + grain.astype(np.uint16) * 112) >> 8
    pictures: np.ndarray = mixed.astype(np.uint8).astype(feature.dtype)
    return pictures


def _stamp(shape: tuple[int, ...], number: int, name: str) -> np.ndarray:
    """(height, width, channels) uint8: blended patches of the class, its name written on them."""
    height, width, channels = shape
    patches = bits(GRID * GRID * channels, 0, f"class{number}").reshape(GRID, GRID, channels)
    coarse = (patches % np.uint64(120)).astype(np.float64)
    rows = _blend(coarse, height)
    blended = _blend(rows.swapaxes(0, 1), width).swapaxes(0, 1).astype(np.uint8)
    text = name if 0 < len(name) <= 2 and name.isascii() else str(number)
    written = _written(text, height, width)
    return np.where(written[:, :, None], np.uint8(255), blended)


def _blend(values: np.ndarray, length: int) -> np.ndarray:
    """Stretch the first axis to `length` by linear interpolation."""
    where = np.linspace(0, len(values) - 1, length)
    low = np.minimum(where.astype(np.int64), len(values) - 2)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1))
    blended: np.ndarray = values[low] * (1 - share) + values[low + 1] * share
    return blended


def _written(text: str, height: int, width: int) -> np.ndarray:
    """(height, width) bool: a text as large as fits, in the middle; empty if none fits."""
    font = ImageFont.load_default_imagefont()
    _, _, right, bottom = (int(edge) for edge in font.getbbox(text))
    picture = Image.new("1", (max(right, 1), max(bottom, 1)))
    ImageDraw.Draw(picture).text((0, 0), text, fill=1, font=font)
    glyphs = np.array(picture)
    inked = np.argwhere(glyphs)
    result = np.zeros((height, width), bool)
    if not len(inked):
        return result
    (y0, x0), (y1, x1) = inked.min(axis=0), inked.max(axis=0) + 1
    glyphs = glyphs[y0:y1, x0:x1]
    scale = min((height - 2 * SHIFT) // glyphs.shape[0], (width - 2 * SHIFT) // glyphs.shape[1])
    if scale < 1:
        return result
    glyphs = glyphs.repeat(scale, axis=0).repeat(scale, axis=1)
    y, x = (height - glyphs.shape[0]) // 2, (width - glyphs.shape[1]) // 2
    result[y : y + glyphs.shape[0], x : x + glyphs.shape[1]] = glyphs
    return result


def _sentence(number: int, random: int) -> str:
    """A few invented words, every other one from the vocabulary of the class."""
    words = []
    for i in range(4 + random % 9):
        random = (random * 6364136223846793005 + 1442695040888963407) % 2**64
        kind = number if i % 2 else 999
        words.append(_word((kind * 16 + (random >> 33) % 16) * 2654435761 % 2**32))
    return " ".join(words)


def _word(number: int) -> str:
    consonants, vowels, word = "bdfgklmnprstvz", "aeiou", ""
    for _ in range(2 + number % 2):
        word += consonants[number % 14] + vowels[number // 14 % 5]
        number //= 70
    return word


def _nested(array: np.ndarray) -> pa.Array:
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column
