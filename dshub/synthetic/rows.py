"""Generate synthetic rows. Each class has a vocabulary of invented words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    AudioFeature,
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.formats import nested
from dshub.synthetic.media import (
    audio_file,
    bits,
    encoded_images,
    encoded_masks,
    raw_images,
    raw_masks,
)


def words(number: int, random: int, count: int) -> list[str]:
    """Generate words, every other one from the vocabulary of the class `number`."""
    invented = []
    for i in range(count):
        random = (random * 6364136223846793005 + 1442695040888963407) % 2**64
        kind = number if i % 2 else 999
        invented.append(_word((kind * 16 + (random >> 33) % 16) * 2654435761 % 2**32))
    return invented


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
    """Generate rows in the form of the original files, for a reader's `write`.

    Args:
        features: features of the columns to generate.
        all_features: features of the dataset; a label that is not in `features` still affects
            the other columns.
        rows: number of rows.
        seed: seed of the rows, which does not change the appearance of the classes.
        text_labels: whether labels are the text in the original files instead of numbers.
    """
    names = next((f.names for f in all_features.values() if isinstance(f, LabelFeature)), ("",))
    if len(names) == 1:  # datasets without classes still get varied rows
        names = tuple("0123456789")
    # balanced classes in random order
    classes = np.argsort(bits(rows, seed, "order"), kind="stable") % len(names)
    lengths = (bits(rows, seed, "lengths") % np.uint64(8)).astype(np.int64) + 1
    kinds = _Kinds(names, classes, lengths, text_labels)
    columns = {
        name: _column(feature, kinds, bits(rows, seed, name)) for name, feature in features.items()
    }
    return pa.RecordBatch.from_pydict(columns)


@dataclass(frozen=True)
class _Kinds:
    """The class of each row, and the length of its lists."""

    names: tuple[str, ...]
    classes: np.ndarray
    lengths: np.ndarray
    text_labels: bool


def _column(feature: Feature, kinds: _Kinds, random: np.ndarray) -> pa.Array:  # noqa: C901, PLR0911, PLR0912  # a case each
    rows = zip(kinds.classes.tolist(), random.tolist(), kinds.lengths.tolist(), strict=True)
    match feature:
        case ImageFeature() if feature.encoding != "raw":
            images = encoded_images(feature, kinds.names, kinds.classes, random)
            return pa.array(images, pa.binary())
        case ImageFeature():
            return nested(raw_images(feature, kinds.names, kinds.classes, random))
        case MaskFeature() if feature.encoding != "raw":
            return pa.array(encoded_masks(feature, random), pa.binary())
        case MaskFeature():
            return nested(raw_masks(feature, random, feature.shape))
        case AudioFeature():
            return pa.array([audio_file(feature, c, r) for c, r, _ in rows], pa.binary())
        case LabelFeature():
            return _labels(feature, kinds)
        case NumberFeature():
            near = (kinds.classes[:, None] * 8 + _spread(random, feature.shape) % 8) % 128
            return nested(near.astype(feature.dtype).reshape(len(random), *feature.shape))
        case BoxFeature():
            return nested(_boxes(feature, random))
        case TextFeature():
            return pa.array([" ".join(words(c, r, 4 + r % 9)) for c, r, _ in rows], pa.string())
        case BytesFeature():
            return pa.array([words(c, r, 4)[0].encode() for c, r, _ in rows], pa.binary())
        case DateFeature():
            return _dates(feature, kinds, random)
        case StructFeature():
            fields = {name: _column(of, kinds, random) for name, of in feature.fields.items()}
            return pa.StructArray.from_arrays(list(fields.values()), list(fields))
        case ListFeature(of=TextFeature()):
            return pa.array([words(*row) for row in rows], pa.list_(pa.string()))
        case ListFeature():
            return _lists(feature, kinds, random)
        case _:
            assert_never(feature)


def _labels(feature: LabelFeature, kinds: _Kinds) -> pa.Array:
    labels = kinds.classes % len(feature.names)
    if kinds.text_labels:
        return pa.array(feature.codes or feature.names, pa.string()).take(pa.array(labels))
    if feature.codes and all(code.removeprefix("-").isdecimal() for code in feature.codes):
        return pa.array(map(int, feature.codes), pa.int64()).take(pa.array(labels))
    small = feature.first + len(feature.names) <= 256
    return pa.array((labels + feature.first).astype(np.uint8 if small else np.int32))


def _boxes(feature: BoxFeature, random: np.ndarray) -> np.ndarray:
    """Generate boxes within an image of 100 by 100 pixels, (rows, 4)."""
    left_top, size = np.split(_spread(random, (4,)) % 40 + [[0, 0, 10, 10]], 2, axis=1)
    first = left_top + size / 2 if feature.format == "cxcywh" else left_top
    second = left_top + size if feature.format == "xyxy" else size
    boxes = np.concatenate([first, second], axis=1) / (100 if feature.relative else 1)
    return boxes.astype(feature.dtype)


def _dates(feature: DateFeature, kinds: _Kinds, random: np.ndarray) -> pa.Array:
    """Generate days of 2020; days of one class are near each other."""
    days = (kinds.classes * 30 + (random % np.uint64(30)).astype(np.int64)) % 366
    dates = np.datetime64("2020-01-01") + days.astype("timedelta64[D]")
    return pa.array(dates.astype(f"datetime64[{feature.unit}]"))


def _lists(feature: ListFeature, kinds: _Kinds, random: np.ndarray) -> pa.Array:
    """Generate one to eight values per row, similar for rows of one class.

    All lists in a row have the same length, because they can be words and their tags.
    """
    offsets = np.concatenate([[0], np.cumsum(kinds.lengths)]).astype(np.int32)
    classes = np.repeat(kinds.classes, kinds.lengths) + np.arange(offsets[-1]) % 3
    lengths = np.repeat(kinds.lengths, kinds.lengths)
    inner = replace(kinds, classes=classes, lengths=lengths)
    values = _column(feature.of, inner, np.repeat(random, kinds.lengths))
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _spread(random: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Derive the random values of each row from one random number per row."""
    steps = np.arange(1, int(np.prod(shape, dtype=int)) + 1, dtype=np.uint64)
    spread: np.ndarray = (random[:, None] * (2 * steps + np.uint64(1))) >> np.uint64(40)
    return spread.astype(np.int64)
