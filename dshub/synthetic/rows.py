"""Synthetic rows, with words and sentences for each class.

Invented words and sentences, with a vocabulary for each class.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.synthetic.media import bits, encoded_pictures, raw_pictures, recordings


def sentence(number: int, random: int) -> str:
    """A few words, every other one from the vocabulary of the class."""
    return " ".join(words(number, random, 4 + random % 9))


def words(number: int, random: int, count: int) -> list[str]:
    """So many words; see `sentence`."""
    found = []
    for i in range(count):
        random = (random * 6364136223846793005 + 1442695040888963407) % 2**64
        kind = number if i % 2 else 999
        found.append(_word((kind * 16 + (random >> 33) % 16) * 2654435761 % 2**32))
    return found


def _word(number: int) -> str:
    consonants, vowels, word = "bdfgklmnprstvz", "aeiou", ""
    for _ in range(2 + number % 2):
        word += consonants[number % 14] + vowels[number // 14 % 5]
        number //= 70
    return word


def make(
    features: Mapping[str, Feature],
    all_features: Mapping[str, Feature],
    rows: int,
    seed: int,
    *,
    text_labels: bool = False,
) -> pa.RecordBatch:
    """Rows in the form that upstream's files hold them, as a reader's `write` takes them.

    Args:
        features: the columns to make.
        all_features: those of the whole dataset; a hidden label still decides the rest.
        rows: how many.
        seed: another seed, other rows of the same classes.
        text_labels: whether classes are given as upstream's text or as its numbers.
    """
    names = next((f.names for f in all_features.values() if isinstance(f, LabelFeature)), ("",))
    if len(names) == 1:  # without classes, rows still differ in kind
        names = tuple("0123456789")
    lengths = (bits(rows, seed, "lengths") % np.uint64(8)).astype(np.int64) + 1
    kinds = _Kinds(names, _classes(rows, len(names), seed), lengths, text_labels)
    columns = {
        name: _column(feature, kinds, bits(rows, seed, name)) for name, feature in features.items()
    }
    return pa.RecordBatch.from_pydict(columns)


def _classes(rows: int, count: int, seed: int) -> np.ndarray:
    """Every class as often as every other (give or take one), in random order."""
    return np.argsort(bits(rows, seed, "order"), kind="stable") % count


@dataclass(frozen=True)
class _Kinds:
    """What the rows depend on: (rows,) classes, of so many names, and lengths of lists."""

    names: tuple[str, ...]
    classes: np.ndarray
    lengths: np.ndarray
    text_labels: bool


def _column(feature: Feature, kinds: _Kinds, random: np.ndarray) -> pa.Array:  # noqa: PLR0911
    match feature:
        case ImageFeature() if feature.encoding != "raw":
            pictures = encoded_pictures(feature, kinds.names, kinds.classes, random)
            return pa.array(pictures, pa.binary())
        case ImageFeature():
            return _nested(raw_pictures(feature, kinds.names, kinds.classes, random))
        case AudioFeature():
            return pa.array(recordings(feature, kinds.classes, random), pa.binary())
        case LabelFeature():
            return _labels(feature, kinds)
        case NumberFeature():
            near = (kinds.classes[:, None] * 8 + _spread(random, feature.shape) % 8) % 128
            return _nested(near.astype(feature.dtype).reshape(len(random), *feature.shape))
        case TextFeature():
            pairs = zip(kinds.classes, random, strict=True)
            return pa.array([sentence(int(c), int(r)) for c, r in pairs], pa.string())
        case ListFeature():
            return _lists(feature, kinds, random)
        case _:
            assert_never(feature)


def _labels(feature: LabelFeature, kinds: _Kinds) -> pa.Array:
    found = kinds.classes % len(feature.names)
    if kinds.text_labels:
        known = feature.codes or feature.names
        return pa.array([known[number] for number in found], pa.string())
    small = feature.first + len(feature.names) <= 256
    return pa.array((found + feature.first).astype(np.uint8 if small else np.int32))


def _lists(feature: ListFeature, kinds: _Kinds, random: np.ndarray) -> pa.Array:
    """One to eight values a row: words, or values that the row's class is near to.

    The lists of one row are all as long as each other, as those of words and their tags are.
    """
    lengths = kinds.lengths
    if isinstance(feature.of, TextFeature):
        rows = zip(kinds.classes, random, lengths, strict=True)
        return pa.array([words(int(c), int(r), int(n)) for c, r, n in rows], pa.list_(pa.string()))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    classes = np.repeat(kinds.classes, lengths) + np.arange(offsets[-1]) % 3
    inner = _column(feature.of, replace(kinds, classes=classes), np.repeat(random, lengths))
    return pa.ListArray.from_arrays(pa.array(offsets), inner)


def _spread(random: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(rows, values in a row) of random words from one word a row."""
    steps = np.arange(1, int(np.prod(shape, dtype=int)) + 1, dtype=np.uint64)
    spread: np.ndarray = (random[:, None] * (2 * steps + np.uint64(1))) >> np.uint64(40)
    return spread.astype(np.int64)


def _nested(array: np.ndarray) -> pa.Array:
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column
