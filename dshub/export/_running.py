"""Run an export shard by shard, and record what is done.

Each folder has a record of the exports in it, `.dshub-export.json`::

    {"schema": 1, "format": "parquet", "splits": {"train": {
        "dataset": "mnist@1.0.0", "split": "train", "fingerprint": …, "revision": 1, "rows": …,
        "shards": 2, "features": {…}, "done": {"0": [
            {"name": "train-00000-of-00002.parquet", "size": …}]}}}}

It is hidden from programs that read every file of a folder.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import msgspec

from dshub import plugins
from dshub._validate import Count, FileName, decode
from dshub.cache.files import read_file, replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.catalog.features import Feature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, StoreError
from dshub.export._rows import BLOCK_BYTES, BLOCK_ROWS, Exporter, Rows, row_size
from dshub.progress import Progress, Silent, Task, size

NAME = ".dshub-export.json"
SHARD_SIZE = 500_000_000  # approximate bytes of a shard


class File(msgspec.Struct, frozen=True):
    """The name and size of a file."""

    name: FileName
    size: Count


class SplitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a split.

    Attributes:
        dataset: name and version.
        split: the expression.
        fingerprint: of the rows and columns.
        revision: of the exporter.
        shards: the number of shards in the end.
        features: of the columns, with class names, which some formats cannot hold.
        done: the files of each complete shard, by its number.
    """

    dataset: str
    split: str
    fingerprint: str
    revision: Count
    rows: Count
    shards: Count
    features: dict[str, Feature]
    done: dict[str, tuple[File, ...]] = {}

    def matches(self, other: "SplitRecord") -> bool:
        """Check if both describe the same shards."""
        fields = ("fingerprint", "revision", "rows", "shards")
        return all(getattr(self, field) == getattr(other, field) for field in fields)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The exports in a folder, in one format."""

    schema: Literal[1] = 1
    format: str
    splits: dict[str, SplitRecord] = {}

    def write(self, folder: Path) -> None:
        """Write it to a folder in one step; raises OSError."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        replace_file(folder / NAME, data, folder / own_name("partial"))


def read(folder: Path, to: str) -> Record:
    """Read the record of a folder, or create an empty one.

    Raises:
        DshubError: the folder holds an export in another format.
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
            f"{folder} holds an export to {record.format}, not {to}",
            hint="export to another folder: each holds one format",
        )
    return record


@dataclass(frozen=True)
class Written:
    """An exported split.

    Attributes:
        rows: number of rows.
        shards: number of shards.
        kept: number of shards that were already there.
        files: of the shards in order, or the folder that holds all files.
    """

    rows: int
    shards: int
    kept: int
    files: tuple[Path, ...]


Exported = dict[str, Written]
"""Exported splits by name."""


class Work:
    """A split to export.

    Args:
        exporter: of the format.
        to: the format.
        title: the name or expression of the split.
        dataset: its rows.
        dest: the folder of the export.
        shard_size: approximate bytes of a shard.

    Attributes:
        stem: the beginning of its file names.
        plan: its record before any shard is done.
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
            shards=1 if exporter.kind == "one" else max(min(shards, len(dataset)), 1),
            features=dict(self._dataset.features),
        )
        # the folder of all files, if the format has one, and its name until it is complete
        self.folder = dest / self.stem if exporter.kind == "folder" else None
        self.stage = dest / f"partial-{self.stem}"

    def rows(self, shard: int = 0, shards: int = 1) -> Rows:
        """Return the rows of a shard, or all; shards differ by one row at most."""
        first, end = (self.plan.rows * i // shards for i in (shard, shard + 1))
        title = f"{self.plan.dataset}, split {self.title}"
        block = min(max(BLOCK_BYTES // self._row_size, 1), BLOCK_ROWS)
        return Rows(self._dataset, title, first, end - first, block)

    def files(self, shard: int) -> list[Path]:
        """Return the files of a shard."""
        number = f"-{shard:05d}-of-{self.plan.shards:05d}" if self.exporter.kind != "one" else ""
        return [self.dest / f"{self.stem}{number}{suffix}" for suffix in self.exporter.suffixes]

    def result(self) -> tuple[Path, ...]:
        """Return all files, or the folder that holds them."""
        if self.folder is not None:
            return (self.folder,)
        return tuple(path for shard in range(self.plan.shards) for path in self.files(shard))

    def missing(self, record: Record) -> list[int]:
        """Return the shards that are not written, or whose files changed."""
        recorded = record.splits.get(self.stem, self.plan)
        done = {} if self._is_lost(recorded) else recorded.done
        return [
            shard
            for shard in range(self.plan.shards)
            if str(shard) not in done or not all(map(self._exists, done[str(shard)]))
        ]

    def _exists(self, file: File) -> bool:
        path = self.dest / file.name
        return path.is_file() and path.stat().st_size == file.size

    def _is_lost(self, recorded: SplitRecord) -> bool:
        """Check if a record is of another export, or of a folder that is gone."""
        gone = self.folder is not None and not (self.folder.is_dir() or self.stage.is_dir())
        return gone or not recorded.matches(self.plan)

    def space(self, record: Record) -> int:
        """Estimate the bytes of the missing shards."""
        shards = len(self.missing(record))
        return self._row_size * self.plan.rows * shards // self.plan.shards

    def begin(self, *, force: bool) -> None:
        """Record the plan, unless it is there; later, files under its names are known to be ours.

        Raises:
            DshubError: something else is in the way.
        """
        record = read(self.dest, self.to)
        recorded = record.splits.get(self.stem)
        if recorded is None:
            self._check_free(force=force)
        elif not self._is_lost(recorded):
            return
        elif not recorded.matches(self.plan) and not force:
            raise DshubError(
                f"{self.dest} holds {self.stem} of another export: {self._difference(recorded)}",
                hint="export to another folder, or replace that export with --force",
            )
        else:
            files = chain.from_iterable(recorded.done.values())
            for path in (self.folder, self.stage, *(self.dest / file.name for file in files)):
                if path is not None:
                    _remove(path)
        self._write_record(record, self.plan)

    def _check_free(self, *, force: bool) -> None:
        """Refuse to replace folders, and, without force, files."""
        for path in self.result():
            if path.is_dir() or (path.exists() and not force):
                raise DshubError(
                    f"{path} exists, and is not an export of dshub",
                    hint="export to another folder, or remove it",
                )

    def _difference(self, recorded: SplitRecord) -> str:
        """Describe how the recorded export differs from this one."""
        plan = self.plan
        for word, old, new in (
            ("dataset", recorded.dataset, plan.dataset),
            ("split", recorded.split, plan.split),
            ("columns", ", ".join(recorded.features), ", ".join(plan.features)),
            ("number of shards", recorded.shards, plan.shards),
        ):
            if old != new:
                return f"{word}: {old} instead of {new}"
        return "other rows, or another version of dshub"

    def _write_record(self, record: Record, split: SplitRecord) -> None:
        splits = {**record.splits, self.stem: split}
        Record(format=self.to, splits=splits).write(self.dest)

    def run(self, progress: Progress) -> Written:
        """Write the missing shards; `begin` must have recorded the plan."""
        missing = self.missing(read(self.dest, self.to))
        rows = sum(self.rows(shard, self.plan.shards).count for shard in missing)
        with Task(progress, f"exporting {self.title}", rows, unit="rows") as task:
            for shard in missing:
                files = self._write(shard, task)
                record = read(self.dest, self.to)  # other processes may have recorded other splits
                split = record.splits.get(self.stem, self.plan)
                split = msgspec.structs.replace(split, done={**split.done, str(shard): files})
                self._write_record(record, split)
        if self.folder is not None and not self.folder.is_dir():
            self.stage.mkdir(exist_ok=True)  # without rows, no shard was written
            self.stage.rename(self.folder)
        return Written(
            self.plan.rows, self.plan.shards, self.plan.shards - len(missing), self.result()
        )

    def _write(self, shard: int, task: Task) -> tuple[File, ...]:
        rows = replace(self.rows(shard, self.plan.shards), advance=task.advance)
        if self.folder is not None:
            self.stage.mkdir(exist_ok=True)
            self.exporter.write(self.stage, rows)
            return ()
        folder = self.dest / own_name("partial")
        folder.mkdir()
        try:
            self.exporter.write(folder / "shard", rows)
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
    """Export splits to a format of other programs; resumes an earlier call that was interrupted.

    Files are named like `train-00000-of-00012.parquet`, or are below a folder `train`. The
    expression ``train[:10%]`` is named `train-10`.

    Args:
        splits: by name or expression.
        to: the format.
        dest: the folder; created if missing.
        shard_size: approximate bytes of a shard.
        force: replace another export in the folder, and files that are in the way.
        progress: reports progress; silent by default.

    Raises:
        UnknownNameError: the format is unknown.
        DshubError: the format cannot hold a column, or the folder holds something else; nothing
            was written.
        StoreError: the folder cannot be written, or has not enough space.
    """
    exporter: Exporter = plugins.module("export", to).exporter
    works = [Work(exporter, to, title, rows, dest, shard_size) for title, rows in splits.items()]
    titles: dict[str, str] = {}
    for work in works:
        other = titles.setdefault(work.stem.casefold(), work.title)  # as some file systems do
        if other != work.title:
            raise DshubError(
                f"splits {other} and {work.title} would both be named {work.stem}",
                hint="export each to its own folder",
            )
        exporter.check(work.rows())
    with _store_errors(dest):
        dest.mkdir(parents=True, exist_ok=True)
        for path in filter(is_orphan, dest.glob("partial.*")):
            _remove(path)
        record = read(dest, to)
        needed, free = sum(work.space(record) for work in works), shutil.disk_usage(dest).free
        if needed > free:
            reason = f"about {size(needed)} are needed and {size(free)} are free"
            hint = "free some space, export to another folder, or choose fewer rows or columns"
            raise StoreError(path=str(dest), action="write", reason=reason, hint=hint)
        for work in works:
            work.begin(force=force)
        return {work.title: work.run(progress or Silent()) for work in works}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _store_errors(dest: Path) -> Iterator[None]:
    """Raise errors of the system as StoreError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "complete files are kept: export again with more space, or to another folder"
        path = str(error.filename or dest)
        raise StoreError(path=path, action="write", reason=reason, hint=hint) from error
