"""Summarize the values of a column."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from dshub.catalog.features import (
    AudioFeature,
)
from dshub.datasets.audio_files import encoding_of
from dshub.datasets.decoding import detect_audio
from dshub.datasets.depths import header_dtype
from dshub.datasets.inference import missing_paths
from dshub.datasets.labels import class_order
from dshub.errors import DshubError
from dshub.tables.missing import TEXTS as MISSING_TEXTS
from dshub.tables.types import is_text

MAX_CLASSES = 1000  # maximum distinct values of a column with classes
MAX_TEXT_CLASSES = 20  # maximum classes of a text column with a name that is not in `LABELS`
MAX_CLASS_LENGTH = 60  # maximum characters of a class name
LABELS = ("label", "labels", "class", "classes", "target", "category", "y")

_BOOLS = {"true", "false"}
_MISSING = pc.SetLookupOptions(value_set=pa.array(MISSING_TEXTS))
_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass
class Column:
    """Summary of the values of a column.

    Attributes:
        name: name of the column.
        is_text: whether texts are never numbers or bools, because the files have types.
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
        has_negatives: True if a string begins with a minus sign.
        missing: strings for missing values, such as `NA`.
        missing_paths: paths of missing values, as in `dshub.datasets.inference.missing_paths`.
        beginnings: distinct first four bytes of binary values.
        audio: features of binary values, while all of them are audio files; None otherwise.
        depths: dtypes of the pixels of binary values that are images.
    """

    name: str
    is_text: bool = False
    rows: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] | None = field(default_factory=dict)
    types: dict[pa.DataType, str] = field(default_factory=dict)
    nulls: int = 0
    all_integers: Literal["int64", "uint64", ""] = "int64"
    all_digits: bool = True
    all_numbers: bool = True
    all_bools: bool = True
    has_leading_zeros: bool = False
    has_negatives: bool = False
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
        if is_binary(values.type):
            self.beginnings.update(pc.binary_slice(values, 0, 4).unique().to_pylist())
            self._add_audio(values)
            if self.audio is None:
                self._add_depths(values)
        unseen = self._count(split, values)
        if len(unseen) and is_text(values.type) and (self.all_numbers or self.all_bools):
            self._add_texts(unseen)

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
        """Note what all texts have in common; `values` can lack values that were added before."""
        values = values.cast(pa.string())
        missing = pc.is_in(values, options=_MISSING)
        if pc.any(missing).as_py():
            self.missing.update(values.filter(missing).unique().to_pylist())
            values = values.filter(pc.invert(missing))
        if not len(values):
            return
        if self.all_bools:
            self.all_bools = values[0].as_py().lower() in _BOOLS and _BOOLS.issuperset(
                pc.utf8_lower(values.unique()).to_pylist()
            )
        if self.all_numbers:
            self._add_numbers(values)

    def _add_numbers(self, values: pa.Array) -> None:
        """Note whether texts are integers, other numbers, or have leading zeros."""
        if not self.has_leading_zeros:
            zeros = pc.match_substring_regex(values, r"^-?0\d")
            self.has_leading_zeros = pc.any(zeros).as_py() is True
        self.has_negatives = self.has_negatives or _has_negatives(values)
        if self.all_integers == "int64" and _casts(values, pa.int64()):
            return
        if self.all_integers:
            fits = not self.has_negatives and _casts(values, pa.uint64())
            self.all_integers = "uint64" if fits else ""
        digits = pc.match_substring_regex(values, r"^[-+]?\d+$")
        self.all_digits = self.all_digits and pc.all(digits).as_py() is not False
        self.all_numbers = _casts(values, pa.float64())

    def _count(self, split: str, values: pa.Array) -> pa.Array:
        """Count values, and return those that were not counted before, or all of them."""
        kind = values.type
        if not (is_text(kind) or types.is_integer(kind) or types.is_boolean(kind)):
            self.counts = None
        if self.counts is None:
            return values
        counted = pc.value_counts(values)
        distinct, numbers = (counted.field(name) for name in ("values", "counts"))
        if len(counted) > MAX_CLASSES:
            self.counts = None
            return distinct
        texts = distinct.cast(pa.string()).to_pylist()
        known = self.counts.setdefault(split, Counter())
        unseen = [i for i, text in enumerate(texts) if text not in known]
        for text, number in zip(texts, numbers.to_pylist(), strict=True):
            known[text] += number
        if len(known) > MAX_CLASSES:
            self.counts = None
        return (
            distinct if len(unseen) == len(texts) else distinct.take(pa.array(unseen, pa.int64()))
        )

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
    def distinct(self) -> set[str]:
        """Distinct values; empty for too many values."""
        return set().union(*(self.counts or {}).values())

    @property
    def values(self) -> list[str]:
        """Distinct values in the order of classes; empty for too many values."""
        return class_order(self.distinct)

    def has_classes(self, most: int) -> bool:
        """Return True if there are at most `most` distinct values, all short and some repeated."""
        values = self.values
        repeats = len(values) < self.rows.total() or _are_consecutive(values)
        return 0 < len(values) <= most and repeats and max(map(len, values)) <= MAX_CLASS_LENGTH


def _are_consecutive(values: Sequence[str]) -> bool:
    """Return True for a few consecutive integers, which are classes even if none is repeated."""
    if len(values) > MAX_TEXT_CLASSES or not all(map(_INTEGER.fullmatch, values)):
        return False
    return int(values[-1]) - int(values[0]) + 1 == len(values) > 1


def are_row_numbers(values: pa.Array) -> bool:
    """Return True if texts are integers, each one more than the one before, or 0 again."""
    if not is_text(values.type) or values.null_count or not _casts(values, pa.int64()):
        return False
    numbers = values.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return bool(np.all((np.diff(numbers) == 1) | (numbers[1:] == 0)))


def is_binary(kind: pa.DataType) -> bool:
    """Return True if an Arrow type is bytes."""
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


def _has_negatives(values: pa.Array) -> bool:
    return bool(pc.any(pc.starts_with(values, "-")).as_py())


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True
