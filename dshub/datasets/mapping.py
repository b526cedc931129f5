"""Columns that a function computes when rows are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.datasets.arrow import arrow_values
from dshub.datasets.from_memory import cast_column, conform_chunks, damage_error, infer_feature
from dshub.datasets.sources import Source
from dshub.errors import DshubError, FunctionError, SchemaError
from dshub.loading.calling import calling, describe_values, name_of
from dshub.tables.columns import Values, column_of
from dshub.tables.types import arrow_type, row_dtype

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset

SAMPLE = 100  # first rows, from which features are inferred
_FEATURE_HINT = "pass features={name: …} to map"

Rows = range | np.ndarray


class MappedSource(Source):
    """The rows of another source, with columns that a function adds or replaces.

    Args:
        source: the rows, without decoding.
        inputs: the same rows with the columns that the function gets.
        function: gets a row, or columns of several rows, as a dict, and returns a dict of new
            columns.
        batched: whether the function gets columns of several rows.
        batch_size: rows per call at most, if batched.
        features: of the new columns; the others are inferred from the first rows.

    Raises:
        FunctionError: the function fails on the first rows.
        SchemaError: a result fits no feature.
    """

    def __init__(
        self,
        source: Source,
        inputs: "Dataset",
        function: Callable[[Any], Any],
        *,
        batched: bool,
        batch_size: int,
        features: Mapping[str, Feature],
    ) -> None:
        self._source, self._inputs, self._function = source, inputs, function
        self._batched, self._batch_size = batched, batch_size
        self.rows, self.manifest = source.rows, source.manifest
        self._new = self._features(features)
        self.features = {**source.features, **self._new}

    @cached_property
    def identity(self) -> list[str]:
        parts = [self._inputs.fingerprint, "map", self._new]
        return [*self._source.identity, msgspec.json.encode(parts).decode()]

    def where(self, row: int) -> str:
        return self._source.where(row)

    def read(self, name: str, rows: Rows) -> Values:
        return self.batch([name], rows)[name]

    def batch(self, names: Sequence[str], rows: Rows) -> dict[str, Values]:
        new = [name for name in names if name in self._new]
        batch = self._source.batch([name for name in names if name not in self._new], rows)
        batch |= {name: self._values(name, array) for name, array in self._computed(new, rows)}
        return {name: batch[name] for name in names}

    def arrow_rows(self, names: Sequence[str], rows: range) -> dict[str, pa.Array]:
        new = [name for name in names if name in self._new]
        batch = self._source.arrow_rows([name for name in names if name not in self._new], rows)
        batch |= dict(self._computed(new, rows))
        return {name: batch[name] for name in names}

    def _values(self, name: str, array: pa.Array) -> Values:
        return column_of(array, self._new[name], damage_error).gather(np.arange(len(array)))

    def _computed(self, names: Sequence[str], rows: Rows) -> Iterator[tuple[str, pa.Array]]:
        """Call the function with blocks of rows; yields the arrays of some new columns."""
        if not names:
            return
        pieces: dict[str, list[pa.Array]] = {name: [] for name in names}
        for start in range(0, len(rows), self._batch_size):
            block = np.asarray(rows[start : start + self._batch_size], np.int64)
            results = self._call(block)
            for name in names:
                if name not in results:
                    raise self._lacking(name, block, results)
                pieces[name].append(self._fitted(name, results[name], block))
        for name, arrays in pieces.items():
            kind = arrow_type(self._new[name])
            yield name, pa.concat_arrays(arrays) if arrays else pa.array([], kind)

    def _call(self, rows: np.ndarray) -> Mapping[str, Any]:
        """Call the function; returns the values of each new column."""
        batch = self._inputs.gather(rows)
        if self._batched:
            return self._call_batched(batch, rows)
        columns: dict[str, list[Any]] = {}
        for place, number in enumerate(rows.tolist()):
            row = {name: plain(values[place]) for name, values in batch.items()}
            result = self._result(row, self.where(number))
            if place and result.keys() != columns.keys():
                (name, *_) = result.keys() ^ columns.keys()
                raise self._lacking(name, rows[place:], result if name in columns else columns)
            for name, value in result.items():
                columns.setdefault(name, []).append(value)
        return columns

    def _call_batched(self, batch: dict[str, Any], rows: np.ndarray) -> Mapping[str, Any]:
        where = f"{self.where(int(rows[0]))} and the {len(rows) - 1:,} rows after it"
        results = self._result(dict(batch), where)
        for name, values in results.items():
            if not hasattr(values, "__len__") or len(values) != len(rows):
                got = f"{len(values):,} values" if hasattr(values, "__len__") else repr(values)
                raise SchemaError(
                    where=f"{where}: column {name} of map",
                    expected=f"{len(rows):,} values, one for each row",
                    got=got,
                    hint="return a value for each row; ds.filter removes rows, ds.pack regroups "
                    "lists",
                )
        return results

    def _result(self, value: dict[str, Any], where: str) -> Mapping[str, Any]:
        """Call the function with a row or a batch; raises FunctionError."""
        with calling("map", self._function, where, value):
            result = self._function(value)
        if isinstance(result, Mapping):
            return result
        got = "None: is a `return` missing?" if result is None else type(result).__name__
        raise FunctionError(
            method="map",
            function=name_of(self._function),
            where=where,
            reason=f"it must return a dict of columns, and returned {got}",
            value=describe_values(value),
        )

    def _features(self, given: Mapping[str, Feature]) -> dict[str, Feature]:
        """Return the features of the new columns, inferred from the first rows if necessary."""
        rows = np.arange(min(self.rows, SAMPLE, self._batch_size), dtype=np.int64)
        if not len(rows):
            return dict(given)
        results = self._call(rows)
        for name in given:
            if name not in results:
                raise self._lacking(name, rows, results)
        return {
            name: given[name] if name in given else self._inferred(name, values)
            for name, values in results.items()
        }

    def _inferred(self, name: str, values: Any) -> Feature:
        """Infer a feature: that of the replaced column if values fit it."""
        where, old = f"column {name} of map", self._source.features.get(name)
        if isinstance(old, LabelFeature | TextFeature | NumberFeature | ListFeature):
            try:
                _fit(values, old, name)
            except DshubError:
                pass
            else:
                return old
        array = _stacked(values)
        if array is not None:
            if isinstance(old, ImageFeature) and array.ndim == 4 and array.dtype == np.uint8:
                return ImageFeature(shape=array.shape[1:])
            kind = pa.from_numpy_dtype(array.dtype)
            inner = infer_feature(where, cast_column(pa.array([], kind)).type)
            return msgspec.structs.replace(inner, shape=array.shape[1:])
        return infer_feature(where, _arrow(values, where).type)

    def _fitted(self, name: str, values: Any, rows: np.ndarray) -> pa.Array:
        try:
            return _fit(values, self._new[name], name)
        except SchemaError as error:
            first = f"{self.where(int(rows[0]))} and the rows after it, " if len(rows) else ""
            raise SchemaError(
                where=f"{first}column {name} of map",
                expected=error.expected,
                got=error.got,
                hint=_FEATURE_HINT,
            ) from error

    def _lacking(self, name: str, rows: np.ndarray, results: Mapping[str, Any]) -> SchemaError:
        return SchemaError(
            where=self.where(int(rows[0])),
            expected=f"column {name!r} in the result of {name_of(self._function)}",
            got=f"columns {', '.join(results) or 'none'}",
            hint="return the same columns for every row",
        )


def plain(value: Any) -> Any:
    """Turn NumPy scalars into Python's own numbers."""
    return value.item() if isinstance(value, np.generic) else value


def _fit(values: Any, feature: Feature, name: str) -> pa.Array:
    """Convert the values of a column to a feature; raises SchemaError."""
    where = f"column {name}"
    array = _stacked(values) if row_dtype(feature) is not None else None
    known = isinstance(feature, ImageFeature | NumberFeature | LabelFeature)
    if array is not None and known and array.ndim > 1:
        column = arrow_values(array, feature)
    else:
        column = _arrow(values, where)
    (converted,) = conform_chunks([column], name, feature, "map")
    return converted


def _stacked(values: Any) -> np.ndarray | None:
    """Return arrays of one shape as one array; None for other values."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values
    if hasattr(values, "__array__") and not isinstance(values, list):  # a tensor
        return np.asarray(values)
    items = list(values)
    if not items or not all(hasattr(item, "__array__") for item in items):
        return None
    arrays = [np.asarray(item) for item in items]
    same = len({(item.shape, item.dtype) for item in arrays}) == 1
    return np.stack(arrays) if same else None


def _arrow(values: Any, where: str) -> pa.Array:
    """Make an Arrow array of Python values; raises SchemaError."""
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return arrow_values(values, NumberFeature(dtype="uint8"))
    try:
        try:
            return cast_column(pa.array(values))
        except (pa.ArrowException, ValueError, TypeError):  # tensors, which Arrow does not know
            return cast_column(pa.array([_as_array(value) for value in values]))
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise SchemaError(
            where=where,
            expected="numbers, text or lists of them",
            got=str(error),
            hint=_FEATURE_HINT,
        ) from error


def _as_array(value: Any) -> Any:
    return np.asarray(value) if hasattr(value, "__array__") else value
