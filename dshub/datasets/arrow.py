"""Datasets as Arrow tables, and class numbers in another order.

Numbering classes as somebody else does: in the order of a model's outputs, say.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature, LabelFeature, ListFeature, is_encoded
from dshub.catalog.manifest import Manifest
from dshub.datasets.sources import Source
from dshub.errors import ArgumentError, SchemaError, UnknownNameError
from dshub.tables.columns import Values
from dshub.tables.types import arrow_schema, arrow_type, row_dtype, row_shape


class AlignedSource:
    """The rows of another source, one of whose columns of classes is numbered anew.

    Args:
        source: the rows.
        column: of classes, or of lists of them.
        names: the classes in their new order: names, or codes.

    Raises:
        SchemaError: a class of the column is not among them, or twice.
        ArgumentError: they are no list.
    """

    files: Sequence[Path] = ()  # those number classes in the old way

    def __init__(self, source: Source, column: str, names: Sequence[str]) -> None:
        if isinstance(names, str) or not isinstance(names, Iterable):
            expected = "a list of names, one for each class"
            raise ArgumentError(name="names", value=names, expected=expected)
        names = list(names)
        self._source, self._column = source, column
        old = source.features[column]
        label = _label(old)
        self._numbers = _numbers(label, names, column)
        new = _renumbered(label, names, self._numbers)
        whole: Feature = new if old is label else ListFeature(of=new)
        self.features: Mapping[str, Feature] = {**source.features, column: whole}

    @property
    def rows(self) -> int:
        return self._source.rows

    @property
    def manifest(self) -> Manifest | None:
        return self._source.manifest

    @property
    def identity(self) -> list[str]:
        new = msgspec.json.encode(self.features[self._column]).decode()
        return [*self._source.identity, self._column, new]

    def where(self, row: int) -> str:
        return self._source.where(row)

    def gather(self, name: str, rows: np.ndarray) -> Values:
        return self._aligned(name, self._source.gather(name, rows))

    def span(self, name: str, start: int, stop: int) -> Values:
        return self._aligned(name, self._source.span(name, start, stop))

    def whole(self, name: str) -> np.ndarray | None:
        return None if name == self._column else self._source.whole(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name == self._column else self._source.arrow(name)

    def _aligned(self, name: str, values: Values) -> Values:
        if name != self._column:
            return values
        if isinstance(values, np.ndarray):
            found: np.ndarray = self._numbers[values]
            return found
        return [self._numbers[row] for row in values]


def label_columns(features: Mapping[str, Feature]) -> list[str]:
    """The columns of classes, or of lists of them."""
    return [
        name
        for name, feature in features.items()
        if isinstance(feature.of if isinstance(feature, ListFeature) else feature, LabelFeature)
    ]


def chosen_column(
    features: Mapping[str, Feature], column: str | None, supervised: tuple[str, str] | None
) -> str:
    """The column of classes that is meant: the one named, the only one, or `y`.

    Raises:
        UnknownNameError: there is none, or none of that name, or it is not clear which.
    """
    known = label_columns(features)
    if column is None and len(known) > 1 and supervised is not None and supervised[1] in known:
        return supervised[1]
    if column is None and len(known) == 1:
        return known[0]
    if column is None or column not in known:
        raise UnknownNameError(kind="column of classes", name=column or "?", known=known)
    return column


def _label(feature: Feature) -> LabelFeature:
    found = feature.of if isinstance(feature, ListFeature) else feature
    if not isinstance(found, LabelFeature):  # `chosen_column` names no other
        raise TypeError(f"{feature} holds no classes")
    return found


def _numbers(label: LabelFeature, names: Sequence[str], column: str) -> np.ndarray:
    """The new number of each class, int64."""
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        places.setdefault(name, []).append(number)
    found = [
        places.get(code) or places.get(name) or []
        for code, name in zip(label.codes or label.names, label.names, strict=True)
    ]
    numbers = [where[0] for where in found if where]
    taken = Counter(numbers)
    wrong = [
        _told(label, old)
        for old, where in enumerate(found)
        if len(where) != 1 or taken[where[0]] > 1
    ]
    if wrong:
        raise SchemaError(
            where=f"column {column}",
            expected="the name or the code of each of its classes once among the names",
            got=f"none, or several, for {len(wrong)} of {len(found)}: {', '.join(wrong)}",
            hint="other names may stand between them; a code tells apart classes of one name",
        )
    return np.array(numbers, np.int64)


def _told(label: LabelFeature, number: int) -> str:
    return repr(label.names[number]) + (f" ({label.codes[number]})" if label.codes else "")


def _renumbered(label: LabelFeature, names: Sequence[str], numbers: np.ndarray) -> LabelFeature:
    """The feature in the new order; what was given by code keeps its name."""
    new, codes = list(names), list(names)
    for old, number in enumerate(numbers.tolist()):
        if label.codes:
            codes[number] = label.codes[old]
            new[number] = label.names[old] if names[number] == label.codes[old] else names[number]
    return LabelFeature(names=tuple(new), codes=tuple(codes) if label.codes else ())


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
