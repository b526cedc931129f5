"""Create sources from arrays, lists and Arrow tables in memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import (
    Dtype,
    Feature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    is_encoded,
)
from dshub.datasets.sources import ColumnSource
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.tables.columns import ArrayColumn, ChunkedColumn, Column, ListColumn, Values, column_of
from dshub.tables.conforming import conform
from dshub.tables.types import row_dtype, row_shape, shaped

_SUPPORTED = "numbers, text or lists (pass the feature of bytes in `features`)"
_CONVERT_HINT = "convert the column, or pass its feature in `features`"
_MISSING_HINT = "drop rows with missing values, or fill them, for example with pandas `fillna`"

_CASTS = {  # unsupported types to supported types that can hold the same values
    pa.bool_(): pa.uint8(),
    pa.float16(): pa.float32(),
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
}
_DTYPES = {str(pa.from_numpy_dtype(np.dtype(name))): name for name in get_args(Dtype)}
_DTYPES["halffloat"] = "float32"


class ItemColumn:
    """A column of Python objects, `str` or `bytes`."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def gather(self, rows: np.ndarray) -> Values:
        return [self.values[row] for row in rows.tolist()]

    def span(self, start: int, stop: int) -> Values:
        return self.values[start:stop]


def damage_error(reason: str) -> ReadError:
    """Return the error for an Arrow column with damaged memory."""
    return ReadError(file="an Arrow column", reason=reason)


def from_arrays(
    columns: Mapping[str, np.ndarray | Sequence[Any]], features: Mapping[str, Feature] | None
) -> ColumnSource:
    """Create a source from arrays and lists of equal length, inferring missing features."""
    features = features or {}
    if not isinstance(columns, Mapping):
        expected = "a dict of columns by name"
        raise ArgumentError(name="columns", value=columns, expected=expected)
    lengths = {name: _length(name, column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise _mismatch("columns", "equal lengths", got, "pass columns with a value for each row")
    check_names(features, columns)
    pairs = {
        name: _column(f"column {name}", values, features.get(name))
        for name, values in columns.items()
    }
    return ColumnSource(
        {name: column for name, (column, _) in pairs.items()},
        {name: feature for name, (_, feature) in pairs.items()},
        next(iter(lengths.values()), 0),
    )


def columns_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Convert rows to columns; raise SchemaError if rows have different keys."""
    columns: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            expected = "dicts of values by column name"
            raise ArgumentError(name="rows", value=row, expected=expected)
        if number and row.keys() != columns.keys():
            names = [", ".join(map(str, keys)) for keys in (columns, row)]
            hint = "give every row the same keys"
            raise _mismatch(f"row {number}", f"the keys {names[0]}", names[1], hint)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns


def _length(name: str, column: Any) -> int:
    try:
        return len(column)
    except TypeError:
        expected = "an array or a list, with a value for each row"
        raise ArgumentError(name=f"column {name}", value=column, expected=expected) from None


def check_features(features: Mapping[str, Feature]) -> None:
    """Raise ArgumentError for values that are not features."""
    for name, feature in features.items():
        if not isinstance(feature, Feature):
            expected = 'a feature, such as NumberFeature(dtype="int64")'
            raise ArgumentError(name=f"the feature of {name}", value=feature, expected=expected)


def check_names(features: Mapping[str, Feature], columns: Collection[str], title: str = "") -> None:
    """Raise SchemaError if a feature has no column, and ArgumentError if it is not a feature."""
    check_features(features)
    for name, feature in features.items():
        if name not in columns:
            hint = f"the columns are {', '.join(columns)}; check the names in `features`"
            raise _mismatch(
                f"{title}column {name}", _describe_values(feature), "no such column", hint
            )


def _column(where: str, values: Any, feature: Feature | None) -> tuple[Column, Feature]:
    """Create a column from values; raise SchemaError if they do not fit the feature."""
    normalized = _normalize(values)
    if isinstance(feature, ListFeature) or (feature is None and _is_ragged(normalized)):
        return _list_column(where, values, feature)
    if isinstance(normalized, list):
        return ItemColumn(normalized), _item_feature(where, normalized, feature)
    array = np.asarray(normalized)
    feature = feature or _infer(where, array)
    if not _fits(array, feature):
        raise _mismatch(where, _describe_values(feature), _describe_array(array))
    return ArrayColumn(array), feature


def _normalize(values: Any) -> Any:
    """Convert text and bytes to a list, and other values to an array.

    The array is read-only. Rows of different lengths are returned unchanged.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "UT" and values.ndim == 1:
        return values.tolist()
    is_objects = not isinstance(values, np.ndarray) or values.dtype == object
    if is_objects and any(
        all(isinstance(value, kind) for value in values) for kind in (str, bytes)
    ):
        return list(values)
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths cannot form an array
        return values
    view = _supported(array).view()
    view.flags.writeable = False
    return view


def _supported(array: np.ndarray) -> np.ndarray:
    """Return an array in native byte order, bools as 0 and 1, without copying if possible."""
    if array.dtype == bool:
        return array.view(np.uint8)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _is_ragged(values: Any) -> bool:
    """Return True if rows are lists of text, or differ in length."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind == "U" and values.ndim == 2
    return not all(isinstance(value, str | bytes) for value in values)


def _list_column(where: str, rows: Any, feature: ListFeature | None) -> tuple[Column, ListFeature]:
    dtype = row_dtype(feature.of) if feature else None
    try:
        offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        if dtype is None and all(isinstance(value, str) for row in rows for value in row):
            texts = ItemColumn([str(value) for row in rows for value in row])
            column = ListColumn(offsets, texts, count=len(texts.values), fault=damage_error)
            return column, feature or ListFeature(of=TextFeature())
        arrays = [
            row if isinstance(row, np.ndarray) else np.asarray(row, dtype)
            for row in rows
            if len(row)
        ]
    except (ValueError, TypeError, OverflowError) as error:
        expected = _describe_values(feature) if feature else "lists of numbers or text"
        raise _mismatch(where, expected, str(error)) from None
    kinds = {f"{array.dtype} {array.shape[1:]}" for array in arrays}
    if len(kinds) > 1:
        raise _mismatch(where, "rows of one dtype and item shape", " and ".join(sorted(kinds)))
    shape = row_shape(feature.of) if feature else ()
    flat = _supported(np.concatenate(arrays)) if arrays else np.empty((0, *shape), dtype)
    item = feature.of if feature else _infer(where, flat)
    if not _fits(flat, item):
        raise _mismatch(
            where, f"lists of {_describe_values(item)}", f"lists of {_describe_array(flat)}"
        )
    column = ListColumn(offsets, ArrayColumn(flat), count=len(flat), fault=damage_error)
    return column, ListFeature(of=item)


def _item_feature(where: str, values: list[Any], feature: Feature | None) -> Feature:
    """Return the feature of a list of `str` or `bytes`, inferring it for `str`."""
    got = "bytes" if values and isinstance(values[0], bytes) else "text"
    if feature is None and got == "text":
        return TextFeature()
    expected = _SUPPORTED if feature is None else _describe_values(feature)
    if feature is None or (expected != got and (values or expected != "bytes")):
        raise _mismatch(where, expected, got)
    return feature


def _infer(where: str, array: np.ndarray) -> NumberFeature:
    if array.dtype == object:
        row = next((row for row, value in enumerate(array) if value is None), None)
        if row is not None:
            raise _mismatch(f"{where}, row {row}", "a value", "None", _MISSING_HINT)
    if array.dtype.name not in get_args(Dtype):
        hint = f"use `astype` to convert the column to {', '.join(get_args(Dtype))}"
        raise _mismatch(where, _SUPPORTED, _describe_array(array), hint)
    return _number(array.dtype, array.shape[1:])


def _mismatch(where: str, expected: str, got: str, hint: str = _CONVERT_HINT) -> SchemaError:
    return SchemaError(where=where, expected=expected, got=got, hint=hint)


def _number(dtype: np.dtype, shape: tuple[int, ...]) -> NumberFeature:
    return msgspec.convert({"dtype": dtype.name, "shape": shape}, NumberFeature)


def _fits(array: np.ndarray, feature: Feature) -> bool:
    dtype = row_dtype(feature)
    same = dtype is not None and array.dtype == dtype and array.shape[1:] == row_shape(feature)
    if same and isinstance(feature, LabelFeature) and len(array):
        return bool(array.min() >= 0 and array.max() < len(feature.names))
    return same


def _describe_values(feature: Feature) -> str:
    """Describe the values that fit a feature."""
    if isinstance(feature, ListFeature):
        return f"lists of {_describe_values(feature.of)}"
    dtype = row_dtype(feature)
    if dtype is None:
        return "bytes" if is_encoded(feature) else "text"
    if isinstance(feature, LabelFeature):
        return f"{dtype} (rows,) from 0 to {len(feature.names) - 1}"
    return f"{dtype} ({', '.join(['rows', *map(str, row_shape(feature))])})"


def _describe_array(array: np.ndarray) -> str:
    values = f" from {array.min()} to {array.max()}" if array.dtype.kind in "iu" else ""
    return f"{array.dtype} {array.shape}{values if array.size else ''}"


def from_arrow(table: Any, features: Mapping[str, Feature] | None) -> ColumnSource:
    """Create a source from an Arrow table, copying only columns that must be converted.

    Args:
        table: table with any number of chunks, or another object with Arrow's C stream interface.
        features: features of columns, which are converted to match; other features are inferred
            from Arrow types.
    """
    if not hasattr(table, "__arrow_c_stream__"):
        expected = "a pyarrow.Table, a pandas or polars DataFrame, or a RecordBatchReader"
        raise ArgumentError(name="table", value=table, expected=expected)
    table = table if isinstance(table, pa.Table) else pa.table(table)
    declared = features or {}
    check_names(declared, table.schema.names)
    features, columns, arrow = {}, {}, {}
    for name in table.schema.names:
        column, where = cast_column(table.column(name)), f"column {name}"
        if name in declared:
            feature = declared[name]
            chunks = conform_chunks(column.chunks, name, feature, "own data")
        else:
            feature, chunks = infer_feature(where, column.type), column.chunks
            check_missing(where, chunks)
        features[name], columns[name], arrow[name] = (
            feature,
            column_of_chunks(chunks, feature),
            chunks,
        )
    return ColumnSource(columns, features, table.num_rows, arrow=arrow)


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
    return _CASTS.get(kind, kind)


def conform_chunks(
    chunks: Sequence[pa.Array], name: str, feature: Feature, title: str
) -> list[pa.Array]:
    """Convert the chunks of a column to fit a feature; raise SchemaError if they cannot."""
    converted, row = [], 0
    for chunk in chunks:
        batch = pa.RecordBatch.from_pydict({name: chunk})
        converted.append(conform(batch, {name: feature}, where=title, first_row=row).column(0))
        row += len(chunk)
    return converted


def from_zero(feature: Feature) -> Feature:
    """Return a feature with classes numbered from 0, as in arrays of dshub."""
    if isinstance(feature, ListFeature):
        return msgspec.structs.replace(feature, of=from_zero(feature.of))
    if isinstance(feature, LabelFeature):
        return msgspec.structs.replace(feature, first=0)
    return feature


def infer_feature(where: str, kind: pa.DataType) -> Feature:
    """Return the feature of an Arrow type; raise SchemaError if the type is unsupported."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = infer_feature(where, kind.value_type)
        if isinstance(item, NumberFeature | TextFeature):
            return ListFeature(of=item)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return TextFeature()
    else:
        inner, shape = shaped(kind)
        if str(inner) in _DTYPES:
            return _number(np.dtype(_DTYPES[str(inner)]), shape)
    raise _mismatch(where, _SUPPORTED, str(kind))


def check_missing(where: str, chunks: Sequence[pa.Array]) -> None:
    """Raise SchemaError if a value of a column is missing, at any depth."""
    first = 0
    for chunk in chunks:
        row = _first_missing(chunk)
        if row is not None:
            raise _mismatch(f"{where}, row {first + row}", "a value", "none", _MISSING_HINT)
        first += len(chunk)


def _first_missing(values: pa.Array) -> int | None:
    """Return the first row with a missing value, or None."""
    if values.null_count:
        return int(values.is_null().index(True).as_py())
    if not pa.types.is_nested(values.type):  # only lists, because structs are unsupported
        return None
    inner = _first_missing(values.flatten())
    return None if inner is None else pc.list_parent_indices(values)[inner].as_py()


def column_of_chunks(chunks: Sequence[pa.Array], feature: Feature) -> ChunkedColumn:
    """Combine Arrow arrays into one column."""
    columns = [column_of(chunk, feature, damage_error) for chunk in chunks]
    starts = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    return ChunkedColumn(starts, columns.__getitem__, feature)
