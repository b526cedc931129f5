"""Sources of rows: prepared tables, or columns in memory."""

import hashlib
from abc import abstractmethod
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
    """Rows numbered from 0.

    Attributes:
        rows: their number.
        features: the columns and their features.
        manifest: of the dataset; None for own data.
        files: the Arrow files of prepared tables that hold the rows; empty for own data.
    """

    rows: int
    features: Mapping[str, Feature]
    manifest: Manifest | None = None
    files: Sequence[Path] = ()

    @property
    @abstractmethod
    def identity(self) -> list[str]:
        """Texts that distinguish these rows from any others."""

    @abstractmethod
    def where(self, row: int) -> str:
        """Describe a row, for errors."""

    @abstractmethod
    def read(self, name: str, rows: range | np.ndarray) -> Values:
        """Read rows of a column: consecutive ones as views where possible, others as a copy."""

    def whole(self, name: str) -> np.ndarray | None:
        """A column as one array, or None if it is not in one piece of memory."""

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        """The chunks of a column that is stored as Arrow, or None."""


class TableSource(Source):
    """Rows of prepared tables, concatenated. Pickles as the paths of their folders.

    Args:
        folders: of the tables.
        manifest: of the dataset. Versions with the same rows share a table, so the manifest in
            the first table, the default, can be of another version.
    """

    def __init__(self, folders: Sequence[Path], manifest: Manifest | None = None) -> None:
        self._folders = tuple(folders)
        self._tables = [Table(folder) for folder in self._folders]
        counts = [table.rows for table in self._tables]
        self._starts = np.cumsum([0, *counts]).astype(np.int64)
        self.rows = sum(counts)
        self.manifest = self._tables[0].record.manifest
        self._other: Manifest | None = None
        if manifest is not None and manifest.identifier != self.manifest.identifier:
            self.manifest = self._other = manifest
        self.files = [file for table in self._tables for file in table.files]
        first, *rest = (table.features for table in self._tables)
        self.features = {
            name: feature
            for name, feature in first.items()
            if all(other.get(name) == feature for other in rest)
        }

    def __reduce__(self) -> tuple[type["TableSource"], tuple[tuple[Path, ...], Manifest | None]]:
        return TableSource, (self._folders, self._other)

    @cached_property
    def identity(self) -> list[str]:
        return [table_identity(table.record.recipe) for table in self._tables]

    def where(self, row: int) -> str:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        record = self._tables[number].record
        row -= int(self._starts[number])
        return f"{record.manifest.identifier}, split {record.split}, row {row}"

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        tables, feature = self._tables, self.features[name]
        column = ChunkedColumn(self._starts, lambda number: tables[number].whole(name), feature)
        return _read(column, rows)

    def whole(self, name: str) -> np.ndarray | None:
        if len(self.files) != 1:
            return None
        values = self.read(name, range(self.rows))
        return values if isinstance(values, np.ndarray) else None

    def arrow(self, name: str) -> Sequence[pa.Array]:
        return [array for table in self._tables for array in table.arrow(name)]


class ColumnSource(Source):
    """Rows of columns that are already in memory or mapped, and are not copied."""

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

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        return _read(self._columns[name], rows)

    def whole(self, name: str) -> np.ndarray | None:
        column = self._columns[name]
        values = column.values if isinstance(column, ArrayColumn) else None
        return values if values is not None and values.flags.c_contiguous else None

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return self._arrow.get(name)


def _read(column: Column, rows: range | np.ndarray) -> Values:
    if isinstance(rows, range):
        return column.span(rows.start, rows.stop)
    return column.gather(rows)


def _pieces(values: Any) -> Iterable[bytes]:
    """The content of a column or a row, in pieces that cannot be mistaken for one another."""
    if isinstance(values, np.ndarray):
        yield np.ascontiguousarray(values).tobytes()
    elif isinstance(values, str | bytes):
        yield values.encode() if isinstance(values, str) else values
    else:
        yield len(values).to_bytes(8, "little")
        for value in values:
            yield from _pieces(value)
