"""Sources of own columns: arrays, lists, Arrow tables."""

from collections.abc import Collection, Mapping, Sequence
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

_KNOWN = "numbers, text or lists; for bytes, `features=` with the kind of the files"
_CONVERT_HINT = "convert the column, or pass its feature in `features`"
_MISSING_HINT = "drop such rows, or fill them, as with `fillna` of pandas"

_CASTS = {  # from types that no feature has, to types that hold the same values
    pa.bool_(): pa.uint8(),
    pa.float16(): pa.float32(),
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
}
_DTYPES = {str(pa.from_numpy_dtype(np.dtype(name))): name for name in get_args(Dtype)}
_DTYPES["halffloat"] = "float32"


class ItemColumn:
    """Rows that are Python objects: `str` or `bytes`."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def gather(self, rows: np.ndarray) -> Values:
        return [self.values[row] for row in rows.tolist()]

    def span(self, start: int, stop: int) -> Values:
        return self.values[start:stop]


def damaged(reason: str) -> ReadError:
    """The error for damaged memory of an Arrow column."""
    return ReadError(file="an Arrow column", reason=reason)


def from_arrays(
    columns: Mapping[str, np.ndarray | Sequence[Any]], features: Mapping[str, Feature] | None
) -> ColumnSource:
    """A source of arrays and lists of one length; missing features are inferred."""
    features = features or {}
    if not isinstance(columns, Mapping):
        expected = "a dict of columns by name"
        raise ArgumentError(name="columns", value=columns, expected=expected)
    lengths = {name: _length(name, column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise _mismatch("columns", "one length", got, "pass columns with a value for each row")
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


def _length(name: str, column: Any) -> int:
    try:
        return len(column)
    except TypeError:
        expected = "an array or a list, with a value for each row"
        raise ArgumentError(name=f"column {name}", value=column, expected=expected) from None


def check_names(features: Mapping[str, Feature], columns: Collection[str], title: str = "") -> None:
    """Check that there is a column for each feature; raises SchemaError."""
    for name, feature in features.items():
        if name not in columns:
            hint = f"the columns are {', '.join(columns)}; check the names in `features`"
            raise _mismatch(f"{title}column {name}", _words(feature), "no such column", hint)


def _column(where: str, values: Any, feature: Feature | None) -> tuple[Column, Feature]:
    """Make a column of values; raises SchemaError if they do not fit the feature."""
    normalized = _normalized(values)
    if isinstance(feature, ListFeature) or (feature is None and _is_ragged(normalized)):
        return _list_column(where, values, feature)
    if isinstance(normalized, list):
        return ItemColumn(normalized), _item_feature(where, normalized, feature)
    array = np.asarray(normalized)
    feature = feature or _infer(where, array)
    if not _fits(array, feature):
        raise _mismatch(where, _words(feature), _shown(array))
    return ArrayColumn(array), feature


def _normalized(values: Any) -> Any:
    """Turn text and bytes into a list, and anything but rows of several lengths into an array.

    The array is a read-only view in native byte order.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "U" and values.ndim == 1:
        return values.tolist()
    if not isinstance(values, np.ndarray) and any(
        all(isinstance(value, kind) for value in values) for kind in (str, bytes)
    ):
        return list(values)
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        return values
    view = array.astype(array.dtype.newbyteorder("="), copy=False).view()
    view.flags.writeable = False
    return view


def _is_ragged(values: Any) -> bool:
    """True if rows are lists of several lengths, or of text."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind == "U" and values.ndim == 2
    return not all(isinstance(value, str | bytes) for value in values)


def _list_column(where: str, rows: Any, feature: ListFeature | None) -> tuple[Column, ListFeature]:
    dtype = row_dtype(feature.of) if feature else None
    try:
        offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        if dtype is None and all(isinstance(value, str) for row in rows for value in row):
            texts = ItemColumn([str(value) for row in rows for value in row])
            column = ListColumn(offsets, texts, count=len(texts.values), fault=damaged)
            return column, feature or ListFeature(of=TextFeature())
        arrays = [
            row if isinstance(row, np.ndarray) else np.asarray(row, dtype)
            for row in rows
            if len(row)
        ]
    except (ValueError, TypeError, OverflowError) as error:
        expected = _words(feature) if feature else "lists of numbers or of text"
        raise _mismatch(where, expected, str(error)) from None
    kinds = {f"{array.dtype} {array.shape[1:]}" for array in arrays}
    if len(kinds) > 1:
        raise _mismatch(where, "rows of one kind", " and ".join(sorted(kinds)))
    shape = row_shape(feature.of) if feature else ()
    flat = np.concatenate(arrays) if arrays else np.empty((0, *shape), dtype)
    item = feature.of if feature else _infer(where, flat)
    if not _fits(flat, item):
        raise _mismatch(where, f"lists of {_words(item)}", f"lists of {_shown(flat)}")
    column = ListColumn(offsets, ArrayColumn(flat), count=len(flat), fault=damaged)
    return column, ListFeature(of=item)


def _item_feature(where: str, values: list[Any], feature: Feature | None) -> Feature:
    """The feature of a list of `str` or `bytes`."""
    got = "bytes" if values and isinstance(values[0], bytes) else "text"
    if feature is None and got == "text":
        return TextFeature()
    expected = _KNOWN if feature is None else _words(feature)
    if feature is None or (expected != got and (values or expected != "bytes")):
        raise _mismatch(where, expected, got)
    return feature


def _infer(where: str, array: np.ndarray) -> NumberFeature:
    if array.dtype == object:
        row = next((row for row, value in enumerate(array) if value is None), None)
        if row is not None:
            raise _mismatch(f"{where}, row {row}", "a value", "None", _MISSING_HINT)
    if array.dtype.name not in get_args(Dtype):
        hint = f"`astype` converts to {', '.join(get_args(Dtype))}"
        raise _mismatch(where, _KNOWN, _shown(array), hint)
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


def _words(feature: Feature) -> str:
    """Describe the values that fit a feature."""
    if isinstance(feature, ListFeature):
        return f"lists of {_words(feature.of)}"
    dtype = row_dtype(feature)
    if dtype is None:
        return "bytes" if is_encoded(feature) else "text"
    if isinstance(feature, LabelFeature):
        return f"{dtype} (rows,) from 0 to {len(feature.names) - 1}"
    return f"{dtype} ({', '.join(['rows', *map(str, row_shape(feature))])})"


def _shown(array: np.ndarray) -> str:
    values = f" from {array.min()} to {array.max()}" if array.dtype.kind in "iu" else ""
    return f"{array.dtype} {array.shape}{values if array.size else ''}"


def from_arrow(table: Any, features: Mapping[str, Feature] | None) -> ColumnSource:
    """A source of an Arrow table; columns are not copied unless they have to be converted.

    Args:
        table: with any number of chunks; or another object with Arrow's C stream interface.
        features: of columns, which are converted to them; others are inferred from their types.
    """
    if not hasattr(table, "__arrow_c_stream__"):
        expected = "a pyarrow.Table, or a DataFrame of pandas or polars, or a RecordBatchReader"
        raise ArgumentError(name="table", value=table, expected=expected)
    table = table if isinstance(table, pa.Table) else pa.table(table)
    given = features or {}
    check_names(given, table.schema.names)
    features, columns, arrow = {}, {}, {}
    for name in table.schema.names:
        column, where = cast_column(table.column(name)), f"column {name}"
        if name in given:
            feature, chunks = given[name], conformed(column.chunks, name, given[name], "own data")
        else:
            feature, chunks = infer_feature(where, column.type), column.chunks
            check_missing(where, chunks)
        features[name], columns[name], arrow[name] = feature, chunked(chunks, feature), chunks
    return ColumnSource(columns, features, table.num_rows, arrow=arrow)


def cast_column(column: Any) -> Any:
    """Cast an array or a chunked array to a type that a feature can have, if it has to be."""
    kind = cast_type(column.type)
    return column if kind == column.type else column.cast(kind)


def cast_type(kind: pa.DataType) -> pa.DataType:
    """The closest type that a feature can have, also for the items of lists."""
    if pa.types.is_list(kind):
        return pa.list_(cast_type(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(cast_type(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(cast_type(kind.value_type), kind.list_size)
    return _CASTS.get(kind, kind)


def conformed(
    chunks: Sequence[pa.Array], name: str, feature: Feature, title: str
) -> list[pa.Array]:
    """Convert the chunks of a column to a feature; raises SchemaError if they do not fit."""
    converted, row = [], 0
    for chunk in chunks:
        batch = pa.RecordBatch.from_pydict({name: chunk})
        converted.append(conform(batch, {name: feature}, where=title, first_row=row).column(0))
        row += len(chunk)
    return converted


def infer_feature(where: str, kind: pa.DataType) -> Feature:
    """The feature of an Arrow type; raises SchemaError if there is none."""
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
    raise _mismatch(where, _KNOWN, str(kind))


def check_missing(where: str, chunks: Sequence[pa.Array]) -> None:
    """Check that no value of a column is missing, at any depth; raises SchemaError."""
    first = 0
    for chunk in chunks:
        row = _first_missing(chunk)
        if row is not None:
            raise _mismatch(f"{where}, row {first + row}", "a value", "none", _MISSING_HINT)
        first += len(chunk)


def _first_missing(values: pa.Array) -> int | None:
    """The first row with a missing value, or None."""
    if values.null_count:
        return int(values.is_null().index(True).as_py())
    if not pa.types.is_nested(values.type):  # structs fit no feature, so these are lists
        return None
    inner = _first_missing(values.flatten())
    return None if inner is None else pc.list_parent_indices(values)[inner].as_py()


def chunked(chunks: Sequence[pa.Array], feature: Feature) -> ChunkedColumn:
    """Arrow arrays as one column."""
    columns = [column_of(chunk, feature, damaged) for chunk in chunks]
    starts = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    return ChunkedColumn(starts, columns.__getitem__, feature)
