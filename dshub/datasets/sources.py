"""Where a dataset's rows lie: in tables, or in columns that a person brought."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature
from dshub.catalog.manifest import Manifest
from dshub.datasets.selection import table_identity
from dshub.tables.columns import ArrayColumn, ChunkedColumn, Column, Values
from dshub.tables.table import Table

BLOCK = 1024  # rows hashed at a time


class Source(Protocol):
    """Rows under numbers from 0 to `rows` - 1, each column as it is kept."""

    @property
    def rows(self) -> int: ...
    @property
    def features(self) -> Mapping[str, Feature]: ...
    @property
    def manifest(self) -> Manifest | None: ...
    @property
    def identity(self) -> list[str]:
        """What tells these rows from any others."""

    def where(self, row: int) -> str:
        """The row in words, for errors."""

    def gather(self, name: str, rows: np.ndarray) -> Values: ...
    def span(self, name: str, start: int, stop: int) -> Values: ...
    def whole(self, name: str) -> np.ndarray | None:
        """A column of arrays in one piece of memory, or None where it lies in several."""

    @property
    def files(self) -> Sequence[Path]:
        """The Arrow files of prepared tables that the rows lie in; none where they do not."""

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        """A column as Arrow keeps it, in its pieces; None where it does not."""


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
        return list(map(table_identity, recipes))

    def where(self, row: int) -> str:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        record = self._tables[number].record
        own = row - int(self._starts[number])
        return f"{record.manifest.identifier}, split {record.split}, row {own}"

    def gather(self, name: str, rows: np.ndarray) -> Values:
        return self._whole(name).gather(rows)

    def span(self, name: str, start: int, stop: int) -> Values:
        return self._whole(name).span(start, stop)

    def _whole(self, name: str) -> ChunkedColumn:
        tables = self._tables
        return ChunkedColumn(
            self._starts, lambda number: tables[number].whole(name), self.features[name]
        )

    def whole(self, name: str) -> np.ndarray | None:
        if len(self._tables) != 1 or len(self._tables[0].record.shards) != 1:
            return None
        found = self.span(name, 0, self.rows)
        return found if isinstance(found, np.ndarray) else None

    @property
    def files(self) -> Sequence[Path]:
        return [file for table in self._tables for file in table.files]

    def arrow(self, name: str) -> Sequence[pa.Array]:
        return [array for table in self._tables for array in table.arrow(name)]


class ColumnSource:
    """Rows of columns that are in memory, or mapped, already; used as they are, not copied."""

    manifest: Manifest | None = None
    files: Sequence[Path] = ()

    def __init__(
        self,
        columns: Mapping[str, Column],
        features: Mapping[str, Feature],
        rows: int,
        *,
        arrow: Mapping[str, Sequence[pa.Array]] | None = None,
    ) -> None:
        self._columns, self.features, self.rows = dict(columns), dict(features), rows
        self._arrow = arrow or {}

    @cached_property
    def identity(self) -> list[str]:
        hasher = hashlib.sha256(msgspec.json.encode(self.features))
        for column in self._columns.values():
            for start in range(0, self.rows, BLOCK):
                for piece in _pieces(column.span(start, min(start + BLOCK, self.rows))):
                    hasher.update(len(piece).to_bytes(8, "little"))
                    hasher.update(piece)
        return [hasher.hexdigest()]

    def where(self, row: int) -> str:
        return f"own data, row {row}"

    def gather(self, name: str, rows: np.ndarray) -> Values:
        return self._columns[name].gather(rows)

    def span(self, name: str, start: int, stop: int) -> Values:
        return self._columns[name].span(start, stop)

    def whole(self, name: str) -> np.ndarray | None:
        column = self._columns[name]
        found = column.values if isinstance(column, ArrayColumn) else None
        return found if found is not None and found.flags.c_contiguous else None

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return self._arrow.get(name)


def _pieces(values: Any) -> Iterable[bytes]:
    """The content of a column or of a row, in pieces that cannot be taken for one another."""
    if isinstance(values, np.ndarray):
        yield np.ascontiguousarray(values).tobytes()
    elif isinstance(values, str):
        yield values.encode()
    elif isinstance(values, bytes):
        yield values
    else:
        yield len(values).to_bytes(8, "little")
        for value in values:
            yield from _pieces(value)
