"""Exporting splits: what of them is done already, and writing the rest."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dshub import plugins
from dshub.dataset import Dataset
from dshub.errors import DshubError, StoreError
from dshub.export._record import File, Record, SplitRecord, read
from dshub.export._work import Work
from dshub.progress import Progress, Silent, Task, size
from dshub.store.owners import is_orphan, own_name

if TYPE_CHECKING:
    from dshub.export import Exporter

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
