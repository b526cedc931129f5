"""Convert columns from readers to the types of their features."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import assert_never, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.cache.pointers import LONGEST, pointer_in
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
from dshub.errors import SchemaError
from dshub.tables.encodings import SIGNATURES
from dshub.tables.missing import TEXTS
from dshub.tables.types import arrow_schema, arrow_type, is_text

_ENCODINGS = {
    "jpeg": "a JPEG image",
    "png": "a PNG image",
    "any": "an image",
    "wav": "a WAV file",
    "flac": "a FLAC file",
    "mp3": "an MP3 file",
    "ogg": "an Ogg file",
    "aiff": "an AIFF file",
    "audio": "an audio file",
}


_MISSING_HINT = "make the feature optional (`optional = true`), or drop or fill these rows"


@dataclass(frozen=True)
class _Place:
    """The position of a column's values in a split, for errors.

    Attributes:
        where: dataset, split and column.
        first_row: number of the batch's first row in the split.
        row_of: function that converts the index of a value to its row in the batch.
    """

    where: str
    first_row: int
    row_of: Callable[[int], int] = int

    def of_parts(self, size: int) -> "_Place":
        """Return the place of the inner values of lists with `size` values each."""
        return replace(self, row_of=lambda value: self.row_of(value // size))

    def error(self, value: int, *, expected: str, got: str, hint: str = "") -> SchemaError:
        row = self.first_row + self.row_of(value)
        where = f"{self.where}, row {row}"
        return SchemaError(where=where, expected=expected, got=got, hint=hint, row=row)

    def type_error(self, expected: str, values: pa.Array) -> SchemaError:
        return SchemaError(where=self.where, expected=expected, got=str(values.type))


def conform(
    batch: pa.RecordBatch, features: Mapping[str, Feature], *, where: str, first_row: int
) -> pa.RecordBatch:
    """Convert the columns of a reader to the types of their features.

    Integers can change their width, or become floats, if every value is preserved. Floats can
    become narrower. Text becomes a number, or a class with that code or name.

    Args:
        batch: columns from the reader; columns without a feature are dropped.
        features: features of the columns to return, in order.
        where: dataset and split, for errors.
        first_row: number of the batch's first row in the split, for errors.

    Raises:
        SchemaError: a column or value is missing, out of range, or has the wrong type or shape.
    """
    columns, found = [], dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, feature in features.items():
        place = _Place(f"{where}, column {name}", first_row)
        if name not in found:
            names = ", ".join(found)
            raise SchemaError(where=place.where, expected="this column", got=f"only {names}")
        columns.append(_conform_column(found[name], feature, place))
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(features))


def _conform_column(column: pa.Array, feature: Feature, place: _Place) -> pa.Array:
    if pa.types.is_null(column.type) and not len(column):  # such as the items of empty lists
        return pa.nulls(0, arrow_type(feature))
    if feature.optional:
        return _conform_optional(column, feature, place)
    if pa.types.is_null(column.type) and not len(column):  # the items of empty lists
        return pa.nulls(0, arrow_type(feature))
    _check_not_null(column, place)
    return _conform_values(column, feature, place)


def _conform_optional(column: pa.Array, feature: Feature, place: _Place) -> pa.Array:
    """Convert the values that are not missing."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), arrow_type(feature))
    if is_text(column.type) and (texts := _missing_texts(feature)):
        missing = pc.is_in(column, value_set=pa.array(texts, column.type))
        column = pc.if_else(missing, pa.scalar(None, column.type), column)
    if not column.null_count:
        return _conform_values(column, feature, place)
    present = cast("np.ndarray", column.is_valid().to_numpy(zero_copy_only=False))
    rows = np.flatnonzero(present)

    def row_of(value: int) -> int:
        return place.row_of(int(rows[value]))

    values = _conform_values(column.drop_null(), feature, replace(place, row_of=row_of))
    return values.take(pa.array(np.cumsum(present) - 1, mask=~present))


def _missing_texts(feature: Feature) -> list[str]:
    """Return the texts that mean a missing value of an optional column."""
    if isinstance(feature, LabelFeature):
        classes = feature.codes or feature.names
        return [text for text in TEXTS if text not in classes]
    return list(feature.missing) if isinstance(feature, NumberFeature) else []


def _conform_values(column: pa.Array, feature: Feature, place: _Place) -> pa.Array:  # noqa: C901, PLR0911, PLR0912  # a case each
    match feature:
        case AudioFeature():
            kind = "audio" if feature.encoding == "any" else feature.encoding
            return _conform_files(column, feature.encoding, kind, place)
        case ImageFeature() | MaskFeature() if feature.encoding != "raw":
            return _conform_files(column, feature.encoding, "image", place)
        case ImageFeature() | MaskFeature() | NumberFeature():
            return _conform_array(column, feature, place)
        case BoxFeature():
            numbers = NumberFeature(dtype=feature.dtype, shape=feature.shape)
            return _conform_array(column, numbers, place)
        case LabelFeature():
            return _conform_label(column, feature, place)
        case ListFeature():
            return _conform_list(column, feature, place)
        case StructFeature():
            return _conform_struct(column, feature, place)
        case DateFeature():
            return _conform_date(column, feature, place)
        case TextFeature():
            if not is_text(column.type):
                raise place.type_error("text", column)
            return column.cast(pa.string())
        case BytesFeature():
            if not _is_binary(column.type):
                raise place.type_error("bytes", column)
            return column.cast(pa.binary())
        case _:
            assert_never(feature)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _conform_struct(column: pa.Array, feature: StructFeature, place: _Place) -> pa.Array:
    """Convert the fields of structs; missing optional fields become nulls."""
    if not pa.types.is_struct(column.type):
        raise place.type_error("structs", column)
    present = {field.name for field in column.type}
    fields = []
    for name, of in feature.fields.items():
        inner = replace(place, where=f"{place.where}, field {name}")
        if name in present:
            fields.append(_conform_column(column.field(name), of, inner))
        elif of.optional:
            fields.append(pa.nulls(len(column), arrow_type(of)))
        else:
            names = ", ".join(sorted(present))
            raise SchemaError(where=inner.where, expected="this field", got=f"only {names}")
    return pa.StructArray.from_arrays(fields, fields=list(arrow_type(feature)))


def _conform_date(column: pa.Array, feature: DateFeature, place: _Place) -> pa.Array:
    """Convert dates, times, their text in ISO 8601, or counts of the unit since 1970.

    Times cannot become days.
    """
    kind = arrow_type(feature)
    if pa.types.is_integer(column.type):
        column = column.cast(pa.int32() if feature.unit == "D" else pa.int64())
        return column.cast(kind)
    if not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
        if not is_text(column.type):
            raise place.type_error("dates", column)
    elif column.type == kind:
        return column
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise place.type_error(f"{kind}, but {error}", column) from None


def _check_not_null(values: pa.Array, place: _Place) -> None:
    if values.null_count:
        null = pc.index(values.is_null(), value=True).as_py()
        raise place.error(null, expected="a value", got="none", hint=_MISSING_HINT)


def _conform_files(column: pa.Array, encoding: str, kind: str, place: _Place) -> pa.Array:
    """Check that every value begins with a signature of its kind of files.

    Images of a column can have any format, because upstream files have wrong names.
    """
    expected = _ENCODINGS[encoding if kind == "image" else kind]
    if not _is_binary(column.type):
        raise place.type_error(expected, column)
    matches = (pc.starts_with(column, pattern=signature) for signature in SIGNATURES[kind])
    row = pc.index(reduce(pc.or_, matches), value=False).as_py()
    if row >= 0:
        data = cast("bytes", column[row].as_py())
        got = f"a file that begins with {data[:8]!r}" if data else "an empty file"
        pointer = pointer_in(data[:LONGEST])
        raise place.error(row, expected=expected, got=pointer.name if pointer else got)
    return column.cast(pa.binary())


def _conform_list(column: pa.Array, feature: ListFeature, place: _Place) -> pa.Array:
    if not (_is_list(column.type) or pa.types.is_fixed_size_list(column.type)):
        raise place.type_error("lists", column)
    column = column.cast(pa.list_(column.type.value_type))
    offsets = cast("np.ndarray", column.offsets.to_numpy())
    offsets = (offsets - offsets[0]).astype(np.int32)

    def row_of(value: int) -> int:
        return int(np.searchsorted(offsets, value, side="right")) - 1

    values = _conform_column(column.flatten(), feature.of, replace(place, row_of=row_of))
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _conform_array(
    column: pa.Array, feature: ImageFeature | MaskFeature | NumberFeature, place: _Place
) -> pa.Array:
    """Convert arrays to a feature's dtype and shape, adding or dropping dimensions of length 1.

    Lists of any length, such as those of JSON, become arrays if their lengths are those of the
    shape.
    """
    shape: tuple[int, ...] = ()
    values, inner = column, place
    while pa.types.is_fixed_size_list(values.type) or (
        _is_list(values.type) and len(shape) < len(feature.shape)
    ):
        length = _length(values, feature.shape, len(shape), inner)
        shape, values = (*shape, length), values.flatten()
        inner = place.of_parts(prod(shape))
        if pa.types.is_floating(values.type):
            values = values.fill_null(float("nan"))  # JSON has no NaN
        _check_not_null(values, inner)
    kind = pa.from_numpy_dtype(np.dtype(feature.dtype))
    if isinstance(feature, NumberFeature):
        values = _conform_numbers(values, feature, kind, inner)
    if values.type != kind or _without_ones(shape) != _without_ones(feature.shape):
        raise SchemaError(
            where=place.where,
            expected=_describe(feature.shape, kind),
            got=_describe(shape, values.type),
        )
    for length in reversed(feature.shape):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    return values


def _length(lists: pa.Array, shape: tuple[int, ...], axis: int, place: _Place) -> int:
    """Return the length of all lists, after comparing lists of any length with the shape."""
    if pa.types.is_fixed_size_list(lists.type):
        return cast("int", lists.type.list_size)
    lengths = cast("np.ndarray", lists.value_lengths().to_numpy(zero_copy_only=False))
    wrong = np.flatnonzero(lengths != shape[axis])
    if len(wrong):
        expected, got = (f"{count:,} values" for count in (shape[axis], int(lengths[wrong[0]])))
        raise place.error(int(wrong[0]), expected=expected, got=got)
    return shape[axis]


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _describe(shape: tuple[int, ...], kind: pa.DataType) -> str:
    return f"{'x'.join(map(str, shape)) or 'one'} {kind}"


def _conform_numbers(
    values: pa.Array, feature: NumberFeature, kind: pa.DataType, place: _Place
) -> pa.Array:
    """Cast numbers or text to a numeric type; return values of other types unchanged.

    Raises:
        SchemaError: a string is not a number, or a number does not fit the type.
    """
    if values.type == kind or not _may_become(values, kind):
        return values
    through, expected = kind, f"one {kind}"
    if is_text(values.type):
        expected = f"the text of one {kind}"
        if feature.missing:
            missing = pc.is_in(values, value_set=pa.array(feature.missing, values.type))
            values = pc.if_else(missing, pa.scalar("nan", values.type), values)
        if pa.types.is_floating(kind):
            through = pa.float64()  # parse text as the nearest double, even for narrower floats
    try:
        return values.cast(through).cast(kind)
    except pa.ArrowInvalid:
        first = _first_wrong(values, kind)
        got = values[first].as_py()
        raise place.error(
            first, expected=expected, got=repr(got) if isinstance(got, str) else str(got)
        ) from None


def _may_become(values: pa.Array, kind: pa.DataType) -> bool:
    """Return True if values can be cast to a numeric type in principle."""
    own = values.type
    if pa.types.is_boolean(kind) and pa.types.is_integer(own):
        return not pc.any(pc.or_(pc.less(values, 0), pc.greater(values, 1))).as_py()
    if pa.types.is_floating(own):
        return bool(pa.types.is_floating(kind))
    return bool(is_text(own) or pa.types.is_integer(own) or pa.types.is_boolean(own))


def _first_wrong(values: pa.Array, kind: pa.DataType) -> int:
    """Return the index of the first value that cannot be cast."""

    def fails(count: int) -> bool:
        try:
            values[:count].cast(kind)
        except pa.ArrowInvalid:
            return True
        return False

    return bisect_left(range(1, len(values)), True, key=fails)  # noqa: FBT003


def _conform_label(column: pa.Array, feature: LabelFeature, place: _Place) -> pa.Array:
    first = feature.first
    if pa.types.is_integer(column.type) and _are_numbers(feature.codes):
        column = column.cast(pa.string())
    if is_text(column.type):
        first, column = 0, _look_up_classes(column, feature, place)
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    if not pa.types.is_integer(column.type):
        raise place.type_error("class numbers", column)
    numbers = cast("np.ndarray", column.to_numpy(zero_copy_only=False)).astype(np.int64) - first
    wrong = np.flatnonzero((numbers < 0) | (numbers >= len(feature.names)))
    if len(wrong):
        row, last = int(wrong[0]), first + len(feature.names) - 1
        got = str(column[row].as_py())
        raise place.error(row, expected=f"a class from {first} to {last}", got=got)
    return pa.array(numbers)


def _are_numbers(codes: Sequence[str]) -> bool:
    return bool(codes) and all(code.removeprefix("-").isdecimal() for code in codes)


def _look_up_classes(column: pa.Array, feature: LabelFeature, place: _Place) -> pa.Array:
    """Look up the class of each string by code, or by name or number if there are no codes."""
    codes = feature.codes or feature.names
    texts = column.cast(pa.string())
    classes = pc.index_in(texts, value_set=pa.array(codes, pa.string()))
    if not classes.null_count:
        return classes
    row = pc.index(classes.is_null(), value=True).as_py()
    text = texts[row].as_py()
    if not feature.codes and not any(name.isdigit() for name in codes) and text.isdigit():
        numbers = _conform_numbers(texts, NumberFeature(dtype="int64"), pa.int64(), place)
        return pa.array(numbers.to_numpy() - feature.first)
    some = ", ".join(codes[:6]) + (", …" if len(codes) > 6 else "")
    raise place.error(row, expected=f"one of the classes {some}", got=repr(text))
