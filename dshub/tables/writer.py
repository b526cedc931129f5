"""Writing a table: any number of batches in, shards of one record batch each out."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
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

SHARD_BYTES = 1 << 30


class _Left(msgspec.Struct, frozen=True, kw_only=True):
    """The journal of a table under way: its whole shards, and of which files they are."""

    stamp: str
    shards: tuple[Shard, ...]


class TableWriter:
    """Writes the rows of one split into an empty folder.

    Memory stays at the size of one batch, whatever the table's: rows wait in files. It is a
    context manager; leaving it before `close` drops those files.

    Args:
        folder: empty; the caller publishes it once `close` has returned.
        manifest: what the rows are of.
        split: which of its splits.
        shard_bytes: bytes after which a shard is closed.

    Attributes:
        rows: written so far.
        before_shard: called before the journal says that a shard is done.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop()

    def resume(self, stamp: str) -> None:
        """Go on behind the whole shards that an interrupted process left in the folder, if any.

        They are read again and compared with their checksums; what follows a damaged one is
        dropped, as is everything that belongs to other files.

        Args:
            stamp: says of which files the rows are, beyond the recipe: other files, other stamp.
        """
        self._stamp = stamp
        with disk_faults(self._folder, "read"):
            for shard in self._left(stamp):
                path = self._folder / shard.file
                if not path.is_file() or not self._is_whole(path, shard):
                    break
                self._shards.append(shard)
                self.rows += shard.rows
            empty(self._folder, {shard.file for shard in self._shards} | {SUMS})

    def _is_whole(self, path: Path, shard: Shard) -> bool:
        """Whether a shard has the bytes and rows that the journal says."""
        if shard in self._shards or Digest.of_file(path).hex != shard.sha256:
            return False
        try:
            return open_shard(path, shard.rows, self._schema) is not None
        except StoreError:
            return False

    def _left(self, stamp: str) -> tuple[Shard, ...]:
        try:
            left = decode(read_file(self._folder / JOURNAL), _Left)
        except (OSError, ValueError):
            return ()
        return left.shards if left.stamp == stamp else ()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch that conforms to the split's features; raises StoreError."""
        if not batch.num_rows:
            return
        with disk_faults(self._folder, "write"):
            if self._is_full(batch):
                self._close_shard()
                self._note_shards()
            if self._shard is None:
                self._begin_shard(batch)
            for spool, column in zip(self._spools, batch.columns, strict=True):
                spool.append(column)
        self._waiting += batch.num_rows
        self.rows += batch.num_rows

    def _begin_shard(self, batch: pa.RecordBatch) -> None:
        """Open the files of a shard. The column that is its largest is written in its place."""
        path = self._folder / f"{self._split}-{len(self._shards):05d}.arrow"
        self._shard = ShardFile(path, self._schema)
        sizes = [0 if pa.types.is_list(column.type) else column.nbytes for column in batch.columns]
        self._largest = sizes.index(max(sizes)) if any(sizes) else None
        for i, field in enumerate(self._schema):
            into = self._shard.file if i == self._largest else None
            self._spools.append(Spool(field.type, self._folder / f"spool-{i}", into))

    def _is_full(self, batch: pa.RecordBatch) -> bool:
        size = sum(spool.size for spool in self._spools)
        far = max((spool.addressed for spool in self._spools), default=0)
        return bool(self._spools) and (size >= self._limit or far + batch.nbytes > OFFSET_LIMIT)

    def _close_shard(self) -> None:
        if self._shard is None:
            return
        self._finish(self._shard)  # nothing is mapped any longer: Windows removes no file that is
        path, rows, self._shard = self._shard.path, self._waiting, None
        self._drop()
        with ThreadPoolExecutor(1) as beside:
            kept = beside.submit(_to_disk, path)
            size, sha256 = path.stat().st_size, Digest.of_file(path).hex
            kept.result()
        self._shards.append(Shard(file=path.name, rows=rows, size=size, sha256=sha256))

    def _note_shards(self) -> None:
        """Write which shards are whole, for a process that has to go on."""
        self.before_shard()
        data = msgspec.json.encode(_Left(stamp=self._stamp, shards=tuple(self._shards)))
        replace_file(self._folder / JOURNAL, data, self._folder / own_name(JOURNAL))

    def _finish(self, shard: ShardFile) -> None:
        columns = [spool.finish() for spool in self._spools]
        direct = columns[self._largest].buffers()[-1] if self._largest is not None else None
        shard.finish(pa.RecordBatch.from_arrays(columns, schema=self._schema), direct)

    def _drop(self) -> None:
        for spool in self._spools:
            spool.drop()
        if self._shard is not None:
            self._shard.drop()
        self._shard, self._spools, self._waiting = None, [], 0

    def close(self, recipe: dict[str, Any], provenance: Provenance | None = None) -> TableRecord:
        """Close the last shard and write `table.json`; the folder is then complete."""
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
            _to_disk(record.write(self._folder))
        return record


def _to_disk(path: Path) -> None:
    """Wait until a file survives a power cut: its folder is about to get its final name."""
    with open_file(path, "rb+") as file:
        os.fsync(file.fileno())
