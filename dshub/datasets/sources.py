"""Sources of rows: prepared tables and columns in memory."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa

from dshub.catalog.features import Feature
from dshub.catalog.manifest import Manifest
from dshub.datasets.arrow import arrow_values, stored_rows
from dshub.datasets.selection import digest, encoded_features, table_identity
from dshub.loading.blocks import ImageBlocks
from dshub.tables.columns import ArrayColumn, BytesColumn, ChunkedColumn, Column, Values
from dshub.tables.table import Shards, Table
from dshub.tables.types import arrow_type, row_shape

BLOCK = 1024  # rows hashed per update
SAMPLE = 256  # rows hashed to identify rows of own data
SAMPLE_BYTES = 16 << 20  # bytes per column


class Source(Protocol):
    """Interface of sources, with rows numbered from 0.

    Attributes:
        rows: number of rows.
        features: features by column name.
        manifest: manifest of the dataset, or None for your own data.
        files: Arrow files of prepared tables; empty for your own data.
        cache_name: default name of the result of `Dataset.cache`; empty if callers must pass one.
    """

    rows: int
    features: Mapping[str, Feature]
    manifest: Manifest | None = None
    files: Sequence[Path] = ()
    cache_name: str = ""

    @property
    @abstractmethod
    def identity(self) -> list[str]:
        """Strings that identify the rows in fingerprints."""

    @property
    def row_identity(self) -> str:
        """Text that identifies the rows in states of loaders.

        Unlike `identity`, it does not depend on the columns that views add, convert or compute. The
        same rows have the same text on every machine.
        """
        return digest(*self.identity)

    @abstractmethod
    def where(self, row: int) -> str:
        """Describe a row for error messages."""

    def file(self, name: str, row: int) -> str:
        """Return the name of the original file of an encoded column, or empty if it is unknown."""
        del name, row
        return ""

    def describe(self, row: int, column: str = "") -> str:
        """Describe a row, with one of its columns and the original file if they are known."""
        file = self.file(column, row) if column else ""
        named = f"{self.where(row)} ({file})" if file else self.where(row)
        return f"{named}, column {column}" if column else named

    @abstractmethod
    def read(self, name: str, rows: range | np.ndarray) -> Values:
        """Read rows of a column, as views if they are consecutive and the column allows it."""

    def batch(self, names: Sequence[str], rows: range | np.ndarray) -> dict[str, Values]:
        """Read rows of several columns, which a source can compute together."""
        return {name: self.read(name, rows) for name in names}

    def arrow_rows(self, names: Sequence[str], rows: range | np.ndarray) -> dict[str, pa.Array]:
        """Read rows of several columns as Arrow arrays, without a copy if possible."""
        stored = {name: chunks for name in names if (chunks := self.arrow(name))}
        batch = self.batch([name for name in names if name not in stored], rows)
        arrays = {}
        for name in names:
            feature = self.features[name]
            if name in stored:
                column = stored_rows(stored[name], feature, rows)
                arrays[name] = column.combine_chunks().cast(arrow_type(feature))
            else:
                arrays[name] = arrow_values(batch[name], feature)
        return arrays

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        """Return the files of rows of a column, without copying them if possible."""
        return cast("Sequence[bytes]", self.read(name, rows))

    def contiguous(self, name: str) -> np.ndarray | None:
        """Return a column as one array, or None if it is not contiguous in memory."""
        return None

    def blocks(self, name: str) -> ImageBlocks | None:
        """Return a column of raw images as the arrays of its shards, or None if there are none."""
        return None

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        """Return the Arrow chunks of a column, or None if it is not stored as Arrow."""
        return None


class SameRows(Source):
    """Base class of sources with the rows of another source, `_source`, and other columns."""

    _source: Source

    @property
    def row_identity(self) -> str:
        return self._source.row_identity

    def where(self, row: int) -> str:
        return self._source.where(row)

    def file(self, name: str, row: int) -> str:
        return self._source.file(name, row) if name in self._source.features else ""


class TableSource(Source):
    """Rows of concatenated prepared tables; a pickle contains only the paths of their folders.

    Args:
        folders: folders of the tables.
        manifest: manifest of the dataset, by default the one in the first table. Versions with the
            same rows share a table, so the default can be the manifest of another version.
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
        first, *others = (table.features for table in self._tables)
        self.features = {
            name: feature
            for name, feature in first.items()
            if all(features.get(name) == feature for features in others)
        }

    def __reduce__(self) -> tuple[type["TableSource"], tuple[tuple[Path, ...], Manifest | None]]:
        return TableSource, (self._folders, self._other)

    @cached_property
    def identity(self) -> list[str]:
        return [table_identity(table.record.recipe) for table in self._tables]

    def where(self, row: int) -> str:
        number, row = self._place(row)
        record = self._tables[number].record
        return f"{record.manifest.identifier}, split {record.split}, row {row}"

    def file(self, name: str, row: int) -> str:
        number, row = self._place(row)
        # imported on errors only, because it reads archives and formats
        originals = import_module("dshub.tables.originals")
        return str(originals.original_file(self._folders[number], name, row))

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of the table of a row, and the row in this table."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return number, row - int(self._starts[number])

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        return read_column(self._column(name), rows)

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return self._column(name).contents(rows)

    def _column(self, name: str) -> ChunkedColumn:
        tables, feature = self._tables, self.features[name]
        return ChunkedColumn(self._starts, lambda number: tables[number].column(name), feature)

    def contiguous(self, name: str) -> np.ndarray | None:
        if len(self.files) != 1:
            return None
        values = self.read(name, range(self.rows))
        return values if isinstance(values, np.ndarray) else None

    def blocks(self, name: str) -> ImageBlocks | None:
        return None if len(self._tables) != 1 else blocks_of(self._tables[0], name)

    def arrow(self, name: str) -> Sequence[pa.Array]:
        return [array for table in self._tables for array in table.arrow(name)]


class ColumnSource(Source):
    """Rows of columns that are in memory or memory-mapped, without copying them."""

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
        hasher = hashlib.sha256(encoded_features(self.features))
        for column in self._columns.values():
            for start in range(0, self.rows, BLOCK):
                for piece in _pieces(column.span(start, min(start + BLOCK, self.rows))):
                    hasher.update(len(piece).to_bytes(8, "little"))
                    hasher.update(piece)
        return [hasher.hexdigest()]

    @cached_property
    def row_identity(self) -> str:
        """Hash of the features and of up to `SAMPLE` rows, because hashing all would be slow."""
        hasher = hashlib.sha256(encoded_features(self.features))
        for column in self._columns.values() if self.rows else ():
            first = column.gather(np.zeros(1, np.int64))
            size = first.nbytes if isinstance(first, np.ndarray) else 1
            count = min(self.rows, max(2, min(SAMPLE, SAMPLE_BYTES // max(1, size))))
            rows = np.linspace(0, self.rows - 1, count).astype(np.int64)
            for piece in _pieces(column.gather(rows)):
                hasher.update(len(piece).to_bytes(8, "little"))
                hasher.update(piece)
        return hasher.hexdigest()

    def where(self, row: int) -> str:
        return f"own data, row {row}"

    def read(self, name: str, rows: range | np.ndarray) -> Values:
        return read_column(self._columns[name], rows)

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        column = self._columns[name]
        if isinstance(column, BytesColumn):
            return column.contents(rows)
        return super().contents(name, rows)

    def contiguous(self, name: str) -> np.ndarray | None:
        column = self._columns[name]
        values = column.values if isinstance(column, ArrayColumn) else None
        return values if values is not None and values.flags.c_contiguous else None

    def arrow(self, name: str) -> Sequence[pa.Array] | None:
        return self._arrow.get(name)


def blocks_of(shards: Shards, name: str) -> ImageBlocks:
    """Return a column of raw images as one array per shard."""
    shape = row_shape(shards.features[name])
    return ImageBlocks(shards.starts, partial(shards.values, name=name), shape)


def read_column(column: Column, rows: range | np.ndarray) -> Values:
    """Read rows of a column, as a view if they are consecutive and the column allows it."""
    if isinstance(rows, range):
        return column.span(rows.start, rows.stop)
    return column.gather(rows)


def _pieces(values: Any) -> Iterable[bytes]:
    """Yield the bytes of a column or row; the length of each list comes before its items."""
    if isinstance(values, np.ma.MaskedArray):
        yield np.ma.getmaskarray(values).tobytes()
        yield from _pieces(values.filled(0))
    elif isinstance(values, np.ndarray):
        yield np.ascontiguousarray(values).tobytes()
    elif isinstance(values, str | bytes):
        yield values.encode() if isinstance(values, str) else values
    elif isinstance(values, dict):
        yield from _pieces(list(values.values()))
    elif not isinstance(values, list):  # None, or a number or date in a struct
        yield f"{type(values).__name__} {values}".encode()
    else:
        yield len(values).to_bytes(8, "little")
        for value in values:
            yield from _pieces(value)
