"""Compute columns with a function when rows are read."""

import reprlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature
from dshub.datasets.derived import joined
from dshub.datasets.from_memory import damage_error
from dshub.datasets.results import HINT, first_unfit, fit, infer
from dshub.datasets.sources import SameRows, Source
from dshub.errors import FunctionError, SchemaError
from dshub.loading.calling import calling, describe_values, name_of
from dshub.tables.columns import Values, column_of
from dshub.tables.missing import item
from dshub.tables.types import arrow_type

if TYPE_CHECKING:
    from dshub.datasets.view import RowView

SAMPLE = 100  # number of first rows from which features are inferred

Rows = range | np.ndarray


class _Latest(threading.local):
    """Latest results of the function in each thread; each column can be taken once.

    A loader reads image files apart from other columns, and the function should run once for both.
    """

    def __init__(self) -> None:
        self._rows, self._rest = b"", dict[str, Any]()

    def __reduce__(self) -> tuple[type["_Latest"], tuple[()]]:
        return _Latest, ()

    def keep(self, rows: np.ndarray, taken: Iterable[str], results: Mapping[str, Any]) -> None:
        """Keep the columns that were not taken."""
        rest = {name: values for name, values in results.items() if name not in set(taken)}
        self._rows, self._rest = rows.tobytes(), rest

    def take(self, rows: np.ndarray, names: Iterable[str]) -> Mapping[str, Any] | None:
        """Return kept columns of rows, or None if one is missing."""
        if not self._rest or self._rows != rows.tobytes() or not self._rest.keys() >= set(names):
            return None
        return {name: self._rest.pop(name) for name in names}


class MappedSource(SameRows):
    """Rows of another source, with columns that a function adds or replaces.

    Args:
        source: source of the rows, without decoding.
        inputs: view of all rows with the columns to pass to the function.
        function: takes a row, or columns of several rows, as a dict, and returns a dict of new
            columns.
        batched: whether the function takes columns of several rows.
        block: number of rows per read, and maximum number per call if `batched` is True.
        features: features of new columns; missing features are inferred from the first rows.

    Raises:
        FunctionError: the function fails on the first rows.
        SchemaError: a result does not fit any feature.
    """

    def __init__(
        self,
        source: Source,
        inputs: "RowView",
        function: Callable[[Any], Any],
        *,
        batched: bool,
        block: int,
        features: Mapping[str, Feature],
    ) -> None:
        self._source, self._inputs, self._function = source, inputs, function
        self._batched, self._block = batched, block
        self.rows, self.manifest = source.rows, source.manifest
        self._latest = _Latest()
        self._new = self._features(features)
        self.features = {**source.features, **self._new}

    @cached_property
    def identity(self) -> list[str]:
        parts = [self._inputs.fingerprint, "map", self._new, *self._described()]
        return [*self._source.identity, msgspec.json.encode(parts).decode()]

    def _described(self) -> list[Any]:
        """Return values that identify the function; empty for functions of callers."""
        return []

    def _where(self, rows: np.ndarray, place: int) -> str:
        return self.where(int(rows[place]))

    def read(self, name: str, rows: Rows) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        new, kept = self._divided(names)
        if not new:
            return self._source.batch(names, rows)
        pieces = []
        for block in self._blocks(rows):
            values = self._source.batch(list({**kept, **self._inputs.features}), block)
            shared = {name: _copied(values[name]) for name in kept if name in self._inputs.features}
            computed = self._computed(values, new, block)
            added = {name: _values(array, new[name]) for name, array in computed.items()}
            pieces.append({**values, **shared, **added})
        return {name: joined([piece[name] for piece in pieces]) for name in names}

    def arrow_rows(self, names: Sequence[str], rows: Rows) -> dict[str, pa.Array]:
        new, kept = self._divided(names)
        if not new:
            return self._source.arrow_rows(names, rows)
        pieces = []
        for block in self._blocks(rows):
            arrays = self._source.arrow_rows(list({**kept, **self._inputs.features}), block)
            values = {
                name: _values(arrays[name], feature)
                for name, feature in self._inputs.features.items()
            }
            pieces.append(arrays | self._computed(values, new, block))
        return {name: pa.concat_arrays([piece[name] for piece in pieces]) for name in names}

    def _divided(self, names: Sequence[str]) -> tuple[dict[str, Feature], dict[str, Feature]]:
        """Divide columns into computed columns and columns of the source."""
        new = {name: self._new[name] for name in names if name in self._new}
        kept = {name: self.features[name] for name in names if name not in new}
        return new, kept

    def _blocks(self, rows: Rows) -> Iterator[Rows]:
        """Yield rows in blocks; yield one empty block if there are no rows."""
        for start in range(0, max(len(rows), 1), self._block):
            yield rows[start : start + self._block]

    def _computed(
        self, values: Mapping[str, Any], names: Mapping[str, Feature], rows: Rows
    ) -> dict[str, pa.Array]:
        """Call the function with a block of rows, and return the named columns as arrays."""
        if not len(rows):
            return {name: pa.array([], arrow_type(feature)) for name, feature in names.items()}
        numbers = np.asarray(rows, np.int64)
        results = self._latest.take(numbers, names) or self._call(values, numbers)
        if len(results) > len(names):
            self._latest.keep(numbers, names, results)
        for name in names:
            if name not in results:
                raise self._lacking(name, numbers, results)
        return {name: self._fitted(name, results[name], numbers) for name in names}

    def _call(self, values: Mapping[str, Any], rows: np.ndarray) -> Mapping[str, Any]:
        """Call the function, and return the values of each new column."""
        stored = {name: values[name] for name in self._inputs.features}
        batch = self._inputs.decoded(stored, rows)
        if self._batched:
            return self._call_batched(batch, rows)
        items = {name: _items(column) for name, column in batch.items()}
        columns: dict[str, list[Any]] = {}
        for place in range(len(rows)):
            row = {name: column[place] for name, column in items.items()}
            result = self._result(row, partial(self._where, rows, place))
            if place and result.keys() != columns.keys():
                (name, *_) = result.keys() ^ columns.keys()
                raise self._lacking(name, rows[place:], result if name in columns else columns)
            for name, value in result.items():
                columns.setdefault(name, []).append(value)
        return columns

    def _call_batched(self, batch: dict[str, Any], rows: np.ndarray) -> Mapping[str, Any]:
        def where() -> str:
            return f"{self.where(int(rows[0]))} and the {len(rows) - 1:,} rows after it"

        results = self._result(dict(batch), where)
        for name, values in results.items():
            sized = hasattr(values, "__len__") and not isinstance(values, str | bytes | Mapping)
            if not sized or len(values) != len(rows):
                raise SchemaError(
                    where=f"{where()}: column {name} of map",
                    expected=f"{len(rows):,} values, one for each row",
                    got=f"{len(values):,} values" if sized else reprlib.repr(values),
                    hint="return a value for each row; use ds.filter to remove rows, or ds.pack to "
                    "regroup lists",
                )
        return results

    def _result(self, value: dict[str, Any], where: Callable[[], str]) -> Mapping[str, Any]:
        """Call the function with a row or a batch; raise FunctionError if it fails."""
        with calling("map", self._function, where, value):
            result = self._function(value)
        if isinstance(result, Mapping) and all(isinstance(name, str) for name in result):
            return result
        got = "None: is a `return` missing?" if result is None else describe_values(result)
        raise FunctionError(
            method="map",
            function=name_of(self._function),
            where=where(),
            reason=f"it must return a dict of columns, but it returned {got}",
            value=describe_values(value),
        )

    def _features(self, passed: Mapping[str, Feature]) -> dict[str, Feature]:
        """Return the features of the new columns, inferred from the first rows if necessary."""
        rows = np.arange(min(self.rows, SAMPLE, self._block), dtype=np.int64)
        if not len(rows):
            return dict(passed)
        results = self._call(self._source.batch(list(self._inputs.features), rows), rows)
        for name in passed:
            if name not in results:
                raise self._lacking(name, rows, results)
        old = self._source.features
        return {
            name: passed.get(name) or infer(values, old.get(name), f"column {name} of map")
            for name, values in results.items()
        }

    def _fitted(self, name: str, values: Any, rows: np.ndarray) -> pa.Array:
        feature = self._new[name]
        try:
            return fit(values, feature, name)
        except SchemaError as error:
            first = first_unfit(values, feature, name)
            raise SchemaError(
                where=f"{self.where(int(rows[first]))}, column {name} of map",
                expected=error.expected,
                got=describe_values(item(values[first])),
                hint=HINT,
            ) from error

    def _lacking(self, name: str, rows: np.ndarray, results: Mapping[str, Any]) -> SchemaError:
        return SchemaError(
            where=self.where(int(rows[0])),
            expected=f"column {name!r} in the result of {name_of(self._function)}",
            got=f"columns {', '.join(results) or 'none'}",
            hint="return the same columns for every row",
        )


def _values(array: pa.Array, feature: Feature) -> Values:
    """Return a copy of the values of an Arrow array."""
    return column_of(array, feature, damage_error).gather(np.arange(len(array)))


def _copied(values: Any) -> Any:
    """Copy values that a function could modify in place."""
    if isinstance(values, np.ndarray):
        return values.copy()
    return [_copied(value) for value in values] if isinstance(values, list) else values


def _items(column: Values) -> Any:
    """Return the values of a column, with single numbers as Python numbers."""
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return list(column) if column.dtype.kind == "M" else column.tolist()
    return column
