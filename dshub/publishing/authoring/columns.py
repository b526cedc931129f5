"""What a column holds, told by all of its values; and the feature that it is taken for."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, assert_never, cast

import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import (
    AudioFeature,
    Dtype,
    Feature,
    ImageFeature,
    Item,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError
from dshub.publishing.authoring.survey import class_order
from dshub.tables.conforming import SIGNATURES

DISTINCT = 1000  # values that are told apart; a column with more is no column of classes
FEW = 20  # distinct values that make classes of a column whatever its name is
LONGEST = 60  # characters of a class
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None")
_NUMBERED = "its classes are numbers; write their names into the manifest, in that order"
TEXTS = ("text", "sentence", "question", "answer", "title", "review", "content", "comment")
LABELS = ("label", "labels", "class", "classes", "target", "category", "y")


@dataclass(frozen=True)
class Wishes:
    """What a person says of columns.

    Attributes:
        label: columns of classes.
        text: columns of text.
        number: columns of numbers.
    """

    label: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    number: tuple[str, ...] = ()

    def check(self, columns: Iterable[str]) -> None:
        """Whether there are such columns; raises DshubError."""
        known = list(columns)
        for name in (*self.label, *self.text, *self.number):
            if name not in known:
                hint = f"there are {', '.join(known)}"
                raise DshubError(f"there is no column {name!r}", hint=hint)


@dataclass
class Column:
    """A column, and what was seen of it.

    Attributes:
        name: in the manifest.
        rows: of each split that has it.
        counts: how often each value occurs, by split, as text; None when there are too many.
    """

    name: str
    rows: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counter[str]] | None = field(default_factory=dict)
    types: dict[pa.DataType, str] = field(default_factory=dict)  # and the first split of each
    holes: int = 0
    whole: bool = True  # every text is that of a whole number
    decimal: bool = True  # every text is that of a number
    padded: bool = False  # such as 007: a name, not a number
    missing: set[str] = field(default_factory=set)
    begins: set[bytes] = field(default_factory=set)  # of files
    limits: list[int] = field(default_factory=list)  # of whole numbers: lowest, highest
    example: str = ""

    def add(self, split: str, values: pa.Array) -> None:
        """See more values of a split."""
        if isinstance(values.type, pa.DictionaryType):
            values = values.dictionary_decode()
        self.types.setdefault(values.type, split)
        self.rows[split] += len(values)
        self.holes += values.null_count
        if not self.example and len(values):
            self.example = _shown(values[:1])
        values = values.drop_null()
        if is_text(values.type):
            self._see_text(values)
        if pa.types.is_integer(values.type) and len(values):
            found = pc.min_max(values).as_py()
            known = [*self.limits, found["min"], found["max"]]
            self.limits = [min(known), max(known)]
        if is_file(values.type):
            self.begins.update(pc.binary_slice(values, 0, 4).unique().to_pylist())
        self._count(split, values)

    def _see_text(self, values: pa.Array) -> None:
        holes = pc.is_in(values, value_set=pa.array(MISSING, values.type))
        self.missing.update(values.filter(holes).unique().to_pylist())
        values = values.filter(pc.invert(holes))
        self.padded = self.padded or pc.any(pc.match_substring_regex(values, r"^-?0\d")).as_py()
        self.whole = self.whole and _casts(values, pa.int64())
        self.decimal = self.decimal and (self.whole or _casts(values, pa.float64()))

    def _count(self, split: str, values: pa.Array) -> None:
        if self.counts is None or not is_single(values.type):
            self.counts = None
            return
        found = pc.value_counts(values)
        counts = self.counts.setdefault(split, Counter())
        if len(found) <= DISTINCT:
            texts = found.field("values").cast(pa.string()).to_pylist()
            for text, count in zip(texts, found.field("counts").to_pylist(), strict=True):
                counts[text] += count
        if len(found) > DISTINCT or len(counts) > DISTINCT:
            self.counts = None

    @property
    def type(self) -> pa.DataType:
        """Its type; raises DshubError where that differs between files."""
        if len(self.types) > 1 and not all(map(is_number, self.types)):
            (one, here), (other, there) = list(self.types.items())[:2]
            raise DshubError(
                f"column {self.name!r} is {one} in {here} and {other} in {there}",
                hint="make them the same, or name files that belong together",
            )
        return (
            max(self.types, key=lambda kind: (pa.types.is_floating(kind), kind.bit_width))
            if (len(self.types) > 1)
            else next(iter(self.types))
        )

    @property
    def values(self) -> list[str]:
        """Its distinct values, in the order of classes; none where there are too many."""
        return class_order(text for found in (self.counts or {}).values() for text in found)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_file(kind: pa.DataType) -> bool:
    """Whether a column holds bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_single(kind: pa.DataType) -> bool:
    """Whether a value is one text, one whole number, or yes or no."""
    return is_text(kind) or bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def shaped(kind: pa.DataType) -> tuple[pa.DataType, tuple[int, ...]]:
    """The type and the shape of the values of nested fixed-size lists."""
    shape: list[int] = []
    while pa.types.is_fixed_size_list(kind):
        shape.append(kind.list_size)
        kind = kind.value_type
    return kind, tuple(shape)


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _shown(values: pa.Array) -> str:
    """The first value as a person reads it."""
    kind, shape = shaped(values.type)
    if shape:
        return f"{' x '.join(map(str, shape))} {kind}"
    value = values[0].as_py()
    return f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)


def guess(column: Column, wishes: Wishes) -> tuple[Feature | None, list[str]]:
    """What a column is taken for, None where it can be no column of a dataset; and doubts."""
    kind = column.type
    if column.holes:
        told = f"{column.holes:,} of {column.rows.total():,} rows have no value"
        return None, [f"column {column.name!r} is left out: {told}"]
    if column.name in wishes.label or pa.types.is_boolean(kind):
        return label(column), []
    if is_text(kind):
        return _of_text(column, wishes)
    if is_number(kind):
        return _of_numbers(column, kind, wishes)
    return _of_many(column, kind)


def _of_text(column: Column, wishes: Wishes) -> tuple[Feature, list[str]]:
    if column.name in wishes.text:
        return TextFeature(), []
    named, wished = column.name in LABELS, column.name in wishes.number
    numbers = column.decimal and not column.padded and len(column.values) > len(column.missing)
    numbers = numbers or (column.decimal and column.counts is None and not column.padded)
    if numbers and column.whole and named and not wished and _few(column, DISTINCT):
        return label(column), [_doubt(column, _NUMBERED, "number")]
    if wished or numbers:
        dtype: Dtype = "int64" if column.whole and not column.missing else "float64"
        missing = tuple(sorted(column.missing - {"NaN", "nan"}))
        told = f"no number where it is {', '.join(map(repr, missing))}: NaN there"
        return NumberFeature(dtype=dtype, missing=missing), (
            [f"column {column.name!r}: {told}"] if missing else []
        )
    if named and _few(column, DISTINCT):
        return label(column), []
    few = column.name not in TEXTS and _few(column, FEW)
    if few and 10 * len(column.values) <= column.rows.total():
        return label(column), [_doubt(column, "few distinct texts taken for classes", "text")]
    return TextFeature(), []


def _of_numbers(column: Column, kind: pa.DataType, wishes: Wishes) -> tuple[Feature, list[str]]:
    is_class = column.name in LABELS and column.name not in wishes.number
    if is_class and column.limits and column.limits[1] - column.limits[0] < DISTINCT:
        return label(column), [_doubt(column, _NUMBERED, "number")]
    return NumberFeature(dtype=_dtype(kind)), []


def _of_many(column: Column, kind: pa.DataType) -> tuple[Feature | None, list[str]]:
    """A column of files, of arrays, or of lists."""
    if is_file(kind):
        return _of_files(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item: Item | None = None
        if is_text(kind.value_type):
            item = TextFeature()
        elif is_number(kind.value_type):
            item = NumberFeature(dtype=_dtype(kind.value_type))
        if item is not None:
            return ListFeature(of=item), []
    inner, shape = shaped(kind)
    if shape and is_number(inner):
        return _array(shape, _dtype(inner)), []
    return None, [f"column {column.name!r} is left out: a manifest has no feature for {kind}"]


def _of_files(column: Column) -> tuple[Feature | None, list[str]]:
    """Pictures of whatever size; recordings say their rate only inside."""
    for encoding in ("jpeg", "png", "any"):
        known = tuple(begin[:4] for begin in SIGNATURES[encoding])
        if all(begin.startswith(known) for begin in column.begins):
            return ImageFeature(encoding=cast("Any", encoding)), []
    return None, [f"column {column.name!r} is left out: its bytes are no pictures"]


def _array(shape: tuple[int, ...], dtype: Dtype) -> Feature:
    """Pictures are uint8, of at least 4 x 4, in one plane or with 1, 3 or 4 channels last."""
    picture = len(shape) == 2 or (len(shape) == 3 and shape[2] in {1, 3, 4})
    if dtype == "uint8" and picture and min(shape[:2]) >= 4:
        return ImageFeature(shape=shape if len(shape) == 3 else (*shape, 1))
    return NumberFeature(dtype=dtype, shape=shape if prod(shape) > 1 else ())


def _dtype(kind: pa.DataType) -> Dtype:
    names = {"half_float": "float32", "halffloat": "float32", "float": "float32"}
    name = names.get(str(kind), "float64" if str(kind) == "double" else str(kind))
    return cast("Dtype", name)


def _few(column: Column, most: int) -> bool:
    found = column.values
    repeated = len(found) < column.rows.total()
    return 0 < len(found) <= most and repeated and max(map(len, found)) <= LONGEST


def _doubt(column: Column, what: str, option: str) -> str:
    return f"column {column.name!r}: {what}; --{option} {column.name} says otherwise"


def label(column: Column) -> LabelFeature:
    """The classes of a column.

    Raises:
        DshubError: it cannot be one of classes.
    """
    kind = column.type
    if pa.types.is_boolean(kind):
        return LabelFeature(names=("false", "true"))
    if pa.types.is_integer(kind) and column.limits:
        low, high = column.limits
        if high - low < DISTINCT:
            return LabelFeature(names=tuple(str(i) for i in range(low, high + 1)), first=low)
    elif is_text(kind) and column.counts is not None:
        names = tuple(column.values)
        numbers = all(name.lstrip("-").isdigit() for name in names)
        return LabelFeature(names=names, codes=names if numbers else ())  # names can be mended
    raise DshubError(
        f"column {column.name!r} cannot hold classes: it is {kind}, of more than {DISTINCT:,}",
        hint="a class is a text or a whole number; take it for --text or --number",
    )


def class_counts(column: Column, feature: LabelFeature, split: str) -> tuple[int, ...]:
    """Rows of each class in a split."""
    counts = (column.counts or {}).get(split, Counter())
    return tuple(counts[name] for name in feature.names)


def described(feature: Feature) -> str:
    """A feature in a few words."""
    match feature:
        case LabelFeature():
            told = f"label, {len(feature.names):,} classes"
        case ListFeature():
            told = f"list of {described(feature.of)}"
        case TextFeature():
            told = "text"
        case NumberFeature():
            told = _joined("number", feature.shape, feature.dtype)
        case ImageFeature():
            raw = feature.encoding == "raw"
            told = _joined("image", feature.shape, feature.dtype if raw else feature.encoding)
        case AudioFeature():
            told = f"audio, {feature.rate:,} Hz, {feature.encoding}"
        case _:
            assert_never(feature)
    return told


def _joined(kind: str, shape: Sequence[int], dtype: str) -> str:
    parts: list[Any] = [kind, " x ".join(map(str, shape)), dtype]
    return ", ".join(part for part in parts if part)
