"""Create sources from arrays, lists and Arrow tables in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from dshub.datasets.sources import ColumnSource
from dshub.errors import ArgumentError, ReadError, SchemaError
from dshub.tables.columns import ArrayColumn, ChunkedColumn, Column, ListColumn, Values, column_of
from dshub.tables.conforming import conform
from dshub.tables.types import inner_values, is_text, row_dtype, row_shape, shaped

_SUPPORTED = "numbers, text or lists (pass the feature of bytes in `features`)"
_CONVERT_HINT = "convert the column, or pass its feature in `features`"
_MISSING_HINT = "drop rows with missing values, or fill them, for example with pandas `fillna`"

_CASTS = {  # unsupported types to supported types that can hold the same values
    pa.float16(): pa.float32(),
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
    pa.date64(): pa.date32(),
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
    if isinstance(normalized, np.ndarray) and not isinstance(feature, ListFeature):
        feature = feature or _infer(where, normalized)
        if not _fits(normalized, feature):
            raise _mismatch(where, _describe_values(feature), _describe_array(normalized))
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
        expected = _describe_values(feature) if feature else _SUPPORTED
        raise _mismatch(where, expected, str(error)) from None
    chunks = [cast_column(array)]
    if feature is None:
        feature = feature_of(where, chunks)
    else:
        chunks = conform_chunks(chunks, where.removeprefix("column "), feature, "own data")
    return column_of_chunks(chunks, feature), feature


def to_arrow(values: Any) -> pa.Array:
    """Convert Python objects to an Arrow array; masked items and None become nulls."""
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        return pa.array(values.data, mask=np.ma.getmaskarray(values))
    plain = [row.tolist() if isinstance(row, np.ndarray) else row for row in values]
    try:
        return pa.array(plain)
    except OverflowError:
        return pa.array(plain, pa.uint64())


def _is_nested(rows: Any) -> bool:
    """Return True if lists contain anything but numbers, or anything but text."""
    kinds = {str if isinstance(value, str) else type(value) for row in rows for value in row}
    return bool(kinds & {list, tuple, dict, type(None), bytes})


def _normalize(values: Any) -> Any:
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
    view = _supported(array).view()
    view.flags.writeable = False
    return view


def _supported(array: np.ndarray) -> np.ndarray:
    """Return an array in native byte order, and dates in a supported unit, copied if necessary."""
    if array.dtype.kind == "M":
        unit = np.datetime_data(array.dtype)[0]
        unit = unit if unit in get_args(Unit) else "s" if unit in {"h", "m"} else "D"
        return array.astype(f"=M8[{unit}]", copy=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _list_column(where: str, rows: Any, feature: Feature | None) -> tuple[Column, ListFeature]:
    if feature is not None and not isinstance(feature, ListFeature):
        raise _mismatch(where, _describe_values(feature), "lists of different lengths")
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


def _infer(where: str, array: np.ndarray) -> NumberFeature | DateFeature:
    if array.dtype.kind == "M" and array.ndim == 1:
        unit = np.datetime_data(array.dtype)[0]
        return msgspec.convert({"kind": "date", "unit": unit}, DateFeature)
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
            chunks = column.chunks or [pa.array([], column.type)]
            feature = feature_of(where, chunks)
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
    if pa.types.is_struct(kind):
        return pa.struct({field.name: cast_type(field.type) for field in kind})
    if pa.types.is_dictionary(kind):
        return cast_type(kind.value_type)
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
        raise _mismatch(where, "arrays without missing values", "arrays with missing values")
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
        raise _mismatch(where, _SUPPORTED, got)
    dtype = np.dtype(_DTYPES[str(inner)])
    return msgspec.structs.replace(_number(dtype, shape), optional=optional)


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
    if not pa.types.is_nested(values.type):
        return None
    if pa.types.is_struct(values.type):
        rows = [_first_missing(values.field(number)) for number in range(values.type.num_fields)]
        return min((row for row in rows if row is not None), default=None)
    inner = _first_missing(values.flatten())
    return None if inner is None else pc.list_parent_indices(values)[inner].as_py()


def column_of_chunks(chunks: Sequence[pa.Array], feature: Feature) -> ChunkedColumn:
    """Combine Arrow arrays into one column."""
    columns = [column_of(chunk, feature, damage_error) for chunk in chunks]
    starts = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    return ChunkedColumn(starts, columns.__getitem__, feature)
