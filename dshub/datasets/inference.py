"""Infer features from Arrow types and missing values."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import (
    BoxFeature,
    BytesFeature,
    DateFeature,
    Dtype,
    Feature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.errors import SchemaError
from dshub.tables.types import inner_values, is_text, shaped

SUPPORTED = "values of one type: numbers, text or lists (for bytes, pass a feature in `features`)"
_CONVERT_HINT = "convert the column, or pass its feature in `features`"
_MISSING_HINT = "pass a feature with optional=True, or drop or fill rows with missing values"

_CASTS = {  # unsupported types to supported types that can hold the same values
    pa.float16(): pa.float32(),
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
    pa.date64(): pa.date32(),
}
_DTYPES = {str(pa.from_numpy_dtype(np.dtype(name))): name for name in get_args(Dtype)}
_DTYPES["halffloat"] = "float32"


def cast_column(column: Any) -> Any:
    """Cast an array or chunked array to a supported type, if necessary."""
    kind = cast_type(column.type)
    return column if kind == column.type else column.cast(kind)


def cast_type(kind: pa.DataType) -> pa.DataType:
    """Return the closest supported type; for lists, convert the item type."""
    if pa.types.is_list(kind):
        return pa.list_(cast_type(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(cast_type(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(cast_type(kind.value_type), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct({field.name: cast_type(field.type) for field in kind})
    if pa.types.is_dictionary(kind):
        return cast_type(kind.value_type)
    return _CASTS.get(kind, kind)


def feature_of(where: str, chunks: Sequence[pa.Array]) -> Feature:
    """Infer the feature of Arrow arrays; it is optional where values are missing.

    Raises:
        SchemaError: the type is unsupported, or all values are missing.
    """
    missing = {path for chunk in chunks for path in missing_paths(chunk)}
    return infer_feature(where, chunks[0].type, missing)


def missing_paths(values: pa.Array, path: str = "") -> Iterator[str]:
    """Yield the paths of missing values, such as `""`, `[]` for list items, or `.name`."""
    if values.null_count:
        yield path
        values = values.drop_null()
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        yield from missing_paths(values.flatten(), f"{path}[]")
    elif pa.types.is_struct(values.type):
        for number, field in enumerate(values.type):
            yield from missing_paths(values.field(number), f"{path}.{field.name}")
    elif pa.types.is_fixed_size_list(values.type) and inner_values(values).null_count:
        yield f"{path}[]"


def infer_feature(
    where: str, kind: pa.DataType, missing: Collection[str] = (), path: str = ""
) -> Feature:
    """Infer the feature of an Arrow type.

    Args:
        where: description of the column, for errors.
        kind: type of the values.
        missing: paths of missing values; see `missing_paths`.
        path: path of the values.

    Raises:
        SchemaError: the type is unsupported.
    """
    optional = path in missing
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = infer_feature(where, kind.value_type, missing, f"{path}[]")
        return ListFeature(of=item, optional=optional)
    if pa.types.is_struct(kind) and kind.num_fields:
        fields = {
            field.name: infer_feature(
                f"{where}, field {field.name}", field.type, missing, f"{path}.{field.name}"
            )
            for field in kind
        }
        return StructFeature(fields=fields, optional=optional)
    if pa.types.is_fixed_size_list(kind) and f"{path}[]" in missing:
        raise mismatch(where, "arrays without missing values", "arrays with missing values")
    return _feature_of_type(where, kind, optional=optional)


def _feature_of_type(where: str, kind: pa.DataType, *, optional: bool) -> Feature:
    """Return the feature of an Arrow type without nested fields."""
    if is_text(kind):
        return TextFeature(optional=optional)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return BytesFeature(optional=optional)
    if pa.types.is_date(kind):
        return DateFeature(optional=optional)
    if pa.types.is_timestamp(kind):
        return DateFeature(unit=kind.unit, timezone=kind.tz or "", optional=optional)
    inner, shape = shaped(kind)
    if str(inner) not in _DTYPES:
        got = "only missing values" if pa.types.is_null(kind) else str(kind)
        raise mismatch(where, SUPPORTED, got)
    dtype = np.dtype(_DTYPES[str(inner)])
    return msgspec.structs.replace(number_feature(dtype, shape), optional=optional)


def check_missing(where: str, chunks: Sequence[pa.Array]) -> None:
    """Raise SchemaError if a value of a column is missing, at any depth."""
    first = 0
    for chunk in chunks:
        row = _first_missing(chunk)
        if row is not None:
            raise mismatch(f"{where}, row {first + row}", "a value", "none", _MISSING_HINT)
        first += len(chunk)


def _first_missing(values: pa.Array) -> int | None:
    """Return the first row with a missing value, or None."""
    if values.null_count:
        return int(values.is_null().index(True).as_py())
    if not pa.types.is_nested(values.type):
        return None
    if pa.types.is_struct(values.type):
        rows = [_first_missing(values.field(number)) for number in range(values.type.num_fields)]
        return min((row for row in rows if row is not None), default=None)
    inner = _first_missing(values.flatten())
    return None if inner is None else pc.list_parent_indices(values)[inner].as_py()


def mismatch(where: str, expected: str, got: str, hint: str = _CONVERT_HINT) -> SchemaError:
    """Return the error for a column that does not fit."""
    return SchemaError(where=where, expected=expected, got=got, hint=hint)


def number_feature(dtype: np.dtype, shape: tuple[int, ...]) -> NumberFeature:
    """Return the feature of numbers with a dtype and row shape."""
    return msgspec.convert({"dtype": dtype.name, "shape": shape}, NumberFeature)


def rounded_boxes(array: np.ndarray, feature: Feature) -> np.ndarray:
    """Convert the numbers of boxes to their dtype, and return other arrays unchanged."""
    is_box = isinstance(feature, BoxFeature) and array.dtype.kind in "iuf"
    return array.astype(feature.dtype, copy=False) if is_box else array  # type: ignore[union-attr]


def from_zero(feature: Feature) -> Feature:
    """Return a feature with classes numbered from 0, as in arrays of dshub."""
    if isinstance(feature, ListFeature):
        return msgspec.structs.replace(feature, of=from_zero(feature.of))
    if isinstance(feature, StructFeature):
        fields = {name: from_zero(of) for name, of in feature.fields.items()}
        return msgspec.structs.replace(feature, fields=fields)
    if isinstance(feature, LabelFeature):
        return msgspec.structs.replace(feature, first=0)
    return feature
