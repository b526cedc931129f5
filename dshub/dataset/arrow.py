"""Rows as an Arrow table: views of the files where they lie side by side, gathered where not.

Types are those of `dshub.schema`: pictures and recordings that are kept as files are `binary`,
arrays nested fixed-size lists. What a person brought as an Arrow table keeps its own types.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from dshub.dataset.sources import Source
from dshub.manifest import Feature, ListFeature, is_encoded
from dshub.schema import arrow_schema, arrow_type, row_dtype, row_shape
from dshub.table import Values

BLOCK = 1 << 14  # rows of text or lists gathered into one piece: offsets have 32 bits
FILES = 256  # the same for files, which take some MB each


def arrow_table(source: Source, names: Sequence[str], rows: range | np.ndarray) -> pa.Table:
    """Some rows of a source.

    Args:
        source: where they lie.
        names: of the columns.
        rows: side by side, or their numbers, int64.

    Raises:
        pyarrow.ArrowInvalid: text, lists or files of one row are larger than 2 GiB.
    """
    features = {name: source.features[name] for name in names}
    columns = {name: _column(source, name, rows) for name in names}
    schema = arrow_schema(features)
    for number, name in enumerate(names):
        schema = schema.set(number, pa.field(name, columns[name].type))
    return pa.table(list(columns.values()), schema=schema)


def _column(source: Source, name: str, rows: range | np.ndarray) -> pa.ChunkedArray:
    feature = source.features[name]
    kept = source.arrow(name)
    if kept and isinstance(rows, range):
        return pa.chunked_array(kept).slice(rows.start, len(rows))
    if kept and not isinstance(rows, range) and row_dtype(feature) is None:
        pieces = [_taken(kept, some) for some in _blocks(rows, feature)]
        return pa.chunked_array(pieces, kept[0].type)
    if isinstance(rows, range):
        made = [
            arrow_array(source.span(name, r[0], r[-1] + 1), feature) for r in _runs(rows, feature)
        ]
    else:
        made = [arrow_array(source.gather(name, some), feature) for some in _blocks(rows, feature)]
    return pa.chunked_array(made, arrow_type(feature))


def _length(feature: Feature, rows: int) -> int:
    """Rows of one piece: all where they have one shape."""
    if row_dtype(feature) is not None:
        return max(1, rows)
    return FILES if is_encoded(feature) else BLOCK


def _blocks(rows: np.ndarray, feature: Feature) -> Iterator[np.ndarray]:
    length = _length(feature, len(rows))
    return (rows[start : start + length] for start in range(0, len(rows), length))


def _runs(rows: range, feature: Feature) -> Iterator[range]:
    length = _length(feature, len(rows))
    return (rows[start : start + length] for start in range(0, len(rows), length))


def _taken(pieces: Sequence[pa.Array], rows: np.ndarray) -> pa.Array:
    """Rows of pieces that follow each other, in the order given.

    Each piece is asked once: `take` of many pieces at once would look for every row in all.
    """
    starts = np.cumsum([0, *map(len, pieces)])
    which = np.searchsorted(starts, rows, side="right") - 1
    found, places = [], []
    for number in np.unique(which).tolist():
        places.append(np.flatnonzero(which == number))
        found.append(pieces[number].take(pa.array(rows[places[-1]] - starts[number])))
    if len(found) == 1:
        return found[0]
    return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(places))))


def arrow_array(values: Values, feature: Feature) -> pa.Array:
    """Values of a column, as they are before they are decoded, as Arrow; arrays are not copied."""
    if isinstance(values, np.ndarray):
        made = pa.array(np.ascontiguousarray(values).reshape(-1))
        for length in reversed(values.shape[1:]):
            made = pa.FixedSizeListArray.from_arrays(made, length)
        return made
    if not isinstance(feature, ListFeature):
        return pa.array(values, arrow_type(feature))
    offsets = np.cumsum([0, *map(len, values)])
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), arrow_array(_flat(values, feature.of), feature.of)
    )


def _flat(rows: Sequence[Values], item: Feature) -> Values:
    dtype = row_dtype(item)
    if dtype is None:
        return [value for row in rows for value in row]
    return np.concatenate([np.empty((0, *row_shape(item)), dtype), *map(np.asarray, rows)])
