"""Run an export shard by shard, and record completed shards.

Each folder has a record of its exports, `.dshub-export.json`::

    {"schema": 1, "format": "parquet", "splits": {"train": {
        "dataset": "mnist@1.0.0", "split": "train", "fingerprint": …, "revision": 1, "rows": …,
        "shards": 2, "features": {…}, "done": {"0": [
            {"name": "train-00000-of-00002.parquet", "size": …}]}}}}

The record is a hidden file, because some programs read every visible file of a folder.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec

from dshub import plugins
from dshub._validate import Count, FileName, decode
from dshub.cache.disk import disk_faults
from dshub.cache.files import read_file, replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.catalog.features import Feature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, StoreError
from dshub.export._rows import BLOCK_BYTES, BLOCK_ROWS, Exporter, Rows, row_size
from dshub.progress import Progress, Silent, Task, size

NAME = ".dshub-export.json"
SHARD_SIZE = 500_000_000  # approximate bytes per shard
_WHOLE = {"one", "joined"}  # kinds that never divide a split
_RETRY_HINT = "free some space and export again to continue, or export to another folder"


class File(msgspec.Struct, frozen=True):
    """Name and size of a file."""

    name: FileName
    size: Count


class SplitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of exporting a split.

    Attributes:
        dataset: name and version of the dataset.
        split: split expression.
        fingerprint: fingerprint of the rows and columns.
        revision: revision of the exporter.
        rows: number of rows.
        shards: number of shards of the complete export.
        features: features of the columns, with class names that some formats cannot hold.
        supervised: names of the supervised pair.
        done: files of each complete shard, by shard number.
    """

    dataset: str
    split: str
    fingerprint: str
    revision: Count
    rows: Count
    shards: Count
    features: dict[str, Feature]
    supervised: tuple[str | tuple[str, ...], ...] = ()
    done: dict[str, tuple[File, ...]] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Record of the exports in a folder, which all have the same format."""

    schema: Literal[1] = 1
    format: str
    splits: dict[str, SplitRecord] = {}


def read(folder: Path, to: str) -> Record:
    """Read the record of a folder, or create an empty one.

    Raises:
        DshubError: the folder contains an export in another format.
        StoreError: the record cannot be read.
    """
    path = folder / NAME
    try:
        record = decode(read_file(path), Record)
    except FileNotFoundError:
        return Record(format=to)
    except (OSError, ValueError) as error:
        hint = "export to another folder, or remove this one and export again"
        raise StoreError(path=str(path), action="read", reason=str(error), hint=hint) from error
    if record.format != to:
        raise DshubError(
            f"{folder} contains an export to {record.format}, not {to}",
            hint="export each format to its own folder",
        )
    return record


def find_record(folder: Path) -> Record | None:
    """Return the record of the exports in a folder, or None if there is none or it is damaged."""
    try:
        return decode(read_file(folder / NAME), Record)
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Written:
    """An exported split.

    Attributes:
        rows: number of rows.
        shards: number of shards.
        kept: number of shards that already existed.
        files: files of the shards in order, or the folder that contains all files.
    """

    rows: int
    shards: int
    kept: int
    files: tuple[Path, ...]


Exported = dict[str, Written]
"""Exported splits by name."""


class SplitExport:
    """Export of one split.

    Args:
        exporter: exporter of the format.
        to: name of the format.
        title: name or expression of the split.
        dataset: rows of the split.
        dest: output folder.
        shard_size: approximate bytes per shard.

    Attributes:
        stem: beginning of the file names, or name of the split within a file of all splits.
        key: name of the split in the record.
        plan: record of the split before any shard is done.
    """

    def __init__(
        self,
        exporter: Exporter,
        to: str,
        title: str,
        dataset: Dataset,
        dest: Path,
        shard_size: int,
    ) -> None:
        self.exporter, self.to, self.title, self.dest = exporter, to, title, dest
        self.base = dest / exporter.subfolder  # folder of the files
        self._dataset = dataset.decode(on=False)
        self._row_size = row_size(self._dataset)
        self.stem = re.sub(r"[^A-Za-z0-9_]+", "-", title).strip("-")
        shards = -(-self._row_size * len(dataset) // max(shard_size, 1))
        self.plan = SplitRecord(
            dataset=dataset.manifest.identifier if dataset.manifest else "own data",
            split=title,
            fingerprint=self._dataset.fingerprint,
            revision=exporter.revision,
            rows=len(dataset),
            shards=1 if exporter.kind in _WHOLE else max(min(shards, len(dataset)), 1),
            features=dict(self._dataset.features),
            supervised=self._dataset.supervised or (),
        )
        joined = exporter.kind == "joined"
        self.key = f"{self.joined_name}/{self.stem}" if joined else self.stem
        # output folder of formats that write a folder per split, and its temporary name
        self.folder = dest / self.stem if exporter.kind == "folder" else None
        self.stage = dest / f"partial-{self.stem}"

    def rows(self, shard: int = 0, shards: int = 1) -> Rows:
        """Return the rows of a shard, or all rows; shard sizes differ by at most one row."""
        first, end = (self.plan.rows * i // shards for i in (shard, shard + 1))
        title = f"{self.plan.dataset}, split {self.title}"
        block = min(max(BLOCK_BYTES // self._row_size, 1), BLOCK_ROWS)
        return Rows(self._dataset, title, first, end - first, block)

    def files(self, shard: int) -> list[Path]:
        """Return the paths of the files of a shard."""
        number = f"-{shard:05d}-of-{self.plan.shards:05d}"
        names = {"one": self.stem, "joined": self.joined_name}
        name = names.get(self.exporter.kind, f"{self.stem}{number}")
        return [self.base / f"{name}{suffix}" for suffix in self.exporter.suffixes]

    @property
    def joined_name(self) -> str:
        """Name of the file of all splits, without its suffix."""
        manifest = self._dataset.manifest
        return re.sub(r"[^A-Za-z0-9_]+", "-", manifest.name if manifest else "rows")

    def result(self) -> tuple[Path, ...]:
        """Return the paths of all files, or of the folder that contains them."""
        if self.folder is not None:
            return (self.folder,)
        return tuple(path for shard in range(self.plan.shards) for path in self.files(shard))

    def missing(self, record: Record) -> list[int]:
        """Return the shards with missing or changed files."""
        recorded = record.splits.get(self.key, self.plan)
        done = {} if self._is_lost(recorded) else recorded.done
        return [
            shard
            for shard in range(self.plan.shards)
            if str(shard) not in done or not all(map(self._exists, done[str(shard)]))
        ]

    def _exists(self, file: File) -> bool:
        path = self.base / file.name
        return path.is_file() and path.stat().st_size == file.size

    def _is_lost(self, recorded: SplitRecord) -> bool:
        """Return True if a record belongs to another export, or if its folder was removed."""
        no_folder = self.folder is not None and not (self.folder.is_dir() or self.stage.is_dir())
        return no_folder or not self._is_same(recorded)

    def _is_same(self, recorded: SplitRecord) -> bool:
        supervised = self.plan.supervised  # older records lack it
        return msgspec.structs.replace(recorded, done={}, supervised=supervised) == self.plan

    def space(self, record: Record) -> int:
        """Estimate the size of the missing shards in bytes."""
        shards = len(self.missing(record))
        return self._row_size * self.plan.rows * shards // self.plan.shards

    def begin(self, *, force: bool) -> None:
        """Record the plan unless it is already recorded, to claim the names of its files.

        Raises:
            DshubError: another export, a file or a folder has the same name.
        """
        record = read(self.dest, self.to)
        recorded = record.splits.get(self.key)
        if recorded is None:
            self._check_free(record, force=force)
        elif not self._is_lost(recorded):
            return
        elif not self._is_same(recorded) and not force:
            raise DshubError(
                f"{self.dest} contains another export named {self.key}: {recorded.rows:,} rows of "
                f"{recorded.dataset}, split {recorded.split}, in {recorded.shards:,} shards with "
                f"the columns {', '.join(recorded.features)}",
                hint="export to another folder, or replace that export with --force",
            )
        else:
            files = chain.from_iterable(recorded.done.values())
            for path in (self.folder, self.stage, *(self.base / file.name for file in files)):
                if path is not None:
                    _remove(path)
        self._write_record(record, self.plan)

    def _check_free(self, record: Record, *, force: bool) -> None:
        """Check that no output replaces a folder or, unless `force` is True, a file."""
        done = chain.from_iterable(split.done.values() for split in record.splits.values())
        names = {file.name for files in done for file in files}
        for path in self.result():
            if path.is_dir() or (path.exists() and not force):
                others = path.name in names and not path.is_dir()
                raise DshubError(
                    f"{path} already exists and "
                    + ("holds other splits" if others else "is not an export of dshub"),
                    hint="export to another folder, or "
                    + ("replace it with --force" if others else "remove it"),
                )

    def _write_record(self, record: Record, split: SplitRecord) -> None:
        record = Record(format=self.to, splits={**record.splits, self.key: split})
        data = msgspec.json.format(msgspec.json.encode(record), indent=1)
        replace_file(self.dest / NAME, data, self.dest / own_name("partial"))

    def run(self, progress: Progress) -> Written:
        """Write the missing shards, after `begin` has recorded the plan."""
        missing = self.missing(read(self.dest, self.to))
        rows = sum(self.rows(shard, self.plan.shards).count for shard in missing)
        with Task(progress, f"exporting {self.title}", rows, unit="rows") as task:
            for shard in missing:
                self.write_done(shard, self._write(shard, task))
        if self.folder is not None and not self.folder.is_dir():
            self.stage.mkdir(exist_ok=True)  # without rows, no shard was written
            self.stage.rename(self.folder)
        return Written(
            self.plan.rows, self.plan.shards, self.plan.shards - len(missing), self.result()
        )

    def write_done(self, shard: int, files: tuple[File, ...]) -> None:
        """Record the files of a complete shard."""
        record = read(self.dest, self.to)  # other processes can record other splits
        split = record.splits.get(self.key, self.plan)
        done = {**split.done, str(shard): files}
        self._write_record(record, msgspec.structs.replace(split, done=done))

    def _write(self, shard: int, task: Task) -> tuple[File, ...]:
        rows = replace(self.rows(shard, self.plan.shards), advance=task.advance)
        if self.folder is not None:
            self.stage.mkdir(exist_ok=True)
            self.exporter.write(self.stage, rows)
            return ()
        return self.publish(shard, lambda path: self.exporter.write(path, rows))

    def publish(self, shard: int, write: Callable[[Path], None]) -> tuple[File, ...]:
        """Write the files of a shard in a temporary folder, then rename them."""
        folder = self.dest / own_name("partial")
        folder.mkdir()
        try:
            write(folder / "shard")
            files = []
            for suffix, target in zip(self.exporter.suffixes, self.files(shard), strict=True):
                path = folder / f"shard{suffix}"
                files.append(File(target.name, path.stat().st_size))
                path.replace(target)
            return tuple(files)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def export(
    splits: Mapping[str, Dataset],
    to: str,
    dest: Path,
    *,
    shard_size: int = SHARD_SIZE,
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Export splits to a format of other programs, resuming an interrupted export.

    Files are named like `train-00000-of-00012.parquet`, or are in a folder `train`. The files of
    the expression ``train[:10%]`` are named `train-10`.

    Args:
        splits: datasets by split name or expression.
        to: name of the format.
        dest: output folder, which is created if it is missing.
        shard_size: approximate bytes per shard.
        force: whether to replace another export in the folder, and files with the same names.
        progress: receiver of progress reports; silent by default.

    Raises:
        UnknownNameError: the format is unknown.
        DshubError: the format cannot hold a column, or the folder contains other files. Nothing is
            written.
        StoreError: the folder cannot be written, or lacks space.
    """
    exporter: Exporter = plugins.module("export", to).exporter
    exports = [
        SplitExport(exporter, to, title, rows, dest, shard_size) for title, rows in splits.items()
    ]
    titles: dict[str, str] = {}
    for split in exports:
        title = titles.setdefault(
            split.stem.casefold(), split.title
        )  # some file systems ignore case
        if title != split.title:
            raise DshubError(
                f"the files of splits {title} and {split.title} would both be named {split.stem}",
                hint="export each split to its own folder",
            )
        exporter.check(split.rows())
    with disk_faults(dest, "write", hint=_RETRY_HINT):
        dest.mkdir(parents=True, exist_ok=True)
        for path in filter(is_orphan, dest.glob("partial.*")):
            _remove(path)
        record = read(dest, to)
        needed, free = sum(split.space(record) for split in exports), shutil.disk_usage(dest).free
        if needed > free:
            reason = f"it needs about {size(needed)}, and {size(free)} are free"
            hint = "free some space, export to another folder, or choose fewer rows or columns"
            raise StoreError(path=str(dest), action="write", reason=reason, hint=hint)
        exporter.prepare(dest)
        (dest / exporter.subfolder).mkdir(0o755, exist_ok=True)
        for split in exports:
            split.begin(force=force)
        run = _join if exporter.kind == "joined" else _each
        return run(exports, progress or Silent())


def _each(exports: Sequence[SplitExport], progress: Progress) -> Exported:
    """Write the files of each split."""
    return {split.title: split.run(progress) for split in exports}


def _join(exports: Sequence[SplitExport], progress: Progress) -> Exported:
    """Write the file of all splits, unless every split is already in it."""
    first = exports[0]
    kept = not any(split.missing(read(split.dest, split.to)) for split in exports)
    rows = {split.stem: split.rows() for split in exports}
    if not kept:
        count = sum(part.count for part in rows.values())
        with Task(progress, f"exporting {first.joined_name}", count, unit="rows") as task:
            parts = {stem: replace(part, advance=task.advance) for stem, part in rows.items()}
            join = first.exporter.join
            files = first.publish(0, lambda path: join(path, first.joined_name, parts))
        for split in exports:
            split.write_done(0, files)
    return {
        split.title: Written(split.plan.rows, 1, int(kept), split.result()) for split in exports
    }


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
