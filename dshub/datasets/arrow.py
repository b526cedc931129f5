"""Convert rows of a source to Arrow tables."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dshub.catalog.features import DateFeature, Feature, ListFeature, is_encoded
from dshub.loading.order import groups
from dshub.tables.columns import Values
from dshub.tables.missing import is_valid, item
from dshub.tables.types import arrow_schema, arrow_type, may_miss, row_dtype, row_shape

if TYPE_CHECKING:
    from dshub.datasets.sources import Source

BLOCK = 1 << 14  # rows of text or lists per chunk, because Arrow offsets have 32 bits
FILE_BLOCK = 256  # image or audio files per chunk; each can take several MB

Rows = range | np.ndarray


def arrow_table(source: "Source", names: Sequence[str], rows: Rows) -> pa.Table:
    """Build an Arrow table from rows of a source.

    Args:
        source: source to read.
        names: columns of the table.
        rows: range or int64 array of row numbers.

    Raises:
        pyarrow.ArrowInvalid: the text, list or file of one row is larger than 2 GiB.
    """
    stored = {name: chunks for name in names if (chunks := source.arrow(name))}
    columns = {
        name: stored_rows(chunks, source.features[name], rows) for name, chunks in stored.items()
    }
    columns |= _read(source, [name for name in names if name not in stored], rows)
    columns = {name: columns[name] for name in names}
    schema = arrow_schema({name: source.features[name] for name in names})
    for number, name in enumerate(names):
        schema = schema.set(number, pa.field(name, columns[name].type))
    return pa.table(list(columns.values()), schema=schema)


def stored_rows(chunks: Sequence[pa.Array], feature: Feature, rows: Rows) -> pa.ChunkedArray:
    """Take rows of a column that is stored as Arrow; consecutive rows are not copied."""
    if isinstance(rows, range):
        return pa.chunked_array(chunks).slice(rows.start, len(rows))
    length = max(1, len(rows)) if row_dtype(feature) is not None else _block([feature])
    starts = range(0, len(rows), length)
    taken = [_take(chunks, rows[start : start + length]) for start in starts]
    return pa.chunked_array(taken, chunks[0].type)


def _read(source: "Source", names: Sequence[str], rows: Rows) -> dict[str, pa.ChunkedArray]:
    """Read blocks of rows, with all columns at once, because a source can compute them together."""
    features = {name: source.features[name] for name in names}
    arrays: dict[str, list[pa.Array]] = {name: [] for name in names}
    length = _block(features.values())
    for start in range(0, len(rows) if names else 0, length):
        for name, array in source.arrow_rows(names, rows[start : start + length]).items():
            arrays[name].append(array)
    return {
        name: pa.chunked_array(several, arrow_type(features[name]))
        for name, several in arrays.items()
    }


def _block(features: Iterable[Feature]) -> int:
    """Return the number of rows to read at a time."""
    return FILE_BLOCK if any(map(is_encoded, features)) else BLOCK


def _take(chunks: Sequence[pa.Array], rows: np.ndarray) -> pa.Array:
    """Take rows from chunks, in the passed order.

    Calling `take` once per chunk is faster than `ChunkedArray.take`, which searches all chunks for
    every row.
    """
    starts = np.cumsum([0, *map(len, chunks)])
    pieces, places = [], []
    for number, inside in groups(np.searchsorted(starts, rows, side="right") - 1):
        places.append(inside)
        pieces.append(chunks[number].take(pa.array(rows[inside] - starts[number])))
    if len(pieces) == 1:
        return pieces[0]
    return pa.concat_arrays(pieces).take(pa.array(np.argsort(np.concatenate(places))))


def arrow_values(values: Values, feature: Feature) -> pa.Array:
    """Convert stored values of a column to Arrow, without copying arrays."""
    if isinstance(values, np.ndarray):
        return _array(values, feature)
    if not isinstance(feature, ListFeature) or may_miss(feature):
        return pa.array(map(_plain, values), arrow_type(feature))
    offsets = pa.array(np.cumsum([0, *map(len, values)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, arrow_values(_flat(values, feature.of), feature.of))


def _flat(rows: Sequence[Values], item: Feature) -> Values:
    dtype = row_dtype(item)
    if dtype is None:
        return [value for row in rows for value in row]
    return np.concatenate([np.empty((0, *row_shape(item)), dtype), *map(np.asarray, rows)])


def _plain(value: Any) -> Any:
    """Convert arrays in a row to lists, and dates to counts of their unit, at any depth."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else int(value.astype(np.int64))
    if isinstance(value, np.ndarray):
        return value.tolist() if value.ndim > 1 else [_plain(item(one)) for one in value]
    if isinstance(value, list):
        return list(map(_plain, value))
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _array(values: np.ndarray, feature: Feature) -> pa.Array:
    """Convert an array to Arrow; missing values become nulls."""
    if feature.optional:
        valid = is_valid(values)
        if not valid.all():
            rows = np.cumsum(valid) - 1
            present = _array(np.asarray(values[valid]), feature)
            return present.take(pa.array(rows, mask=~valid))
    array = _nested(np.asarray(values))
    return array.cast(arrow_type(feature)) if isinstance(feature, DateFeature) else array


def _nested(array: np.ndarray) -> pa.Array:
    """Convert an array to nested fixed-size lists.

    Duplicates `dshub.formats.nested`, so that opening a prepared split does not import readers.
    """
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column
