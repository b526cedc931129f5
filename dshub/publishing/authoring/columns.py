"""Summarize the values of a column, and guess its feature."""

import io
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
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
from dshub.datasets.audio_files import encoding_of
from dshub.datasets.decoding import detect_audio
from dshub.datasets.depths import common, header_dtype
from dshub.datasets.inference import cast_type, infer_feature, missing_paths
from dshub.datasets.labels import class_order
from dshub.errors import DshubError, SchemaError
from dshub.tables.conforming import SIGNATURES
from dshub.tables.types import is_text

MAX_CLASSES = 1000  # maximum distinct values of a column with classes
MAX_TEXT_CLASSES = 20  # maximum classes of a text column with a name that is not in `LABELS`
MAX_CLASS_LENGTH = 60  # maximum characters of a class name
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None")
TEXTS = ("text", "sentence", "question", "answer", "title", "review", "content", "comment")
LABELS = ("label", "labels", "class", "classes", "target", "category", "y")
_NUMBERED = "numbers are read as classes (replace them with names in the manifest, in this order)"

Guess = tuple[Feature | None, str]
"""Feature of a column, or None to omit the column; and a note for the user, or empty."""


@dataclass
class Column:
    """Summary of the values of a column.

    Attributes:
        name: name of the column.
        rows: number of rows, by split.
        counts: number of rows by value as text, by split; None for too many distinct values.
        types: types of the values, each with the first split that has it.
        nulls: number of rows without a value.
        all_integers: dtype that all strings can be parsed to, `int64` or `uint64`; empty if they
            are not all integers of one dtype.
        all_digits: True if all strings are integers of any size.
        all_numbers: True if all strings can be parsed as numbers.
        all_bools: True if all strings are `true` or `false`, in any case.
        has_leading_zeros: True if a string has leading zeros, such as the identifier `007`.
        missing: strings for missing values, such as `NA`.
        missing_paths: paths of missing values, as in `dshub.datasets.inference.missing_paths`.
        beginnings: distinct first four bytes of binary values.
        audio: features of binary values, while all of them are audio files; None otherwise.
        depths: dtypes of the pixels of binary values that are images.
    """

    name: str
    rows: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] | None = field(default_factory=dict)
    types: dict[pa.DataType, str] = field(default_factory=dict)
    nulls: int = 0
    all_integers: Literal["int64", "uint64", ""] = "int64"
    all_digits: bool = True
    all_numbers: bool = True
    all_bools: bool = True
    has_leading_zeros: bool = False
    missing: set[str] = field(default_factory=set)
    missing_paths: set[str] = field(default_factory=set)
    beginnings: set[bytes] = field(default_factory=set)
    audio: set[AudioFeature] | None = field(default_factory=set)
    depths: set[str] = field(default_factory=set)

    def add(self, split: str, values: pa.Array) -> None:
        """Add values of a split."""
        if isinstance(values.type, pa.DictionaryType):
            values = values.dictionary_decode()
        self.rows[split] += len(values)
        self.nulls += values.null_count
        self.missing_paths.update(missing_paths(values))
        self._add_type(split, values.type)
        values = values.drop_null()
        if is_text(values.type):
            self._add_texts(values)
        if _is_binary(values.type):
            self.beginnings.update(pc.binary_slice(values, 0, 4).unique().to_pylist())
            self._add_audio(values)
            if self.audio is None:
                self._add_depths(values)
        self._count(split, values)

    def _add_type(self, split: str, kind: pa.DataType) -> None:
        """Add a type, merging structs and lists that differ only in fields and missing values."""
        if types.is_null(kind):
            return
        nested = next((other for other in self.types if _is_nested(other)), None)
        if nested is None or not _is_nested(kind):
            self.types.setdefault(kind, split)
            return
        try:
            merged = _merged(nested, kind)
        except pa.ArrowException:
            merged = kind
        else:
            self.missing_paths.update(_absent(nested, kind), _absent(kind, nested))
        first = self.types.pop(nested) if merged != kind else self.types[nested]
        self.types.setdefault(merged, first)

    def _add_audio(self, values: pa.Array) -> None:
        for i, value in enumerate(values):
            if self.audio is None:
                return
            data = value.as_py()
            if encoding_of(data[:12]):
                self.audio.add(detect_audio(data, f"column {self.name}, file {i}"))
            else:
                self.audio = None

    def _add_depths(self, values: pa.Array) -> None:
        """Add the dtypes of images; only PNG and TIFF files have other pixels than uint8."""
        bits = pc.binary_slice(values, 24, 25)  # of a PNG
        deep = pc.and_(pc.starts_with(values, pattern=b"\x89PNG"), pc.equal(bits, b"\x10"))
        order = (pc.starts_with(values, pattern=start) for start in (b"II", b"MM"))
        tiff = pc.or_(*order)
        self.depths.update(["uint16"] if pc.any(deep).as_py() else [])
        self.depths.update(["uint8"] if not pc.all(pc.or_(deep, tiff)).as_py() else [])
        for file in values.filter(tiff):
            data = file.as_py()
            self.depths.add(header_dtype(io.BytesIO(data), len(data)))

    def _add_texts(self, values: pa.Array) -> None:
        missing = pc.is_in(values, value_set=pa.array(MISSING, values.type))
        self.missing.update(values.filter(missing).unique().to_pylist())
        values = values.filter(pc.invert(missing))
        self.has_leading_zeros = (
            self.has_leading_zeros or pc.any(pc.match_substring_regex(values, r"^-?0\d")).as_py()
        )
        if self.all_bools:
            self.all_bools = set(pc.utf8_lower(values.unique()).to_pylist()) <= {"true", "false"}
        is_digits = pc.all(pc.match_substring_regex(values, r"^[-+]?\d+$")).as_py()
        self.all_digits = self.all_digits and is_digits is not False
        if self.all_integers == "int64" and not _casts(values, pa.int64()):
            self.all_integers = "uint64"
        if self.all_integers == "uint64" and not _casts(values, pa.uint64()):
            self.all_integers = ""
        self.all_numbers = self.all_numbers and _casts(values, pa.float64())

    def _count(self, split: str, values: pa.Array) -> None:
        kind = values.type
        if not (is_text(kind) or types.is_integer(kind) or types.is_boolean(kind)):
            self.counts = None
        if self.counts is None:
            return
        counted = pc.value_counts(values)
        if len(counted) <= MAX_CLASSES:
            texts, numbers = (counted.field(name) for name in ("values", "counts"))
            added = dict(zip(texts.cast(pa.string()).to_pylist(), numbers.to_pylist(), strict=True))
            self.counts.setdefault(split, Counter()).update(added)
        if len(counted) > MAX_CLASSES or len(self.counts[split]) > MAX_CLASSES:
            self.counts = None

    @property
    def type(self) -> pa.DataType:
        """Common type of all values.

        Raises:
            DshubError: files have different types, and one of the types is not numeric.
        """
        are_numbers = (types.is_integer(kind) or types.is_floating(kind) for kind in self.types)
        if len(self.types) > 1 and not all(are_numbers):
            (type_1, split_1), (type_2, split_2) = list(self.types.items())[:2]
            raise DshubError(
                f"column {self.name!r} is {type_1} in {split_1} and {type_2} in {split_2}",
                hint="convert the column to one type, or pass only files of one dataset",
            )
        if len(self.types) == 1:
            return next(iter(self.types))
        return max(self.types, key=lambda kind: (types.is_floating(kind), kind.bit_width))

    @property
    def values(self) -> list[str]:
        """Distinct values in the order of classes; empty for too many values."""
        return class_order(text for counter in (self.counts or {}).values() for text in counter)

    def has_classes(self, most: int) -> bool:
        """Return True if there are at most `most` distinct values, all short and some repeated."""
        values = self.values
        repeats = len(values) < self.rows.total()
        return 0 < len(values) <= most and repeats and max(map(len, values)) <= MAX_CLASS_LENGTH

    def numbered_classes(self) -> range | None:
        """Return the range of integer values; None for other types and for a range too large."""
        values = self.values if types.is_integer(self.type) else []
        if not values or int(values[-1]) - int(values[0]) >= MAX_CLASSES:
            return None
        return range(int(values[0]), int(values[-1]) + 1)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_nested(kind: pa.DataType) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_struct(kind))


def _merged(kind: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return a type that holds the values of both; raise ArrowException if there is none."""
    schemas = [pa.schema([("", one)]) for one in (kind, other)]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


def _absent(kind: pa.DataType, other: pa.DataType, path: str = "") -> Iterator[str]:
    """Yield the paths of the fields of `kind` that `other` lacks."""
    if types.is_list(kind) and types.is_list(other):
        yield from _absent(kind.value_type, other.value_type, f"{path}[]")
    elif types.is_struct(kind) and types.is_struct(other):
        names = {field.name for field in other}
        for field in kind:
            if field.name not in names:
                yield f"{path}.{field.name}"
            else:
                inner = other.field(field.name).type
                yield from _absent(field.type, inner, f"{path}.{field.name}")


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


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


def _guess(column: Column, stated: str) -> Guess:
    kind = column.type
    if stated == "label" or (types.is_boolean(kind) and column.name in LABELS):
        return _label(column), ""
    if is_text(kind):
        return _of_text(column, stated)
    if column.name in LABELS and stated != "number" and column.numbered_classes():
        return _label(column), _doubt(column, _NUMBERED, "number")
    return _of_files(column) if _is_binary(kind) else _of_type(column, kind)


def _of_text(  # a case each
    column: Column, stated: str
) -> Guess:
    if stated == "text":
        return TextFeature(), ""
    some_value = column.counts is None or len(column.values) > len(column.missing)
    numbers = column.all_numbers and not column.has_leading_zeros and some_value
    numbers = numbers and (bool(column.all_integers) or not column.all_digits)
    if column.all_bools and some_value and column.name not in LABELS:
        missing = tuple(sorted(column.missing))
        return NumberFeature(dtype="bool", missing=missing, optional=bool(missing)), ""
    is_class = column.name in LABELS and stated != "number" and column.has_classes(MAX_CLASSES)
    if is_class and numbers and column.all_integers:
        return _label(column), _doubt(column, _NUMBERED, "number")
    if numbers or stated == "number":
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
        shown = f"column {name!r}: rows with {', '.join(map(repr, missing))} have no value"
        return feature, shown if missing else ""
    missing = [text for text in missing if text not in {"NaN", "nan"}]
    doubt = f"column {name!r}: {', '.join(map(repr, missing))} becomes NaN" if missing else ""
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
    if types.is_boolean(column.type):
        return LabelFeature(names=("false", "true"))
    if (numbers := column.numbered_classes()) is not None:
        return LabelFeature(names=tuple(map(str, numbers)), first=numbers.start)
    if is_text(column.type) and column.counts is not None:
        names = tuple(column.values)
        are_numbers = all(name.lstrip("-").isdigit() for name in names)
        # codes let the user rename classes that are numbers
        return LabelFeature(names=names, codes=names if are_numbers else ())
    raise DshubError(
        f"column {column.name!r} cannot have classes: its type is {column.type}, or it has more "
        f"than {MAX_CLASSES:,} distinct values",
        hint=f"use --text {column.name} or --number {column.name}",
    )


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
