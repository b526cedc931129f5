"""Make columns fit their features.

What kind of file some bytes are, told by how they begin.
"""

from collections.abc import Mapping
from math import prod
from typing import assert_never, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import SchemaError
from dshub.tables.types import Place, arrow_schema, is_text, numbers_of

SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG",),
    "any": (
        b"\xff\xd8\xff",
        b"\x89PNG",
        b"GIF8",
        b"BM",
        b"RIFF",  # WebP
        b"II*\0",  # TIFF
        b"MM\0*",
    ),
    "wav": (b"RIFF",),
    "flac": (b"fLaC",),
}
_WORDS = {"any": "a picture", "jpeg": "a JPEG picture", "png": "a PNG picture"} | {
    "wav": "a WAV recording",
    "flac": "a FLAC recording",
}


def check_signatures(column: pa.Array, encoding: str, place: Place) -> pa.Array:
    """The column as `binary`, each value of which begins as such a file does.

    Raises:
        SchemaError: it holds no files, or one of another kind.
    """
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise SchemaError(where=place.where, expected=_WORDS[encoding], got=str(column.type))
    column = column.cast(pa.binary())
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    content = np.frombuffer(data if data is not None else b"", np.uint8)
    right = np.zeros(len(column), bool)
    for signature in SIGNATURES[encoding]:
        right |= _begin(content, starts, signature)
    wrong = np.flatnonzero(~right)
    if len(wrong):
        row = int(wrong[0])
        begin = cast("bytes", column[row].as_py())[:8]
        got = f"a file that begins with {begin!r}" if begin else "an empty file"
        raise place.fault(row, expected=_WORDS[encoding], got=got)
    return column


def _begin(content: np.ndarray, starts: np.ndarray, signature: bytes) -> np.ndarray:
    """Which values begin so."""
    same = starts[1:] - starts[:-1] >= len(signature)
    for i, byte in enumerate(signature):
        same[same] = content[starts[:-1][same] + i] == byte
    found: np.ndarray = same
    return found


def conform(
    batch: pa.RecordBatch, features: Mapping[str, Feature], *, where: str, first_row: int
) -> pa.RecordBatch:
    """Make what a reader found fit the features, or say what does not.

    Whole numbers may change their width where every value fits, and become floats where those
    hold them exactly; a float may become a narrower one. Text becomes a number where it is the
    text of one, and a class where it is a code or a name of one.

    Args:
        batch: columns as the reader gave them; those without a feature are dropped.
        features: the columns that are wanted, in order.
        where: dataset and split, for errors.
        first_row: number of the batch's first row in its split, for errors.

    Raises:
        SchemaError: a column is missing, a value is missing, of another type or shape, or out
            of range.
    """
    columns = []
    for name, feature in features.items():
        place = Place(f"{where}, column {name}", first_row)
        if name not in batch.schema.names:
            found = ", ".join(batch.schema.names)
            raise SchemaError(where=place.where, expected="that column", got=f"only {found}")
        columns.append(_conform_column(batch.column(name), feature, place))
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(features))


def _conform_column(column: pa.Array, feature: Feature, place: Place) -> pa.Array:
    _check_holes(column, place, 1)
    match feature:
        case AudioFeature():
            return check_signatures(column, feature.encoding, place)
        case ImageFeature() if feature.encoding != "raw":
            return check_signatures(column, feature.encoding, place)
        case ImageFeature() | NumberFeature():
            return _conform_array(column, feature, place)
        case LabelFeature():
            return _conform_label(column, feature, place)
        case ListFeature():
            return _conform_list(column, feature, place)
        case TextFeature():
            return _conform_text(column, place)
        case _:
            assert_never(feature)


def _check_holes(values: pa.Array, place: Place, size: int) -> None:
    """No value may be missing; each row has `size` of them."""
    if values.null_count:
        hole = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        raise place.fault(hole // max(1, size), expected="a value", got="none")


def _conform_text(column: pa.Array, place: Place) -> pa.Array:
    if not is_text(column.type):
        raise SchemaError(where=place.where, expected="text", got=str(column.type))
    return column.cast(pa.string())


def _conform_list(column: pa.Array, feature: ListFeature, place: Place) -> pa.Array:
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise SchemaError(where=place.where, expected="lists", got=str(column.type))
    column = column.cast(pa.list_(column.type.value_type))
    values = column.flatten()
    offsets = cast("np.ndarray", column.offsets.to_numpy())
    offsets = (offsets - offsets[0]).astype(np.int32)
    conformed = _conform_column(values, feature.of, place.within(offsets))
    return pa.ListArray.from_arrays(pa.array(offsets), conformed)


def _conform_array(
    column: pa.Array, feature: ImageFeature | NumberFeature, place: Place
) -> pa.Array:
    """Same values, same number of them a row; lengths of 1 may come and go."""
    shape: tuple[int, ...] = ()
    values = column
    while pa.types.is_fixed_size_list(values.type):
        shape, values = (*shape, values.type.list_size), values.flatten()
        _check_holes(values, place, prod(shape))
    wanted = pa.from_numpy_dtype(np.dtype(feature.dtype))
    if isinstance(feature, NumberFeature):
        values = numbers_of(values, feature, wanted, place.within_rows(prod(shape)))
    if values.type != wanted or _without_ones(shape) != _without_ones(feature.shape):
        raise SchemaError(
            where=place.where,
            expected=_words(feature.shape, str(wanted)),
            got=_words(shape, str(values.type)),
        )
    for length in reversed(feature.shape):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    return values


def _conform_label(column: pa.Array, feature: LabelFeature, place: Place) -> pa.Array:
    first = feature.first
    if is_text(column.type):
        first, column = 0, _looked_up(column, feature, place)
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    if not pa.types.is_integer(column.type):
        raise SchemaError(where=place.where, expected="class numbers", got=str(column.type))
    numbers = cast("np.ndarray", column.to_numpy(zero_copy_only=False)).astype(np.int64)
    numbers = numbers - first
    wrong = np.flatnonzero((numbers < 0) | (numbers >= len(feature.names)))
    if len(wrong):
        last = first + len(feature.names) - 1
        raise place.fault(
            int(wrong[0]),
            expected=f"a class from {first} to {last}",
            got=str(column[int(wrong[0])].as_py()),
        )
    return pa.array(numbers)


def _looked_up(column: pa.Array, feature: LabelFeature, place: Place) -> pa.Array:
    """The class of each text: by code, where there are codes, or by name, or by number."""
    known = feature.codes or feature.names
    texts = column.cast(pa.string())
    found = pc.index_in(texts, value_set=pa.array(known, pa.string()))
    if not found.null_count:
        return found
    row = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
    told = texts[row].as_py()
    if not feature.codes and not any(name.isdigit() for name in known) and told.isdigit():
        numbers = numbers_of(texts, NumberFeature(dtype="int64"), pa.int64(), place)
        return pa.array(numbers.to_numpy() - feature.first)
    some = ", ".join(known[:6]) + (", …" if len(known) > 6 else "")
    raise place.fault(row, expected=f"one of the classes {some}", got=repr(told))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _words(shape: tuple[int, ...], dtype: str) -> str:
    return f"{'x'.join(str(length) for length in shape)} {dtype}" if shape else f"one {dtype}"
