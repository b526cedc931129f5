"""Writing a table: any number of batches in, shards of one record batch each out."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from dshub.digest import Digest
from dshub.manifest import Manifest
from dshub.schema import arrow_schema
from dshub.store.faults import disk_faults
from dshub.table.record import Shard, TableRecord
from dshub.table.shard import ShardFile
from dshub.table.spool import OFFSET_LIMIT, Spool

SHARD_BYTES = 1 << 30


class TableWriter:
    """Writes the rows of one split into an empty folder.

    Memory stays at the size of one batch, whatever the table's: rows wait in files. It is a
    context manager; leaving it before `close` drops those files.

    Args:
        folder: empty; the caller publishes it once `close` has returned.
        manifest: what the rows are of.
        split: which of its splits.
        shard_bytes: bytes after which a shard is closed.
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
        self._shards: list[tuple[Path, int]] = []
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

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch that conforms to the split's features; raises StoreError."""
        if not batch.num_rows:
            return
        with disk_faults(self._folder, "write"):
            if self._is_full(batch):
                self._close_shard()
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
        self._shards.append((self._shard.path, self._waiting))
        self._shard = None
        self._drop()

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

    def close(self, recipe: dict[str, Any]) -> TableRecord:
        """Close the last shard and write `table.json`; the folder is then complete."""
        with disk_faults(self._folder, "write"):
            self._close_shard()
            shards = []
            for i, (written, rows) in enumerate(self._shards):
                name = f"{self._split}-{i:05d}-of-{len(self._shards):05d}.arrow"
                path = written.rename(self._folder / name)
                with ThreadPoolExecutor(1) as beside:
                    kept = beside.submit(_to_disk, path)
                    size, sha256 = path.stat().st_size, Digest.of_file(path).hex
                    kept.result()
                shards.append(Shard(file=name, rows=rows, size=size, sha256=sha256))
            record = TableRecord(
                name=self._manifest.name,
                version=self._manifest.version,
                split=self._split,
                rows=self.rows,
                recipe=recipe,
                shards=tuple(shards),
                manifest=self._manifest,
            )
            _to_disk(record.write(self._folder))
        return record


def _to_disk(path: Path) -> None:
    """Wait until a file survives a power cut: its folder is about to get its final name."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
