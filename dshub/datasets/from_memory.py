"""A person's own columns as a source: arrays, lists, Arrow tables."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa

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
from dshub.errors import ArgumentError, ReadError, SchemaError, UnknownNameError
from dshub.tables.columns import ArrayColumn, ChunkedColumn, Column, ListColumn, Values, column_of
from dshub.tables.conforming import conform
from dshub.tables.types import row_dtype, row_shape

_FILES = "numbers, text or lists; for bytes, `features=` that say what files they are"

_HOLES = "leave such rows out, or put a value there, as `fillna` of pandas does"


class ItemColumn:
    """Rows that are Python's own values: `str` or `bytes`."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def gather(self, rows: np.ndarray) -> Values:
        """The rows of those numbers."""
        return [self.values[row] for row in rows.tolist()]

    def span(self, start: int, stop: int) -> Values:
        """Consecutive rows."""
        return self.values[start:stop]


def damaged(reason: str) -> ReadError:
    """The error for memory that is not what it says."""
    return ReadError(file="an Arrow column", reason=reason)


def from_arrays(
    columns: Mapping[str, np.ndarray | Sequence[Any]], features: Mapping[str, Feature] | None
) -> ColumnSource:
    """A source of arrays and lists: all of one length; features guessed where not given."""
    wanted = features or {}
    if not isinstance(columns, Mapping):
        expected = "a dict of columns by name"
        raise ArgumentError(name="columns", value=columns, expected=expected)
    lengths = {name: _length(name, column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise SchemaError(where="columns", expected="one length", got=told)
    for name in wanted:
        if name not in columns:
            expected = _words(wanted[name])
            raise SchemaError(where=f"column {name}", expected=expected, got="no such column")
    found = {name: _column(f"column {name}", it, wanted.get(name)) for name, it in columns.items()}
    rows = next(iter(lengths.values()), 0)
    return ColumnSource(
        {name: column for name, (column, _) in found.items()},
        {name: feature for name, (_, feature) in found.items()},
        rows,
    )


def _length(name: str, column: Any) -> int:
    try:
        return len(column)
    except TypeError:
        expected = "an array or a list, with a value for each row"
        raise ArgumentError(name=f"column {name}", value=column, expected=expected) from None


def pair_of(given: Any, names: Sequence[str]) -> tuple[str, str]:
    """The columns that `(x, y)` means.

    Raises:
        UnknownNameError: there is no such column.
        ArgumentError: they are not two.
    """
    if not isinstance(given, list | tuple) or len(given) != 2:
        expected = "a pair of columns, (x, y)"
        raise ArgumentError(name="supervised", value=given, expected=expected)
    for name in given:
        if name not in names:
            raise UnknownNameError(kind="column", name=name, known=names)
    return given[0], given[1]


def _column(where: str, values: Any, feature: Feature | None) -> tuple[Column, Feature]:
    """A column and what it holds; raises SchemaError where it cannot hold the feature."""
    plain = _plain(values)
    if isinstance(feature, ListFeature) or (feature is None and _is_ragged(plain)):
        return _lists(where, values, feature)
    if isinstance(plain, list):
        return ItemColumn(plain), _checked_items(where, plain, feature)
    array = np.asarray(plain)
    guessed = feature or _guess(where, array)
    if row_dtype(guessed) is None or not _fits(array, guessed):
        raise SchemaError(where=where, expected=_words(guessed), got=_told(array))
    return ArrayColumn(array), guessed


def _plain(values: Any) -> Any:
    """Text and bytes as a list; lists of other lengths each as they are; the rest as an array.

    An array is a read-only view, in this machine's byte order.
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


def _is_ragged(plain: Any) -> bool:
    """Whether rows are lists: of several lengths, or of text."""
    if isinstance(plain, np.ndarray):
        return plain.dtype.kind == "U" and plain.ndim == 2
    return not all(isinstance(value, str | bytes) for value in plain)


def _lists(where: str, rows: Any, feature: ListFeature | None) -> tuple[Column, ListFeature]:
    try:
        lengths = [len(row) for row in rows]
    except TypeError as error:
        raise SchemaError(where=where, expected="rows of one kind", got=str(error)) from None
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    dtype = row_dtype(feature.of) if feature else None
    texts = all(isinstance(value, str) for row in rows for value in row)
    if texts and dtype is None:
        inner: Column = ItemColumn([str(value) for row in rows for value in row])
        found = feature or ListFeature(of=TextFeature())
        return ListColumn(offsets, inner, count=int(offsets[-1]), fault=damaged), found
    flat = _flat(where, rows, feature)
    item = feature.of if feature else _guess(where, flat)
    if row_dtype(item) is None or not _fits(flat, item):
        got = f"lists of {_told(flat)}"
        raise SchemaError(where=where, expected=f"lists of {_words(item)}", got=got)
    column = ListColumn(offsets, ArrayColumn(flat), count=len(flat), fault=damaged)
    return column, ListFeature(of=item)


def _flat(where: str, rows: Any, feature: ListFeature | None) -> np.ndarray:
    """The values of all rows one behind the other, (values, …)."""
    dtype = row_dtype(feature.of) if feature else None
    try:
        found = [
            row if isinstance(row, np.ndarray) else np.asarray(row, dtype)
            for row in rows
            if len(row)
        ]
    except (ValueError, TypeError, OverflowError) as error:
        expected = _words(feature) if feature else "lists of numbers or of text"
        raise SchemaError(where=where, expected=expected, got=str(error)) from None
    kinds = {f"{array.dtype} {array.shape[1:]}" for array in found}
    if len(kinds) > 1:
        raise SchemaError(where=where, expected="rows of one kind", got=" and ".join(sorted(kinds)))
    if found:
        return np.concatenate(found)
    return np.empty((0, *(row_shape(feature.of) if feature else ())), dtype)


def _checked_items(where: str, values: list[Any], feature: Feature | None) -> Feature:
    """What a list of `str` or of `bytes` holds."""
    is_files = bool(values) and isinstance(values[0], bytes)
    if feature is None and not is_files:
        return TextFeature()
    fits = feature is not None and (
        (is_encoded(feature) and (is_files or not values))
        or (isinstance(feature, TextFeature) and not is_files)
    )
    if feature is None or not fits:
        expected = _FILES if feature is None else _words(feature)
        raise SchemaError(where=where, expected=expected, got="bytes" if is_files else "text")
    return feature


def _guess(where: str, array: np.ndarray) -> NumberFeature:
    if array.dtype == object:
        _refuse_objects(where, array)
    if array.dtype.name not in get_args(Dtype):
        hint = f"`astype` makes one of {', '.join(get_args(Dtype))}"
        raise SchemaError(where=where, expected=_FILES, got=_told(array), hint=hint)
    return _number(array.dtype, array.shape[1:])


def _refuse_objects(where: str, array: np.ndarray) -> None:
    """Say in which row is a value of another kind, such as one that is missing."""
    kinds = [type(value) for value in array.ravel()[: len(array)]]
    first = next((row for row, kind in enumerate(kinds) if kind is type(None)), None)
    if first is not None:
        raise SchemaError(
            where=f"{where}, row {first}", expected="a value", got="None", hint=_HOLES
        )


def _number(dtype: np.dtype, shape: tuple[int, ...]) -> NumberFeature:
    return msgspec.convert({"dtype": dtype.name, "shape": shape}, NumberFeature)


def _fits(array: np.ndarray, feature: Feature) -> bool:
    same = array.dtype == row_dtype(feature) and array.shape[1:] == row_shape(feature)
    if same and isinstance(feature, LabelFeature) and len(array):
        return bool(array.min() >= 0 and array.max() < len(feature.names))
    return same


def _words(feature: Feature) -> str:
    """What a column must be to hold a feature."""
    if isinstance(feature, ListFeature):
        return f"lists of {_words(feature.of)}"
    dtype = row_dtype(feature)
    if dtype is None:
        return "bytes" if is_encoded(feature) else "text"
    if isinstance(feature, LabelFeature):
        return f"{dtype} (rows,) from 0 to {len(feature.names) - 1}"
    return f"{dtype} ({', '.join(['rows', *map(str, row_shape(feature))])})"


def _told(array: np.ndarray) -> str:
    values = f" from {array.min()} to {array.max()}" if array.dtype.kind in "iu" else ""
    return f"{array.dtype} {array.shape}{values if array.size else ''}"


def _table_of(given: Any) -> pa.Table:
    """A table of what pandas, polars, DuckDB and others give."""
    if isinstance(given, pa.Table):
        return given
    if hasattr(given, "__arrow_c_stream__"):
        table = pa.table(given)
        kinds = [_without_views(field.type) for field in table.schema]
        return table.cast(pa.schema(zip(table.schema.names, kinds, strict=True)))
    expected = "a pyarrow.Table, or what gives one: a DataFrame of pandas or polars, a reader"
    raise ArgumentError(name="table", value=given, expected=expected)


def _without_views(kind: pa.DataType) -> pa.DataType:
    """A type whose text lies in one piece; polars keeps short ones beside their lengths."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = _without_views(kind.value_type)
        return pa.list_(item) if pa.types.is_list(kind) else pa.large_list(item)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def from_arrow(table: Any, features: Mapping[str, Feature] | None) -> ColumnSource:
    """A source over numbers, text, lists and files; nothing is copied that fits as it is.

    Args:
        table: any number of chunks; also whatever gives one by Arrow's C stream interface.
        features: what columns hold, into which they are made to fit; of the others it is told
            by their types.
    """
    wanted = dict(features or {})
    table = _table_of(table)
    for name, feature in wanted.items():
        if name not in table.schema.names:
            expected = _words(feature)
            raise SchemaError(where=f"column {name}", expected=expected, got="no such column")
    columns: dict[str, Column] = {}
    kept: dict[str, Sequence[pa.Array]] = {}
    for name in table.schema.names:
        chunks = table.column(name).chunks
        kind = table.schema.field(name).type
        if name in wanted:
            chunks = conformed(chunks, name, wanted[name], "own data")
        else:
            wanted[name] = told_by(f"column {name}", kind)
            check_holes(f"column {name}", chunks)
        columns[name], kept[name] = chunked(chunks, wanted[name]), chunks
    features = {name: wanted[name] for name in columns}
    return ColumnSource(columns, features, table.num_rows, arrow=kept)


def conformed(
    chunks: Sequence[pa.Array], name: str, feature: Feature, title: str
) -> list[pa.Array]:
    """The chunks of a column made to fit a feature; raises SchemaError where they do not."""
    found, row = [], 0
    for chunk in chunks:
        batch = pa.RecordBatch.from_pydict({name: chunk})
        fitting = conform(batch, {name: feature}, where=title, first_row=row)
        found.append(fitting.column(0))
        row += len(chunk)
    return found


def told_by(where: str, kind: pa.DataType) -> Feature:
    """The feature that an Arrow type tells; raises SchemaError where it tells none."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = told_by(where, kind.value_type)
        if isinstance(item, NumberFeature | TextFeature):
            return ListFeature(of=item)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return TextFeature()
    else:
        shape: tuple[int, ...] = ()
        inner = kind
        while pa.types.is_fixed_size_list(inner):
            shape, inner = (*shape, inner.list_size), inner.value_type
        if str(inner) in _DTYPES:
            return _number(np.dtype(_DTYPES[str(inner)]), shape)
    raise SchemaError(where=where, expected=_FILES, got=str(kind))


_DTYPES = {str(pa.from_numpy_dtype(np.dtype(name))): name for name in get_args(Dtype)}


def check_holes(where: str, chunks: Sequence[pa.Array]) -> None:
    """No value of a column may be missing, nor one within its lists; raises SchemaError."""
    first = 0
    for chunk in chunks:
        if _has_hole(chunk):
            raise _hole(where, first, chunk)
        first += len(chunk)


_NESTED = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


def _has_hole(values: pa.Array) -> bool:
    while not values.null_count:
        if not any(of(values.type) for of in _NESTED):
            return False
        values = values.flatten()
    return True


def _hole(where: str, first: int, chunk: pa.Array) -> SchemaError:
    """The error for a chunk with a value missing: in which row."""
    low, high = 0, len(chunk)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _has_hole(chunk[low:middle]) else (middle, high)
    return SchemaError(
        where=f"{where}, row {first + low}", expected="a value", got="none", hint=_HOLES
    )


def chunked(chunks: Sequence[pa.Array], feature: Feature) -> ChunkedColumn:
    """Arrow arrays one behind the other as a column."""
    columns = [column_of(chunk, feature, damaged) for chunk in chunks]
    starts = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    return ChunkedColumn(starts, columns.__getitem__, feature)
