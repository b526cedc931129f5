"""Run an export shard by shard, and record what is done.

What a folder says of the exports in it: `.dshub-export.json`.

::

    {"schema": 1, "format": "parquet", "splits": {"train": {
        "dataset": "mnist@1.0.0", "split": "train", "fingerprint": …, "revision": 1, "rows": …,
        "shards": 2, "features": {…}, "done": {"0": [
            {"name": "train-00000-of-00002.parquet", "size": …}]}}}}

It is hidden, so that programs that read every file of a folder pass it by.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import msgspec

from dshub import plugins
from dshub._validate import Count, FileName, decode
from dshub.cache.files import read_file, replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.catalog.features import Feature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, StoreError
from dshub.export._rows import Rows, block_of, row_size
from dshub.progress import Progress, Silent, Task, size

if TYPE_CHECKING:
    from dshub.export import Exporter

NAME = ".dshub-export.json"


class File(msgspec.Struct, frozen=True):
    """A file of a shard: its name, and bytes."""

    name: FileName
    size: Count

    @classmethod
    def moved(cls, path: Path, target: Path) -> Self:
        """A finished file, moved to its name; raises OSError."""
        found = cls(target.name, path.stat().st_size)
        path.replace(target)
        return found

    def is_in(self, folder: Path) -> bool:
        """Whether it is there, as large as it was."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.size


class SplitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How far a split has come.

    Attributes:
        dataset: name and version.
        split: the expression that was asked for.
        fingerprint: of the rows and columns.
        revision: of the exporter.
        shards: how many there will be.
        features: what the columns hold, with names of classes: what some formats cannot say.
        done: the files of each shard that is complete, by its number.
    """

    dataset: str
    split: str
    fingerprint: str
    revision: Count
    rows: Count
    shards: Count
    features: dict[str, Feature]
    done: dict[str, tuple[File, ...]] = {}

    @property
    def plan(self) -> tuple[object, ...]:
        """What tells this work from another."""
        return (self.fingerprint, self.revision, self.rows, self.shards)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What has been exported to a folder, in one format."""

    schema: Literal[1] = 1
    format: str
    splits: dict[str, SplitRecord] = {}

    def with_split(self, name: str, split: SplitRecord | None) -> "Record":
        """The same, with another state of a split; without it where that is None."""
        others = {key: item for key, item in self.splits.items() if key != name}
        return Record(format=self.format, splits=others | ({} if split is None else {name: split}))

    def write(self, folder: Path) -> None:
        """Put it in a folder in one step; raises OSError."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        replace_file(folder / NAME, data, folder / own_name("partial"))


def read(folder: Path, wanted: str) -> Record:
    """The record of a folder; an empty one where it has none.

    Raises:
        DshubError: the folder holds an export in another format.
        StoreError: the record cannot be understood.
    """
    path = folder / NAME
    try:
        found = decode(read_file(path), Record)
    except FileNotFoundError:
        return Record(format=wanted)
    except (OSError, ValueError) as error:
        hint = "remove it, and what was exported there, and begin anew"
        raise StoreError(path=str(path), action="read", reason=str(error), hint=hint) from error
    if found.format != wanted:
        hint = "a folder holds one format: name another folder"
        raise DshubError(f"{folder} holds an export to {found.format}, not {wanted}", hint=hint)
    return found


STAGE = "partial-"  # begins the name of a folder that is not complete


class Work:
    """A split that is to be exported.

    Args:
        exporter: of the format.
        title: its name or expression.
        dataset: its rows.
        dest: the folder that the export goes to.
        shard_size: bytes of a shard, about.

    Attributes:
        stem: how the names of its files begin.
        plan: its record when nothing is done yet.
    """

    def __init__(
        self, exporter: "Exporter", title: str, dataset: Dataset, *, dest: Path, shard_size: int
    ) -> None:
        self.exporter, self.title, self.dest = exporter, title, dest
        self._dataset = dataset.decode(on=False)
        self._row_size = row_size(self._dataset)
        self.stem = re.sub(r"[^A-Za-z0-9_]+", "-", title).strip("-")
        manifest = dataset.manifest
        count = -(-self._row_size * len(dataset) // max(shard_size, 1))
        self.plan = SplitRecord(
            dataset=manifest.identifier if manifest else "own data",
            split=title,
            fingerprint=self._dataset.fingerprint,
            revision=exporter.revision,
            rows=len(dataset),
            shards=1 if exporter.kind == "one" else min(max(count, 1), max(len(dataset), 1)),
            features=dict(self._dataset.features),
        )

    def rows(self, first: int = 0, count: int | None = None) -> Rows:
        """Some of the rows, or all."""
        title = f"{self.plan.dataset}, split {self.title}"
        count = self.plan.rows if count is None else count
        return Rows(self._dataset, title, first, count, block_of(self._row_size))

    def share(self, shard: int) -> Rows:
        """The rows of a shard: each has as many, or one more."""
        first, end = (self.plan.rows * i // self.plan.shards for i in (shard, shard + 1))
        return self.rows(first, end - first)

    @property
    def folder(self) -> Path | None:
        """The folder that holds all files, where the format has one."""
        return self.dest / self.stem if self.exporter.kind == "folder" else None

    @property
    def stage(self) -> Path:
        """The same until it is complete."""
        return self.dest / f"{STAGE}{self.stem}"

    def files(self, shard: int) -> list[Path]:
        """The files of a shard."""
        number = f"-{shard:05d}-of-{self.plan.shards:05d}"
        stem = self.stem if self.exporter.kind == "one" else self.stem + number
        return [self.dest / f"{stem}{suffix}" for suffix in self.exporter.suffixes]

    def missing(self, record: Record) -> list[int]:
        """The shards that are not written, or whose files have changed."""
        known = record.splits.get(self.stem)
        state = self.plan if known is None or self.is_lost(known) else known
        return [shard for shard in range(state.shards) if not self._is_done(shard, state)]

    def is_lost(self, known: SplitRecord) -> bool:
        """Whether a record is of other work, or of a folder that is no longer there."""
        gone = self.folder is not None and not (self.folder.is_dir() or self.stage.is_dir())
        return known.plan != self.plan.plan or gone

    def _is_done(self, shard: int, state: SplitRecord) -> bool:
        files = state.done.get(str(shard))
        return files is not None and all(item.is_in(self.dest) for item in files)

    def result(self) -> list[Path]:
        """What is there in the end."""
        if self.folder is not None:
            return [self.folder]
        return [path for shard in range(self.plan.shards) for path in self.files(shard)]

    def size(self, shards: int) -> int:
        """Bytes that some shards take, about."""
        return self._row_size * self.plan.rows * shards // self.plan.shards


SHARD_SIZE = 500_000_000  # bytes of a shard, about, where nothing else is asked for


@dataclass(frozen=True)
class Written:
    """A split that has been exported.

    Attributes:
        rows: how many it has.
        shards: into how many they are divided.
        kept: how many of the shards were there already.
        files: of the shards in order, or the folder that holds all.
    """

    rows: int
    shards: int
    kept: int
    files: tuple[Path, ...]


Exported = dict[str, Written]
"""What has been exported, by split."""


def export(
    splits: Mapping[str, Dataset],
    to: str,
    dest: Path,
    *,
    shard_size: int = SHARD_SIZE,
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write splits in a format of other programs; goes on where an earlier call stopped.

    Files are `train-00000-of-00012.parquet` or the like, or lie below a folder `train`. The
    expression ``train[:10%]`` is called `train-10`.

    Args:
        splits: by name or expression.
        to: the format.
        dest: the folder, made where it is not there.
        shard_size: bytes of a shard, about.
        force: replace what is there of another export, and files that are in the way.
        progress: what is told how far the work has come.

    Raises:
        UnknownNameError: there is no such format.
        DshubError: the format cannot hold a column, or the folder has something else in it.
            Nothing was written.
        StoreError: the folder cannot be written, or there is no space.
    """
    exporter: Exporter = plugins.module("export", to).exporter
    works = [
        Work(exporter, title, rows, dest=dest, shard_size=shard_size)
        for title, rows in splits.items()
    ]
    _check_names(works)
    for work in works:
        exporter.check(work.rows())
    with _disk(dest):
        dest.mkdir(parents=True, exist_ok=True)
        _clean(dest)
        _check_space(works, read(dest, to), dest)
        for work in works:
            _begin(work, to, force=force)
        return {work.title: _Run(work, to, progress or Silent()).write() for work in works}


def _check_names(works: Sequence[Work]) -> None:
    """Splits have names of their own, whatever letters file systems tell apart."""
    seen: dict[str, Work] = {}
    for work in works:
        other = seen.setdefault(work.stem.casefold(), work)
        if other is not work:
            told = f"splits {other.title} and {work.title} would both be called {work.stem}"
            raise DshubError(told, hint="export them to a folder each")


def _clean(dest: Path) -> None:
    """Remove what processes left that are no more."""
    for left in dest.glob("partial.*"):
        if is_orphan(left):
            _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _begin(work: Work, to: str, *, force: bool) -> None:
    """Put the plan of a split on record, unless it is there; raises where something is in the way.

    From then on, what lies under the names of the split is known to be ours.
    """
    record = read(work.dest, to)
    known = record.splits.get(work.stem)
    if known is not None and not work.is_lost(known):
        return
    if known is not None:
        if known.plan != work.plan.plan and not force:
            raise DshubError(
                f"{work.dest} holds {work.stem} of another export: {_difference(known, work)}",
                hint="name another folder, or replace it with --force",
            )
        _remove_export(work, known)
    else:
        _check_free(work, force=force)
    record.with_split(work.stem, work.plan).write(work.dest)


def _difference(known: SplitRecord, work: Work) -> str:
    """What tells the export that is there from the one that is asked for."""
    plan = work.plan
    for word, was, now in (
        ("dataset", known.dataset, plan.dataset),
        ("split", known.split, plan.split),
        ("columns", ", ".join(known.features), ", ".join(plan.features)),
        ("number of shards", known.shards, plan.shards),
    ):
        if was != now:
            return f"its {word} was {was}, not {now}"
    return "its rows were others, or another version of dshub wrote it"


def _remove_export(work: Work, known: SplitRecord) -> None:
    _remove(work.stage)
    if work.folder is not None:
        _remove(work.folder)
    for files in known.done.values():
        for item in files:
            _remove(work.dest / item.name)


def _check_free(work: Work, *, force: bool) -> None:
    """Nothing of anybody else lies under the names of a split; files may be replaced by force."""
    for path in work.result():
        if path.is_dir() or (path.exists() and not force):
            hint = "name another folder, or remove it"
            raise DshubError(f"{path} is there, and no export of dshub's", hint=hint)


def _check_space(works: Sequence[Work], record: Record, dest: Path) -> None:
    needed = sum(work.size(len(work.missing(record))) for work in works)
    free = shutil.disk_usage(dest).free
    if needed > free:
        reason = f"about {size(needed)} are to be written and {size(free)} are free"
        hint = "make space, name another folder, or choose fewer rows or columns"
        raise StoreError(path=str(dest), action="write", reason=reason, hint=hint)


@dataclass(frozen=True)
class _Run:
    """Writing a split whose plan is on record."""

    work: Work
    to: str
    progress: Progress

    def write(self) -> Written:
        work = self.work
        missing = work.missing(read(work.dest, self.to))
        rows = sum(work.share(shard).count for shard in missing)
        with Task(self.progress, f"exporting {work.title}", rows, unit="rows") as task:
            for shard in missing:
                self._note(shard, self._shard(shard, task))
        if work.folder is not None and not work.folder.is_dir():
            work.stage.mkdir(exist_ok=True)  # of a split without rows
            work.stage.rename(work.folder)
        shards = work.plan.shards
        return Written(work.plan.rows, shards, shards - len(missing), tuple(work.result()))

    def _shard(self, shard: int, task: Task) -> tuple[File, ...]:
        """Write a shard; returns its files."""
        work, rows = self.work, replace(self.work.share(shard), advance=task.advance)
        if work.folder is not None:
            work.stage.mkdir(exist_ok=True)
            work.exporter.write(work.stage, rows)
            return ()
        folder = work.dest / own_name("partial")
        folder.mkdir()
        try:
            work.exporter.write(folder / "shard", rows)
            return tuple(
                File.moved(folder / f"shard{suffix}", path)
                for suffix, path in zip(work.exporter.suffixes, work.files(shard), strict=True)
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _note(self, shard: int, files: tuple[File, ...]) -> None:
        """Put it on record that a shard is complete."""
        record = read(self.work.dest, self.to)  # another process may have noted another split
        state = record.splits.get(self.work.stem, self.work.plan)
        state = msgspec.structs.replace(state, done={**state.done, str(shard): files})
        record.with_split(self.work.stem, state).write(self.work.dest)


@contextmanager
def _disk(dest: Path) -> Iterator[None]:
    """What the system says of the folder, as an error of ours."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "what is complete stays: run it again when there is space, or name another folder"
        named = str(error.filename or dest)
        raise StoreError(path=named, action="write", reason=reason, hint=hint) from error
