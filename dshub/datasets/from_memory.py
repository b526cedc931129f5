"""Create sources from arrays, lists and Arrow tables in memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    BytesFeature,
    DateFeature,
    Dtype,
    Feature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
    Unit,
    is_encoded,
)
from dshub.datasets.inference import (
    SUPPORTED,
    cast_column,
    feature_of,
    mismatch,
    number_feature,
    rounded_boxes,
)
from dshub.datasets.objects import to_arrow
from dshub.datasets.sources import ColumnSource
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.tables.columns import ArrayColumn, ChunkedColumn, Column, ListColumn, Values, column_of
from dshub.tables.conforming import conform
from dshub.tables.types import is_text, row_dtype, row_shape


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
        raise mismatch("columns", "equal lengths", got, "pass columns with a value for each row")
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
    """Convert rows to columns; a key that a row lacks is a missing value."""
    columns: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            expected = "dicts of values by column name"
            raise ArgumentError(name="rows", value=row, expected=expected)
        for name in row:
            if name not in columns:
                columns[name] = [None] * number
        for name, column in columns.items():
            column.append(row.get(name))
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
            raise mismatch(
                f"{title}column {name}", _describe_values(feature), "no such column", hint
            )


def _column(where: str, values: Any, feature: Feature | None) -> tuple[Column, Feature]:
    """Create a column from values; raise SchemaError if they do not fit the feature."""
    normalized = _normalize(values)
    if isinstance(normalized, np.ndarray) and not isinstance(feature, ListFeature):
        feature = feature or _infer(where, normalized)
        normalized = rounded_boxes(normalized, feature)
        if not _fits(normalized, feature):
            raise mismatch(where, _describe_values(feature), _describe_array(normalized))
        return ArrayColumn(normalized), feature
    if isinstance(normalized, list) and not (feature and row_dtype(feature)):
        return ItemColumn(normalized), _item_feature(where, normalized, feature)
    if all(isinstance(row, list | tuple | np.ndarray) for row in values):
        try:
            return _list_column(where, values, feature)
        except SchemaError:
            if not _is_nested(values):
                raise
    return _arrow_column(where, values, feature)


def _arrow_column(where: str, values: Any, feature: Feature | None) -> tuple[Column, Feature]:
    """Create a column from Python objects, some of which can be None."""
    try:
        array = to_arrow(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        expected = _describe_values(feature) if feature else SUPPORTED
        raise mismatch(where, expected, str(error)) from None
    chunks = [cast_column(array)]
    if feature is None:
        feature = feature_of(where, chunks)
        return column_of_chunks(chunks, feature), feature
    try:
        chunks = conform_chunks(chunks, where.removeprefix("column "), feature, "own data")
    except SchemaError as error:
        if error.hint == SchemaError.hint:  # it speaks of a manifest
            raise mismatch(error.where, error.expected, error.got) from error
        raise
    return column_of_chunks(chunks, feature), feature


def _is_nested(rows: Any) -> bool:
    """Return True if lists contain anything but numbers, or anything but text."""
    kinds = {str if isinstance(value, str) else type(value) for row in rows for value in row}
    return bool(kinds & {list, tuple, dict, type(None), bytes, np.ndarray})


def _normalize(values: Any) -> Any:  # noqa: PLR0911  # a case each
    """Convert numbers and dates to a read-only array, and text and bytes to a list.

    Values of other types are returned as they are.
    """
    if isinstance(values, np.ma.MaskedArray):
        return None
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
        return None
    if array.dtype.kind in "OUTS" and (is_objects or array.ndim > 1):
        return None
    if is_objects and array.dtype.kind == "f" and any(map(_is_inexact, values)):
        return None
    view = _supported(array).view()
    view.flags.writeable = False
    return view


def _is_inexact(value: Any) -> bool:
    """Return True for an integer that float64 rounds; NumPy converts some of them silently."""
    return isinstance(value, int) and abs(value) > 1 << 53


def _supported(array: np.ndarray) -> np.ndarray:
    """Return an array in native byte order, and dates in a supported unit, copied if necessary."""
    if array.dtype.kind == "M":
        unit = np.datetime_data(array.dtype)[0]
        unit = unit if unit in get_args(Unit) else "s" if unit in {"h", "m"} else "D"
        return array.astype(f"=M8[{unit}]", copy=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _list_column(where: str, rows: Any, feature: Feature | None) -> tuple[Column, ListFeature]:
    if feature is not None and not isinstance(feature, ListFeature):
        raise mismatch(where, _describe_values(feature), "lists of different lengths")
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
        raise mismatch(where, expected, str(error)) from None
    kinds = {f"{array.dtype} {array.shape[1:]}" for array in arrays}
    if len(kinds) > 1:
        raise mismatch(where, "rows of one dtype and item shape", " and ".join(sorted(kinds)))
    shape = row_shape(feature.of) if feature else ()
    flat = _supported(np.concatenate(arrays)) if arrays else np.empty((0, *shape), dtype)
    item = feature.of if feature else _infer(where, flat)
    flat = rounded_boxes(flat, item)
    if not _fits(flat, item):
        raise mismatch(
            where, f"lists of {_describe_values(item)}", f"lists of {_describe_array(flat)}"
        )
    column = ListColumn(offsets, ArrayColumn(flat), count=len(flat), fault=damage_error)
    return column, ListFeature(of=item)


def _item_feature(where: str, values: list[Any], feature: Feature | None) -> Feature:
    """Return the feature of a list of `str` or `bytes`, inferring it for `str`."""
    got = "bytes" if values and isinstance(values[0], bytes) else "text"
    if feature is None:
        return TextFeature() if got == "text" else BytesFeature()
    expected = _describe_values(feature)
    if expected != got and (values or expected != "bytes"):
        raise mismatch(where, expected, got)
    return feature


def _infer(where: str, array: np.ndarray) -> NumberFeature | DateFeature:
    if array.dtype.kind == "M" and array.ndim == 1:
        unit = np.datetime_data(array.dtype)[0]
        return msgspec.convert({"kind": "date", "unit": unit}, DateFeature)
    if array.dtype.name not in get_args(Dtype):
        hint = f"use `astype` to convert the column to {', '.join(get_args(Dtype))}"
        raise mismatch(where, SUPPORTED, _describe_array(array), hint)
    return number_feature(array.dtype, array.shape[1:])


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
    if isinstance(feature, StructFeature):
        return "dicts"
    dtype = row_dtype(feature)
    if dtype is None:
        return "bytes" if is_encoded(feature) or isinstance(feature, BytesFeature) else "text"
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
    table = _arrow_table(table)
    declared = features or {}
    check_names(declared, table.schema.names)
    features, columns, arrow = {}, {}, {}
    for name in table.schema.names:
        column, feature = table.column(name), declared.get(name) or _classes(table.column(name))
        if isinstance(feature, LabelFeature) and name not in declared:
            column = column.cast(pa.string())  # categories of integers are names, too
        column = cast_column(column)
        chunks = column.chunks or [pa.array([], column.type)]
        if feature is None:
            feature = feature_of(f"column {name}", chunks)
        else:
            chunks = conform_chunks(chunks, name, feature, "own data")
        features[name], columns[name], arrow[name] = (
            feature,
            column_of_chunks(chunks, feature),
            chunks,
        )
    return ColumnSource(columns, features, table.num_rows, arrow=arrow)


def _arrow_table(table: Any) -> pa.Table:
    """Convert a table to Arrow; raise SchemaError if a column cannot be converted."""
    if isinstance(table, pa.Table):
        return table
    try:
        return pa.table(table)
    except pa.ArrowException as error:
        if not hasattr(table, "items"):
            raise mismatch("the table", "columns that Arrow can hold", str(error)) from error
    # pyarrow does not convert columns of arrays in a pandas.DataFrame
    return pa.table({str(name): _arrow_array(column, name) for name, column in table.items()})


def _arrow_array(column: Any, name: str) -> pa.Array:
    try:
        return pa.array(column, from_pandas=True)
    except pa.ArrowException:
        pass
    try:
        return to_arrow(column)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise mismatch(f"column {name}", SUPPORTED, str(error)) from None


def _classes(column: pa.ChunkedArray) -> LabelFeature | None:
    """Return the feature of a dictionary of text or integers, such as a pandas category."""
    kind = column.type
    if not pa.types.is_dictionary(kind):
        return None
    if not (is_text(kind.value_type) or pa.types.is_integer(kind.value_type)):
        return None
    values = column.unify_dictionaries().chunk(0).dictionary if len(column) else pa.array([], kind)
    names = values.cast(pa.string()).to_pylist()
    optional = bool(column.null_count)
    return LabelFeature(names=tuple(names), optional=optional) if names else None


def conform_chunks(
    chunks: Sequence[pa.Array], name: str, feature: Feature, title: str
) -> list[pa.Array]:
    """Convert the chunks of a column to fit a feature; raise SchemaError if they cannot."""
    converted, row = [], 0
    for chunk in chunks:
        batch = pa.RecordBatch.from_pydict({name: chunk})
        features = {name: _without_codes(feature, chunk.type)}
        converted.append(conform(batch, features, where=title, first_row=row).column(0))
        row += len(chunk)
    return converted


def _without_codes(feature: Feature, kind: pa.DataType) -> Feature:
    """Return a feature without codes for integers in memory, which are numbers of classes."""
    if isinstance(feature, LabelFeature) and pa.types.is_integer(kind):
        return msgspec.structs.replace(feature, codes=())
    if isinstance(feature, ListFeature) and (
        pa.types.is_list(kind) or pa.types.is_large_list(kind)
    ):
        return msgspec.structs.replace(feature, of=_without_codes(feature.of, kind.value_type))
    return feature


def column_of_chunks(chunks: Sequence[pa.Array], feature: Feature) -> ChunkedColumn:
    """Combine Arrow arrays into one column."""
    columns = [column_of(chunk, feature, damage_error) for chunk in chunks]
    starts = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    return ChunkedColumn(starts, columns.__getitem__, feature)
