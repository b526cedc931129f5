"""Write batches to a table, as shards with one record batch each."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa

from dshub._validate import decode
from dshub.cache.disk import disk_faults, empty
from dshub.cache.files import open_file, read_file, replace_file
from dshub.cache.owners import own_name
from dshub.cache.paths import JOURNAL
from dshub.catalog.manifest import Manifest
from dshub.checksums import Digest
from dshub.errors import StoreError
from dshub.tables.record import SUMS, Provenance, Shard, TableRecord
from dshub.tables.shards import OFFSET_LIMIT, ShardFile, Spool
from dshub.tables.table import open_shard
from dshub.tables.types import arrow_schema

SHARD_BYTES = 1 << 30  # bytes after which a new shard begins
MOST_COLUMNS = 200  # with a file for each, because systems limit open files to 256 or 1,024


class _Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The finished shards of an unfinished table, and a stamp of their source files."""

    stamp: str
    shards: tuple[Shard, ...]


class TableWriter:
    """A writer of the rows of one split to a folder.

    Rows are buffered in temporary files, so memory use is limited to one batch. With more than
    200 columns, a shard is kept in memory. Use the writer as a context manager, which removes the
    temporary files on exit.

    Args:
        folder: folder of the table, which the caller publishes after `close`.
        manifest: manifest of the dataset.
        split: name of the split.
        shard_bytes: size in bytes after which a new shard begins.

    Attributes:
        rows: number of rows so far.
        before_shard: function to call before the journal lists another shard.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, split: str, *, shard_bytes: int = SHARD_BYTES
    ) -> None:
        self._folder, self._manifest, self._split = folder, manifest, split
        self._schema = arrow_schema(manifest.split_features(split))
        self._limit = shard_bytes
        self._shard: ShardFile | None = None
        self._spools: list[Spool] = []
        self._largest: int | None = None
        self._waiting = 0
        self._shards: list[Shard] = []
        self._stamp = ""
        self.before_shard: Callable[[], None] = lambda: None
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def resume(self, stamp: str) -> None:
        """Continue after the shards that an interrupted process finished in the folder.

        Shards are verified. The first damaged shard and all shards after it are removed. If the
        stamp has changed, all shards are removed.

        Args:
            stamp: identifies the source files if their checksums are not in the recipe.
        """
        self._stamp = stamp
        with disk_faults(self._folder, "read"):
            for shard in self._journal(stamp):
                if not self._is_intact(shard):
                    break
                self._shards.append(shard)
                self.rows += shard.rows
            empty(self._folder, {shard.file for shard in self._shards} | {SUMS})

    def _journal(self, stamp: str) -> tuple[Shard, ...]:
        try:
            journal = decode(read_file(self._folder / JOURNAL), _Journal)
        except (OSError, ValueError):
            return ()
        return journal.shards if journal.stamp == stamp else ()

    def _is_intact(self, shard: Shard) -> bool:
        """Return True if a shard has the checksum and rows in the journal."""
        path = self._folder / shard.file
        if shard in self._shards or not path.is_file() or Digest.of_file(path).hex != shard.sha256:
            return False
        try:
            return open_shard(path, shard.rows, self._schema) is not None
        except StoreError:
            return False

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch that conforms to the split's features; raise StoreError on failure."""
        if not batch.num_rows:
            return
        with disk_faults(self._folder, "write"):
            if self._is_full(batch):
                self._close_shard()
                self._write_journal()
            if self._shard is None:
                self._open_shard(batch)
            for spool, column in zip(self._spools, batch.columns, strict=True):
                spool.append(column)
        self._waiting += batch.num_rows
        self.rows += batch.num_rows

    def _is_full(self, batch: pa.RecordBatch) -> bool:
        size = sum(spool.size for spool in self._spools)
        addressed = max((spool.addressed for spool in self._spools), default=0)
        return bool(self._spools) and (
            size >= self._limit or addressed + batch.nbytes > OFFSET_LIMIT
        )

    def _open_shard(self, batch: pa.RecordBatch) -> None:
        """Open the files of a shard; its largest column is written directly to the shard."""
        path = self._folder / f"{self._split}-{len(self._shards):05d}.arrow"
        self._shard = ShardFile(path, self._schema)
        sizes = [column.nbytes if _is_flat(column.type) else 0 for column in batch.columns]
        self._largest = sizes.index(max(sizes)) if any(sizes) else None
        for i, field in enumerate(self._schema):
            into = self._shard.file if i == self._largest else None
            path, in_memory = self._folder / f"spool-{i}", len(self._schema) > MOST_COLUMNS
            self._spools.append(Spool(field.type, path, into, in_memory=in_memory))

    def _close_shard(self) -> None:
        if self._shard is None:
            return
        self._finish(self._shard)  # unmaps the temporary files when it returns, as Windows requires
        path, rows, self._shard = self._shard.path, self._waiting, None
        self._drop()
        with ThreadPoolExecutor(1) as pool:
            synced = pool.submit(_sync, path)
            size, sha256 = path.stat().st_size, Digest.of_file(path).hex
            synced.result()
        self._shards.append(Shard(file=path.name, rows=rows, size=size, sha256=sha256))

    def _finish(self, shard: ShardFile) -> None:
        columns = [spool.finish() for spool in self._spools]
        direct = columns[self._largest].buffers()[-1] if self._largest is not None else None
        shard.finish(pa.RecordBatch.from_arrays(columns, schema=self._schema), direct)

    def _write_journal(self) -> None:
        """Record the finished shards, so that another process can resume."""
        self.before_shard()
        journal = _Journal(stamp=self._stamp, shards=tuple(self._shards))
        data = msgspec.json.encode(journal)
        replace_file(self._folder / JOURNAL, data, self._folder / own_name(JOURNAL))

    def _drop(self) -> None:
        for spool in self._spools:
            spool.drop()
        if self._shard is not None:
            self._shard.drop()
        self._shard, self._spools, self._waiting = None, [], 0

    def close(self, recipe: dict[str, Any], provenance: Provenance | None = None) -> TableRecord:
        """Close the last shard, write `table.json` and return its record."""
        with disk_faults(self._folder, "write"):
            self._close_shard()
            shards = []
            (self._folder / JOURNAL).unlink(missing_ok=True)
            for i, shard in enumerate(self._shards):
                name = f"{self._split}-{i:05d}-of-{len(self._shards):05d}.arrow"
                (self._folder / shard.file).rename(self._folder / name)
                shards.append(msgspec.structs.replace(shard, file=name))
            record = TableRecord(
                name=self._manifest.name,
                version=self._manifest.version,
                split=self._split,
                rows=self.rows,
                recipe=recipe,
                shards=tuple(shards),
                manifest=self._manifest,
                provenance=msgspec.UNSET if provenance is None else provenance,
            )
            _sync(record.write(self._folder))
        return record


def _is_flat(kind: pa.DataType) -> bool:
    """Return True if the last buffer of a column is stored as its spool writes it."""
    while pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return not (pa.types.is_nested(kind) or pa.types.is_boolean(kind))


def _sync(path: Path) -> None:
    """Flush a file to disk, as required before its folder is renamed."""
    with open_file(path, "rb+") as file:
        os.fsync(file.fileno())
