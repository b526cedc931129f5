"""Guess the feature of a column from the summary of its values."""

from collections.abc import Collection, Sequence
from math import prod
from typing import Any, cast

import msgspec
import pyarrow as pa
from pyarrow import types

from dshub.catalog.features import (
    AudioFeature,
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    NumberFeature,
    TextFeature,
)
from dshub.datasets.depths import common
from dshub.datasets.inference import cast_type, infer_feature
from dshub.datasets.labels import class_order
from dshub.datasets.tabular.columns import (
    LABELS,
    MAX_CLASSES,
    MAX_TEXT_CLASSES,
    Column,
    is_binary,
)
from dshub.errors import DshubError, SchemaError
from dshub.tables.encodings import SIGNATURES
from dshub.tables.missing import TEXTS as MISSING_TEXTS
from dshub.tables.types import is_text

TEXTS = ("text", "sentence", "question", "answer", "title", "review", "content", "comment")
NO_VALUE, BECOMES_NAN = "have no value", "becomes NaN"  # ends of notes
NUMBERED = "numbers are read as classes (replace them with names in the manifest, in this order)"

Guess = tuple[Feature | None, str]
"""Feature of a column, or None to omit the column; and a note for the user, or empty."""


def guess(column: Column, stated: str, names: Sequence[str] = ()) -> Guess:
    """Guess the feature of a column.

    Args:
        column: summary of all values.
        stated: `label`, `text` or `number` to override the guess; empty to guess.
        names: class names in the metadata of the files; empty if they have none.
    """
    if column.nulls == column.rows.total():
        return None, f"column {column.name!r} is omitted: no row has a value"
    if names and stated in {"", "label"} and types.is_integer(column.type):
        feature, doubt = _named(column, names)
    else:
        feature, doubt = _guess(column, stated)
    if isinstance(feature, LabelFeature) and (note := _rows_without_class(column, feature)):
        doubt = f"{doubt}; {note}" if doubt else f"column {column.name!r}: {note}"
    if feature is not None and column.nulls:
        feature = msgspec.structs.replace(feature, optional=True)
    return feature, doubt


def _named(column: Column, names: Sequence[str]) -> Guess:
    """Return the label feature with the class names of the files, if all values are classes."""
    wrong = [text for text in column.values if not 0 <= int(text) < len(names)]
    if not wrong:
        return LabelFeature(names=tuple(names)), ""
    feature, _ = _of_type(column, column.type)
    note = f"{wrong[0]} is not one of its {len(names):,} classes, so that it is read as a number"
    return feature, f"column {column.name!r}: {note}"


def _rows_without_class(column: Column, feature: LabelFeature) -> str:
    """Describe the rows without a class; empty if there are none."""
    texts = set(MISSING_TEXTS).difference(feature.codes or feature.names)
    counters = (column.counts or {}).values()
    rows = column.nulls + sum(counter[text] for counter in counters for text in texts)
    return f"{rows:,} of {column.rows.total():,} rows have no class" if rows else ""


def _guess(column: Column, stated: str) -> Guess:
    kind = column.type
    if stated == "label" or (types.is_boolean(kind) and column.name in LABELS):
        return _label(column), ""
    if is_text(kind):
        return _of_text(column, stated)
    is_class = types.is_integer(kind) and column.name in LABELS and stated != "number"
    if is_class and column.has_classes(MAX_CLASSES):
        return _label(column), _doubt(column, NUMBERED, "number")
    return _of_files(column) if is_binary(kind) else _of_type(column, kind)


def _of_text(column: Column, stated: str) -> Guess:
    if stated == "text":
        return TextFeature(), ""
    some_value = column.counts is None or len(column.distinct) > len(column.missing)
    numbers = column.all_numbers and not column.has_leading_zeros and some_value
    numbers = numbers and (bool(column.all_integers) or not column.all_digits)
    if column.all_bools and some_value and column.name not in LABELS and not column.is_text:
        missing = tuple(sorted(column.missing))
        return NumberFeature(dtype="bool", missing=missing, optional=bool(missing)), ""
    is_class = column.name in LABELS and stated != "number" and column.has_classes(MAX_CLASSES)
    if is_class and numbers and column.all_integers:
        return _label(column), _doubt(column, NUMBERED, "number")
    if (numbers and not column.is_text) or stated == "number":
        return _numbers(column)
    few = column.name not in TEXTS and column.has_classes(MAX_TEXT_CLASSES)
    few = few and 10 * len(column.values) <= column.rows.total()
    note = "few distinct texts are read as classes"
    if is_class or few:
        return _label(column), "" if is_class else _doubt(column, note, "text")
    return TextFeature(), ""


def _numbers(column: Column) -> Guess:
    """Return the feature of text that consists of numbers, with integers as integers."""
    name, missing = column.name, sorted(column.missing)
    if column.all_integers:
        feature = NumberFeature(
            dtype=column.all_integers, missing=tuple(missing), optional=bool(missing)
        )
        shown = f"column {name!r}: rows with {', '.join(map(repr, missing))} {NO_VALUE}"
        return feature, shown if missing else ""
    missing = [text for text in missing if text not in {"NaN", "nan"}]
    doubt = f"column {name!r}: {', '.join(map(repr, missing))} {BECOMES_NAN}" if missing else ""
    return NumberFeature(dtype="float64", missing=tuple(missing)), doubt


def _of_files(column: Column) -> Guess:
    if column.audio:
        return common_audio(column.audio)
    for encoding in ("jpeg", "png", "any"):
        signatures = tuple(signature[:4] for signature in SIGNATURES[encoding])
        if all(beginning.startswith(signatures) for beginning in column.beginnings):
            return _image(column, encoding)
    note = "its bytes are neither images nor audio, and stay bytes"
    return BytesFeature(), f"column {column.name!r}: {note}"


def _image(column: Column, encoding: str) -> Guess:
    """Return the feature of image files; pixels of several depths are reduced to 8 bits."""
    wide = common(column.depths)
    dtype: Any = "uint8" if "uint8" in column.depths else wide
    doubt = f"column {column.name!r}: some images have {wide} pixels, which become uint8; to keep "
    doubt += f'values, set dtype = "{wide}" in its feature'
    return ImageFeature(encoding=cast("Any", encoding), dtype=dtype), "" if dtype == wide else doubt


def _of_type(column: Column, kind: pa.DataType) -> Guess:
    """Guess the feature of numbers and arrays.

    Arrays are images if they are uint8, at least 4 x 4, and have no channel axis or a last axis of
    1, 3 or 4 channels.
    """
    try:
        feature = infer_feature(column.name, cast_type(kind), column.missing_paths)
    except SchemaError as error:
        return None, f"column {column.name!r} is omitted: no feature supports {error.got}"
    if not isinstance(feature, NumberFeature) or not feature.shape:
        return feature, ""
    shape = feature.shape
    is_image = len(shape) == 2 or (len(shape) == 3 and shape[2] in {1, 3, 4})
    if feature.dtype == "uint8" and is_image and min(shape[:2]) >= 4:
        return ImageFeature(shape=shape if len(shape) == 3 else (*shape, 1)), ""
    return NumberFeature(dtype=feature.dtype, shape=shape if prod(shape) > 1 else ()), ""


def _doubt(column: Column, note: str, option: str) -> str:
    return f"column {column.name!r}: {note}; use --{option} {column.name} to change this"


def _label(column: Column) -> LabelFeature:
    """Return the label feature of a column; raise DshubError if it cannot have classes."""
    kind = column.type
    if types.is_boolean(kind):
        return LabelFeature(names=("false", "true"))
    if column.counts is None or not (is_text(kind) or types.is_integer(kind)):
        raise DshubError(
            f"column {column.name!r} cannot have classes: its type is {kind}, or it has more "
            f"than {MAX_CLASSES:,} distinct values",
            hint=f"use --text {column.name} or --number {column.name}",
        )
    if types.is_integer(kind):
        return _of_integers(column.values)
    return _of_classes(column.values, column)


def _of_integers(names: Sequence[str]) -> LabelFeature:
    """Return the label feature of classes that are named by their numbers."""
    first, last = int(names[0]), int(names[-1])
    is_range = last - first + 1 == len(names)
    return LabelFeature(
        names=tuple(names), first=first if is_range else 0, codes=() if is_range else tuple(names)
    )


def _of_classes(texts: Sequence[str], column: Column) -> LabelFeature:
    """Return the label feature of texts; missing values are not a class."""
    present = class_order(text for text in texts if text not in MISSING_TEXTS)
    are_numbers = all(text.lstrip("-").isdigit() for text in present)
    if not are_numbers:  # "None" can be a class
        present = class_order(text for text in texts if text)
    optional = 0 < len(present) < len(texts)
    names = tuple(present or texts)
    if column.all_bools and len(names) == 2:  # as JSON and Parquet have them
        codes = tuple(sorted(names, key=str.lower))
        return LabelFeature(names=("false", "true"), codes=codes, optional=optional)
    # codes let the user rename classes that are numbers
    return LabelFeature(names=names, codes=names if are_numbers else (), optional=optional)


def common_audio(features: Collection[AudioFeature]) -> tuple[AudioFeature, str]:
    """Return the feature that fits all audio files, and a note if they differ."""
    rates = sorted({feature.rate for feature in features})
    channels = sorted({feature.channels for feature in features})
    encodings = {feature.encoding for feature in features}
    feature = AudioFeature(
        rate=rates[0] if len(rates) == 1 else 0,
        channels=channels[0] if len(channels) == 1 else 0,
        encoding=encodings.pop() if len(encodings) == 1 else "any",
    )
    if feature.rate and feature.channels:
        return feature, ""
    facts = ", ".join(f"{rate:,} Hz" for rate in rates)
    counts = " and ".join(map(str, channels))
    return feature, (
        f"the audio files have {facts}, and {counts} channels; each row keeps its own, unless you "
        f"set rate = {rates[-1]}, channels = {channels[0]} and resample = true in the manifest"
    )
