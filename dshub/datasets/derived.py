"""Derive sources from other sources: select rows, and rename, add or convert columns.

Creating a source copies nothing. Columns are read and converted when their rows are read.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from textwrap import shorten
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from dshub.catalog.features import Feature, StructFeature, describe
from dshub.datasets.arrow import arrow_values
from dshub.datasets.from_memory import conform_chunks, damage_error
from dshub.datasets.inference import from_zero
from dshub.datasets.selection import Selection, digest, fingerprint, row_identity, rows_at
from dshub.datasets.sources import SameRows, Source
from dshub.errors import ArgumentError, SchemaError
from dshub.loading.order import groups
from dshub.tables.columns import Values, column_of
from dshub.tables.missing import concatenated, replaced

Rows = range | np.ndarray


class SelectedSource(Source):
    """Rows and columns of a view, numbered from 0.

    Args:
        source: source of all rows.
        selection: rows of the view.
        names: columns of the view.
    """

    def __init__(self, source: Source, selection: Selection, names: Sequence[str]) -> None:
        self._source, self._selection = source, selection
        self.features = {name: source.features[name] for name in names}
        self.rows, self.manifest = len(selection), source.manifest

    @cached_property
    def identity(self) -> list[str]:
        names = tuple(self.features)
        return [fingerprint(self._source.identity, self._selection, names, decoded=True)]

    @cached_property
    def row_identity(self) -> str:
        return row_identity(self._source.row_identity, self._selection, self._source.rows)

    def where(self, row: int) -> str:
        return self._source.where(int(rows_at(self._selection, np.array([row]))[0]))

    def file(self, name: str, row: int) -> str:
        return self._source.file(name, int(rows_at(self._selection, np.array([row]))[0]))

    def read(self, name: str, rows: Rows) -> Values:
        return self._source.read(name, self._rows(rows))

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        return self._source.batch(names, self._rows(rows))

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return self._source.contents(name, np.asarray(self._rows(rows)))

    def arrow_rows(self, names: Sequence[str], rows: Rows) -> dict[str, pa.Array]:
        return self._source.arrow_rows(names, self._rows(rows))

    def _rows(self, rows: Rows) -> Rows:
        first = self._start
        if first is not None and isinstance(rows, range):
            return range(rows.start + first, rows.stop + first)
        return rows_at(self._selection, np.asarray(rows, np.int64))

    @property
    def _start(self) -> int | None:
        """First selected row if the rows are consecutive, or None otherwise."""
        rows = self._selection
        return rows.start if isinstance(rows, range) and rows.step == 1 else None

    def contiguous(self, name: str) -> np.ndarray | None:
        values = None if self._start is None else self._source.contiguous(name)
        return None if values is None else values[self._start :][: self.rows]

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        chunks = None if self._start is None else self._source.arrow(name)
        if not chunks:
            return None
        column = pa.chunked_array(chunks).slice(self._start, self.rows)
        return list(column.chunks)


class RenamedSource(SameRows):
    """Rows of another source, with renamed columns.

    Args:
        source: source of the rows.
        names: old column names by new name.
    """

    def __init__(self, source: Source, names: Mapping[str, str]) -> None:
        self._source, self._names = source, dict(names)
        self.features = {new: source.features[old] for new, old in names.items()}
        self.rows, self.manifest = source.rows, source.manifest

    @cached_property
    def identity(self) -> list[str]:
        return [*self._source.identity, _text({"renamed": self._names})]

    def file(self, name: str, row: int) -> str:
        return self._source.file(self._names[name], row)

    def read(self, name: str, rows: Rows) -> Values:
        return self._source.read(self._names[name], rows)

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        batch = self._source.batch([self._names[name] for name in names], rows)
        return {name: batch[self._names[name]] for name in names}

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return self._source.contents(self._names[name], rows)

    def arrow_rows(self, names: Sequence[str], rows: Rows) -> dict[str, pa.Array]:
        arrays = self._source.arrow_rows([self._names[name] for name in names], rows)
        return {name: arrays[self._names[name]] for name in names}

    def contiguous(self, name: str) -> np.ndarray | None:
        return self._source.contiguous(self._names[name])

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return self._source.arrow(self._names[name])


class WidenedSource(SameRows):
    """Columns of two sources side by side.

    Args:
        source: source of the rows.
        added: source of additional columns, with the same number of rows. Its columns replace
            columns of `source` with the same name.
    """

    def __init__(self, source: Source, added: Source) -> None:
        self._source, self._added = source, added
        self.features = {**source.features, **added.features}
        self.rows, self.manifest = source.rows, source.manifest

    @cached_property
    def identity(self) -> list[str]:
        return [*self._source.identity, "with", *self._added.identity]

    def file(self, name: str, row: int) -> str:
        return self._of(name).file(name, row)

    def read(self, name: str, rows: Rows) -> Values:
        return self._of(name).read(name, rows)

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return self._of(name).contents(name, rows)

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        added = [name for name in names if name in self._added.features]
        batch = self._source.batch([name for name in names if name not in added], rows)
        batch |= self._added.batch(added, rows)
        return {name: batch[name] for name in names}

    def arrow_rows(self, names: Sequence[str], rows: Rows) -> dict[str, pa.Array]:
        added = [name for name in names if name in self._added.features]
        arrays = self._source.arrow_rows([name for name in names if name not in added], rows)
        arrays |= self._added.arrow_rows(added, rows)
        return {name: arrays[name] for name in names}

    def contiguous(self, name: str) -> np.ndarray | None:
        return self._of(name).contiguous(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return self._of(name).arrow(name)

    def _of(self, name: str) -> Source:
        return self._added if name in self._added.features else self._source


class StackedSource(Source):
    """Concatenated rows of several sources with equal columns.

    Raises:
        SchemaError: a column is missing from a source, or its feature differs.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        check_equal_columns([source.features for source in sources])
        self._sources = tuple(sources)
        self._starts = np.cumsum([0, *(source.rows for source in sources)]).astype(np.int64)
        self.features, self.manifest = sources[0].features, sources[0].manifest
        self.rows = int(self._starts[-1])

    @cached_property
    def identity(self) -> list[str]:
        return [text for source in self._sources for text in source.identity]

    @cached_property
    def row_identity(self) -> str:
        return digest(*(source.row_identity for source in self._sources))

    def where(self, row: int) -> str:
        source, row = self._source_of(row)
        return source.where(row)

    def file(self, name: str, row: int) -> str:
        source, row = self._source_of(row)
        return source.file(name, row)

    def _source_of(self, row: int) -> tuple[Source, int]:
        """Return the source of a row, and its row number there."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._sources[number], row - int(self._starts[number])

    def read(self, name: str, rows: Rows) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        if isinstance(rows, range):
            pieces = [
                source.batch(names, range(max(rows.start, a) - a, min(rows.stop, b) - a))
                for source, (a, b) in zip(self._sources, pairwise(self._starts), strict=True)
                if rows.start < b and rows.stop > a
            ]
            order = None
        else:
            pieces, order = self._picked(names, rows)
        if not pieces:
            return self._sources[0].batch(names, rows)
        return {name: joined([piece[name] for piece in pieces], order) for name in names}

    def _picked(
        self, names: Sequence[str], rows: np.ndarray
    ) -> tuple[list[dict[str, Values]], np.ndarray]:
        """Read rows of each source, and return them with indices that restore their order."""
        pieces, places = [], [np.empty(0, np.int64)]
        for number, inside in groups(np.searchsorted(self._starts, rows, side="right") - 1):
            places.append(inside)
            pieces.append(self._sources[number].batch(names, rows[inside] - self._starts[number]))
        return pieces, np.argsort(np.concatenate(places))

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        numbers = (np.searchsorted(self._starts, rows, side="right") - 1).tolist()
        return [
            self._sources[number].contents(name, rows[i : i + 1] - self._starts[number])[0]
            for i, number in enumerate(numbers)
        ]

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        chunks = [source.arrow(name) for source in self._sources]
        return None if None in chunks else [array for several in chunks for array in several or ()]


class CastSource(SameRows):
    """Rows of another source, with some columns converted when they are read.

    Args:
        source: source of the rows.
        features: features of the columns to convert.
    """

    def __init__(self, source: Source, features: Mapping[str, Feature]) -> None:
        self._source, self._cast = source, dict(features)
        self.features = {**source.features, **features}
        self.rows, self.manifest = source.rows, source.manifest

    @cached_property
    def identity(self) -> list[str]:
        return [*self._source.identity, _text({"cast": self._cast})]

    def read(self, name: str, rows: Rows) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        batch = self._source.batch(names, rows)
        return {name: self._converted(name, values) for name, values in batch.items()}

    def _converted(self, name: str, values: Values) -> Values:
        feature = self._cast.get(name)
        if feature is None:
            return values
        array = arrow_values(values, self._source.features[name])
        (converted,) = conform_chunks([array], name, from_zero(feature), "cast")
        column = column_of(converted, feature, damage_error)
        return column.gather(np.arange(len(converted)))

    def contiguous(self, name: str) -> np.ndarray | None:
        return None if name in self._cast else self._source.contiguous(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name in self._cast else self._source.arrow(name)


class FlatSource(Source):
    """Rows of another source, with the fields of a column of structs as columns.

    Args:
        source: source of the rows.
        column: column of structs.

    Raises:
        SchemaError: the column does not hold structs, or a new name is taken.
    """

    def __init__(self, source: Source, column: str) -> None:
        self._source, self._column = source, column
        self._struct = cast("StructFeature", source.features[column])
        names = {field: f"{column}.{field}" for field in getattr(self._struct, "fields", ())}
        taken = next((name for name in names.values() if name in source.features), "")
        if not names or taken:
            raise SchemaError(
                where=f"column {column}",
                expected=f"no column named {taken}" if taken else "a struct",
                got=f"a column {taken}" if taken else describe(self._struct),
                hint="rename the other column with ds.rename" if taken else "choose another column",
            )
        self._fields = {new: field for field, new in names.items()}
        fields = {
            new: replace(of, optional=of.optional or self._struct.optional)
            for new, of in ((names[field], of) for field, of in self._struct.fields.items())
        }
        self.features = {}
        for name, feature in source.features.items():
            self.features |= fields if name == column else {name: feature}
        self.rows, self.manifest = source.rows, source.manifest

    @cached_property
    def identity(self) -> list[str]:
        return [*self._source.identity, _text({"flat": self._column, "names": self._fields})]

    def where(self, row: int) -> str:
        return self._source.where(row)

    def read(self, name: str, rows: Rows) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        fields = [name for name in names if name in self._fields]
        others = [name for name in names if name not in fields]
        batch = self._source.batch([*others, *([self._column] if fields else [])], rows)
        if fields:
            array = arrow_values(batch.pop(self._column), self._struct)
            batch |= {name: self._field(array, name) for name in fields}
        return {name: batch[name] for name in names}

    def _field(self, array: pa.Array, name: str) -> Values:
        values = pc.struct_field(array, self._fields[name])
        return column_of(values, self.features[name], damage_error).gather(np.arange(len(values)))

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        if name in self._fields:
            return cast("Sequence[bytes]", self.read(name, rows))
        return self._source.contents(name, rows)

    def contiguous(self, name: str) -> np.ndarray | None:
        return None if name in self._fields else self._source.contiguous(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name in self._fields else self._source.arrow(name)


class FilledSource(SameRows):
    """Rows of another source, with missing values of some columns replaced.

    Args:
        source: source of the rows.
        values: replacement for each column: a value, or the name of a class.

    Raises:
        SchemaError: a replacement does not fit its column.
    """

    def __init__(self, source: Source, values: Mapping[str, Any]) -> None:
        self._source = source
        self.rows, self.manifest = source.rows, source.manifest
        kept = {name: source.features[name] for name in values}
        new = {name: replace(feature, optional=False) for name, feature in kept.items()}
        self.features = {**source.features, **new}
        self._fills = {name: _fitted(value, new[name], name) for name, value in values.items()}

    @cached_property
    def identity(self) -> list[str]:
        fills = {name: repr(value) for name, value in self._fills.items()}
        return [*self._source.identity, _text({"filled": fills})]

    def read(self, name: str, rows: Rows) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        batch = self._source.batch(names, rows)
        filled = {n: replaced(batch[n], self._fills[n]) for n in names if n in self._fills}
        return {**batch, **filled}

    def contiguous(self, name: str) -> np.ndarray | None:
        return None if name in self._fills else self._source.contiguous(name)

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return None if name in self._fills else self._source.arrow(name)


def _fitted(value: Any, feature: Feature, name: str) -> Any:
    """Convert a replacement to the form of a row."""
    try:
        array = pa.array([value])
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        expected = f"a value for {name}"
        raise ArgumentError(name="values", value=value, expected=expected) from error
    (converted,) = conform_chunks([array], name, from_zero(feature), "fill")
    return column_of(converted, feature, damage_error).gather(np.arange(1))[0]


def check_equal_columns(tables: Sequence[Mapping[str, Feature]]) -> None:
    """Check that datasets have the same columns with equal features.

    Raises:
        SchemaError: a column is missing from a dataset, or its feature differs.
    """
    first = tables[0]
    for number, features in enumerate(tables[1:], 1):
        for name in {**first, **features}:
            expected, got = first.get(name), features.get(name)
            if expected != got:
                raise SchemaError(
                    where=f"column {name} of dataset {number}",
                    expected=f"{_shown(expected)}, as in dataset 0",
                    got=_shown(got),
                    hint="drop columns with ds.columns([…]), convert them with ds.cast({…}), or "
                    "renumber classes with ds.align_labels(…)",
                )


def joined(pieces: Sequence[Values], order: np.ndarray | None = None) -> Values:
    """Concatenate pieces of a column, and reorder the values if `order` is passed."""
    if len(pieces) == 1 and order is None:
        return pieces[0]
    arrays = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(arrays) == len(pieces):
        values = concatenated(arrays)
        return values if order is None else values.take(order, axis=0)
    items = [value for piece in pieces for value in piece]
    return items if order is None else [items[place] for place in order.tolist()]


def _shown(feature: Feature | None) -> str:
    return "no such column" if feature is None else shorten(str(feature), 200, placeholder=" …")


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
