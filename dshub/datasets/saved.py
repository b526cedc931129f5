"""Save datasets in folders, with one Arrow file per shard and a `dataset.json`.

One or several processes write shards to `FOLDER.partial`. A shard gets its final name when it is
complete, and the folder gets its final name when all shards are complete. A folder that exists is
therefore complete. The finished shards of an interrupted run are kept, and the next run resumes.
"""

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa

from dshub._validate import Count, FileName, Sha256, decode
from dshub.cache.disk import disk_faults
from dshub.cache.files import is_foreign, read_file, replace_file
from dshub.cache.locks import lock
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.paths import DATASET_FILE as RECORD
from dshub.catalog.features import Feature, is_encoded
from dshub.catalog.manifest import Manifest, Pair
from dshub.checksums import Digest
from dshub.datasets.processes import in_processes
from dshub.datasets.sources import Source, blocks_of, read_column
from dshub.errors import DshubError, StoreError
from dshub.loading.blocks import ImageBlocks
from dshub.progress import Progress, Task
from dshub.tables.columns import Values
from dshub.tables.record import Shard
from dshub.tables.table import Shards, open_shard
from dshub.tables.types import arrow_schema

PLAN = "plan.json"
SHARD_BYTES = 16 << 20  # approximate maximum size of a shard, which a worker holds in memory
SHARDS = 32  # shards of smaller datasets, so that workers share rows and a resumed run loses little
LEAST_ROWS = 1000  # minimum number of rows in a shard of a smaller dataset
SAMPLES = 16  # number of samples that estimate the size of a row, and rows per sample
PATIENCE = 600  # seconds to wait for a process that saves the same rows but completes no shard
BLOCK = 1000  # rows per read
FILES = 64  # rows per read if a column holds files

Rows = range | np.ndarray


class SavedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `dataset.json`.

    Attributes:
        title: name of the dataset that the rows come from, for errors.
        version: version passed to `cache`; empty for `save`.
        rows: number of rows.
        features: features by column name, in column order.
        supervised: columns that become `(x, y)`, or None.
        identity: SHA-256 that identifies the rows.
        row_identity: SHA-256 of the rows that the saved rows come from, for states of loaders.
        shards: files of the rows, in order.
        manifest: manifest of the dataset that the rows come from; None for your own data.
    """

    schema: Literal[1] = 1
    title: str
    version: str = ""
    rows: Count
    features: dict[str, Feature]
    supervised: Pair | None = None
    identity: Sha256
    row_identity: Sha256 | None = None
    shards: tuple[Shard, ...]
    manifest: Manifest | None = None


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Plan of an unfinished folder: identity and number of its rows, and rows per shard."""

    identity: str
    rows: int
    shard_rows: int


class SavedSource(Source):
    """Rows of a saved dataset, pickled as the path of its folder.

    Raises:
        StoreError: the folder does not contain a saved dataset, or the dataset is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.record = read_record(folder)
        self.files = [folder / shard.file for shard in self.record.shards]
        self.features, self.rows = self.record.features, self.record.rows
        self.manifest = self.record.manifest
        counts = [shard.rows for shard in self.record.shards]
        self._shards = Shards(self.files, counts, self.features)

    def __reduce__(self) -> tuple[type["SavedSource"], tuple[Path]]:
        return SavedSource, (self._folder,)

    @property
    def identity(self) -> list[str]:
        return [self.record.identity]

    @property
    def row_identity(self) -> str:
        return self.record.row_identity or super().row_identity

    def where(self, row: int) -> str:
        return f"{self.record.title}, row {row}"

    def read(self, name: str, rows: Rows) -> Values:
        return read_column(self._shards.column(name), rows)

    def contents(self, name: str, rows: np.ndarray) -> Sequence[bytes | memoryview]:
        return self._shards.column(name).contents(rows)

    def contiguous(self, name: str) -> np.ndarray | None:
        if len(self.files) != 1:
            return None
        values = self.read(name, range(self.rows))
        return values if isinstance(values, np.ndarray) else None

    def blocks(self, name: str) -> ImageBlocks | None:
        return blocks_of(self._shards, name) if self.files else None

    def arrow(self, name: str) -> Sequence[pa.Array]:
        return self._shards.arrow(name)


def read_record(folder: Path) -> SavedRecord:
    """Read the `dataset.json` of a folder.

    Raises:
        StoreError: the file is missing or damaged.
    """
    path = folder / RECORD
    try:
        record = decode(read_file(path), SavedRecord)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "pass a folder that ds.save(folder) wrote" if not path.exists() else ""
        raise StoreError(path=str(path), action="read", reason=reason, hint=hint) from error
    if sum(shard.rows for shard in record.shards) != record.rows:
        reason = "its shards have a different number of rows"
        raise StoreError(path=str(path), action="read", reason=reason)
    return record


def check_target(folder: Path) -> None:
    """Raise StoreError if a folder exists."""
    if os.path.lexists(folder):
        hint = "choose another folder, or remove this folder first"
        raise StoreError(path=str(folder), action="write", reason="it already exists", hint=hint)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """A dataset to save.

    Attributes:
        source: source of the rows.
        names: columns to save.
        identity: SHA-256 that identifies the rows and columns.
        row_identity: see `SavedRecord`.
        title: name of the dataset, for errors and progress.
        version: see `SavedRecord`.
        supervised: see `SavedRecord`.
    """

    source: Source
    names: Sequence[str]
    identity: str
    row_identity: str
    title: str
    version: str = ""
    supervised: Pair | None = None

    @property
    def features(self) -> dict[str, Feature]:
        """Features by column name, in column order."""
        return {name: self.source.features[name] for name in self.names}

    def write(self, folder: Path, *, workers: int, progress: Progress) -> None:
        """Write the missing shards, and give the folder its final name.

        Args:
            folder: output folder; if it is complete, nothing is written.
            workers: number of processes that write shards; 0 or 1 uses this process.
            progress: receiver of progress, in rows.

        Raises:
            DshubError: rows cannot be computed, or a worker process died.
            StoreError: the folder cannot be written.
        """
        done = (folder / RECORD).is_file
        if done():
            return
        partial = folder.with_name(f"{folder.name}.partial")
        with disk_faults(folder, "write"):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with lock(folder, patience=PATIENCE, done=done), disk_faults(partial, "write"):
            try:
                if not done():
                    self._publish(partial, folder, self._shards(partial, workers, progress))
            except (OSError, DshubError):
                if not done():  # without file locks, another process can finish first
                    raise
        with suppress(OSError):  # fails on Windows while another process waits
            folder.with_name(f"{folder.name}.lock").unlink()

    def _shards(self, partial: Path, workers: int, progress: Progress) -> list[Shard]:
        """Write the missing shards, and return the records of all shards."""
        plan = self._plan(partial)
        for path in filter(is_orphan, partial.iterdir()):  # temporary files of killed processes
            path.unlink()
        pieces = [
            _Piece(self, partial / _shard_name(number), range(start, stop))
            for number, (start, stop) in enumerate(plan)
        ]
        kept = {piece.path.name for piece in pieces if piece.path.exists()}
        shards = []
        with (
            Task(progress, f"saving {self.title}", self.source.rows, unit="rows") as task,
            closing(_written(pieces, workers)) as written,
        ):
            for shard in written:
                _flush(partial / shard.file)  # in this process, so that workers can continue
                shards.append(shard)
                count = task.skip if shard.file in kept else task.advance
                count(shard.rows)
        return sorted(shards, key=lambda shard: (len(shard.file), shard.file))

    def _plan(self, partial: Path) -> list[tuple[int, int]]:
        """Return the row range of each shard, resuming an unfinished folder of the same rows."""
        if os.path.lexists(partial) and is_foreign(partial):  # its shards could hold other rows
            reason = "another user created it"
            hint = "ask the user to remove it, or choose another folder"
            raise StoreError(path=str(partial), action="resume", reason=reason, hint=hint)
        plan = None
        with suppress(OSError, ValueError):
            plan = decode(read_file(partial / PLAN), _Plan)
        if plan is None or (plan.identity, plan.rows) != (self.identity, self.source.rows):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True, exist_ok=True)
            plan = _Plan(
                identity=self.identity, rows=self.source.rows, shard_rows=self._shard_rows()
            )
            data = msgspec.json.encode(plan)
            replace_file(partial / PLAN, data, partial / own_name("plan"))
        starts = range(0, plan.rows, plan.shard_rows)
        return [(start, min(start + plan.shard_rows, plan.rows)) for start in starts]

    def _shard_rows(self) -> int:
        """Return the rows per shard, which depend on the size of the rows."""
        total = self.source.rows
        rows = int(SHARD_BYTES * total / max(self.estimate(), 1))
        return max(1, min(rows, max(LEAST_ROWS, ceil(total / SHARDS))))

    def estimate(self) -> int:
        """Estimate the bytes of all rows from samples of all parts, as rows can be sorted by size.

        Raises:
            DshubError: a row of the samples cannot be computed.
        """
        total = self.source.rows
        starts = range(0, total, max(ceil(total / SAMPLES), 1))
        samples = [range(start, min(start + SAMPLES, total)) for start in starts]
        size = sum(int(batch.nbytes) for rows in samples for batch in self.read(rows))
        return size * total // max(sum(map(len, samples)), 1)

    def read(self, rows: range) -> Iterator[pa.RecordBatch]:
        """Yield a range of rows as Arrow batches."""
        features = self.features
        block = FILES if any(map(is_encoded, features.values())) else BLOCK
        schema = arrow_schema(features)
        for start in range(rows.start, rows.stop, block):
            stop = min(start + block, rows.stop)
            arrays = self.source.arrow_rows(self.names, range(start, stop))
            yield pa.RecordBatch.from_arrays(list(arrays.values()), schema=schema)

    def _publish(self, partial: Path, folder: Path, shards: Sequence[Shard]) -> None:
        record = SavedRecord(
            title=self.title,
            version=self.version,
            rows=self.source.rows,
            features=self.features,
            supervised=self.supervised,
            identity=self.identity,
            row_identity=self.row_identity,
            shards=tuple(shards),
            manifest=self.source.manifest,
        )
        data = msgspec.json.format(msgspec.json.encode(record), indent=1)
        replace_file(partial / RECORD, data, partial / own_name("dataset"), sync=True)
        partial.rename(folder)
        (folder / PLAN).unlink()


@dataclass(frozen=True)
class _Piece:
    """A shard to write, with its path and its rows."""

    saving: Saving
    path: Path
    rows: range

    def finished(self) -> Shard:
        """Write the shard unless it exists, and return its record."""
        try:
            open_shard(self.path, len(self.rows), arrow_schema(self.saving.features))
        except StoreError:  # missing, or truncated by a power failure
            self._write()
        size, sha256 = self.path.stat().st_size, Digest.of_file(self.path).hex
        return Shard(file=self.path.name, rows=len(self.rows), size=size, sha256=sha256)

    def _write(self) -> None:
        batches = list(self.saving.read(self.rows))
        table = pa.Table.from_batches(batches).combine_chunks()
        (batch,) = table.to_batches()
        temporary = self.path.with_name(own_name(self.path.stem))
        try:
            with temporary.open("xb") as file, pa.ipc.new_stream(file, batch.schema) as writer:
                writer.write_batch(batch)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _shard_name(number: int) -> FileName:
    return f"rows-{number:05d}.arrow"


@dataclass(frozen=True)
class _Work:
    """Callable that writes a shard by number, pickled only once per worker process."""

    pieces: Sequence[_Piece]

    def __call__(self, number: int) -> Shard:
        return self.pieces[number].finished()


def _written(pieces: Sequence[_Piece], workers: int) -> Generator[Shard, None, None]:
    """Write shards, in processes if `workers` is above 1, and yield their records."""
    if workers <= 1 or len(pieces) <= 1:
        yield from (piece.finished() for piece in pieces)
    else:
        yield from in_processes(_Work(pieces), len(pieces), workers)
