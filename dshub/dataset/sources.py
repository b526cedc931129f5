"""Where a dataset's rows lie: a table, several of them in a row, or arrays in memory."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import SchemaError
from dshub.manifest import Feature, LabelFeature, Manifest, NumberFeature, TextFeature
from dshub.schema import row_dtype, row_shape
from dshub.table import Table, Values
from dshub.table.table import joined


class Source(Protocol):
    """Rows under numbers from 0 to `rows` - 1."""

    @property
    def rows(self) -> int: ...
    @property
    def features(self) -> Mapping[str, Feature]: ...
    @property
    def manifest(self) -> Manifest | None: ...
    @property
    def identity(self) -> list[str]:
        """What tells these rows from any others."""

    def gather(self, name: str, rows: np.ndarray) -> Values: ...
    def span(self, name: str, start: int, stop: int) -> Values: ...
    def whole(self, name: str) -> np.ndarray | None:
        """A column of arrays in one piece of memory, or None where it lies in several."""


class TableSource:
    """Rows of prepared tables, one behind the other. Pickles as the paths of their folders."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def __reduce__(self) -> tuple[type["TableSource"], tuple[tuple[Path, ...]]]:
        return TableSource, (self._folders,)

    @cached_property
    def _tables(self) -> list[Table]:
        return [Table(folder) for folder in self._folders]

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(table.rows for table in self._tables)]).astype(np.int64)

    @cached_property
    def rows(self) -> int:
        return sum(table.rows for table in self._tables)

    @cached_property
    def features(self) -> Mapping[str, Feature]:
        first, *rest = (table.features for table in self._tables)
        return {
            name: feature
            for name, feature in first.items()
            if all(other.get(name) == feature for other in rest)
        }

    @property
    def manifest(self) -> Manifest:
        return self._tables[0].record.manifest

    @property
    def identity(self) -> list[str]:
        recipes = [table.record.recipe for table in self._tables]
        return [msgspec.json.encode(recipe, order="sorted").decode() for recipe in recipes]

    def gather(self, name: str, rows: np.ndarray) -> Values:
        if len(self._tables) == 1:
            return self._tables[0].gather(name, rows)
        which = np.searchsorted(self._starts, rows, side="right") - 1
        used = [int(i) for i in np.unique(which)]
        pieces = [self._tables[i].gather(name, rows[which == i] - self._starts[i]) for i in used]
        together = joined(pieces, self.features[name])
        back = np.argsort(np.argsort(which, kind="stable"), kind="stable")
        if isinstance(together, list):
            return [together[i] for i in back]
        return together[back]

    def span(self, name: str, start: int, stop: int) -> Values:
        pieces = [
            table.span(name, max(start, begin) - begin, min(stop, end) - begin)
            for table, begin, end in zip(
                self._tables, self._starts[:-1], self._starts[1:], strict=True
            )
            if start < end and stop > begin
        ]
        return joined(pieces, self.features[name])

    def whole(self, name: str) -> np.ndarray | None:
        if len(self._tables) != 1 or len(self._tables[0].record.shards) != 1:
            return None
        found = self.span(name, 0, self.rows)
        return found if isinstance(found, np.ndarray) else None


class ArraySource:
    """Rows of arrays that are in memory already; they are used as they are, not copied."""

    manifest: Manifest | None = None

    def __init__(
        self, columns: Mapping[str, np.ndarray | list[str]], features: Mapping[str, Feature]
    ) -> None:
        self._columns, self.features = dict(columns), dict(features)

    @cached_property
    def rows(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    @cached_property
    def identity(self) -> list[str]:
        hasher = hashlib.sha256(msgspec.json.encode(self.features))
        for column in self._columns.values():
            if isinstance(column, np.ndarray):
                hasher.update(np.ascontiguousarray(column).data)
            else:
                hasher.update(msgspec.json.encode(column))
        return [hasher.hexdigest()]

    def gather(self, name: str, rows: np.ndarray) -> Values:
        column = self._columns[name]
        if isinstance(column, list):
            return [column[row] for row in rows]
        return column.take(rows, axis=0)

    def span(self, name: str, start: int, stop: int) -> Values:
        return self._columns[name][start:stop]

    def whole(self, name: str) -> np.ndarray | None:
        column = self._columns[name]
        if isinstance(column, np.ndarray) and column.flags.c_contiguous:
            return column
        return None


def from_arrays(
    columns: Mapping[str, np.ndarray | Sequence[str]], features: Mapping[str, Feature] | None
) -> ArraySource:
    """A source of arrays: all of one length; features guessed where not given."""
    plain = {name: _column(column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in plain.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise SchemaError(where="columns", expected="one length", got=told)
    guessed = {name: _guess(name, column) for name, column in plain.items()}
    for name, feature in (features or {}).items():
        found = plain.get(name)
        if found is None or not _fits(found, feature):
            got = "no such column" if found is None else _words(found)
            raise SchemaError(where=f"column {name}", expected=_wanted(feature), got=got)
        guessed[name] = feature
    return ArraySource(plain, guessed)


def _column(column: np.ndarray | Sequence[str]) -> np.ndarray | list[str]:
    """Text as a list; anything else as a read-only view, in this machine's byte order."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "U" and column.ndim == 1:
        return cast("list[str]", column.tolist())
    if not isinstance(column, np.ndarray) and all(isinstance(text, str) for text in column):
        return list(column)
    array = np.asarray(column)
    view = array.astype(array.dtype.newbyteorder("="), copy=False).view()
    view.flags.writeable = False
    return view


def _guess(name: str, column: np.ndarray | list[str]) -> Feature:
    if isinstance(column, list):
        return TextFeature()
    try:
        return msgspec.convert(
            {"dtype": column.dtype.name, "shape": column.shape[1:]}, NumberFeature
        )
    except msgspec.ValidationError:
        expected = "numbers or text"
        raise SchemaError(where=f"column {name}", expected=expected, got=_words(column)) from None


def _fits(column: np.ndarray | list[str], feature: Feature) -> bool:
    if isinstance(column, list) or row_dtype(feature) is None:
        return isinstance(column, list) and row_dtype(feature) is None
    same = column.dtype == row_dtype(feature) and column.shape[1:] == row_shape(feature)
    if same and isinstance(feature, LabelFeature) and len(column):
        return bool(column.min() >= 0 and column.max() < len(feature.names))
    return same


def _wanted(feature: Feature) -> str:
    """What a column must be to hold a feature."""
    dtype = row_dtype(feature)
    if dtype is None:
        return "text"
    if isinstance(feature, LabelFeature):
        return f"{dtype} (rows,) from 0 to {len(feature.names) - 1}"
    return f"{dtype} ({', '.join(['rows', *map(str, row_shape(feature))])})"


def _words(column: np.ndarray | list[str]) -> str:
    if isinstance(column, list):
        return "text"
    values = f" from {column.min()} to {column.max()}" if column.dtype.kind in "iu" else ""
    return f"{column.dtype} {column.shape}{values if column.size else ''}"


def from_arrow(table: pa.Table) -> ArraySource:
    """A source over numbers, fixed-size lists and text; zero copy where they are one chunk."""
    columns: dict[str, np.ndarray | list[str]] = {}
    for name in table.schema.names:
        chunks = table.column(name)
        column = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            columns[name] = cast("list[str]", column.to_pylist())
            continue
        shape = [len(column)]
        while pa.types.is_fixed_size_list(column.type) and not column.null_count:
            shape.append(column.type.list_size)
            column = column.flatten()
        if column.null_count or not pa.types.is_primitive(column.type):
            got = f"{column.type} with {column.null_count} nulls"
            raise SchemaError(where=f"column {name}", expected="numbers or text", got=got)
        columns[name] = column.to_numpy(zero_copy_only=False).reshape(shape)
    return from_arrays(columns, None)
