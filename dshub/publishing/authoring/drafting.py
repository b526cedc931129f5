"""Draft a manifest, verify it, and publish it with its files.

Whether a manifest that was just made holds for the files that it was made of.
"""

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from dshub import archives
from dshub.catalog.manifest import Manifest
from dshub.errors import DiskFullError, DshubError, SchemaError, StoreError
from dshub.progress import Progress, Task, size
from dshub.publishing.authoring import records as arrays
from dshub.publishing.authoring import tables, trees
from dshub.publishing.authoring.columns import Wishes
from dshub.publishing.authoring.forms import ARRAYS, TABLES, form, refusal
from dshub.publishing.authoring.outline import Outline
from dshub.publishing.authoring.scanning import scan
from dshub.publishing.authoring.survey import (
    ORDER,
    Entry,
    Survey,
    look,
    ordered_splits,
    some,
    split_in,
    split_word,
    stem,
)
from dshub.tables.building import rows_of


def verify(manifest: Manifest, paths: Mapping[str, Path], progress: Progress) -> None:
    """Read every row as `load` would, and compare their number and their classes.

    Args:
        manifest: of the files.
        paths: the file of each resource.
        progress: is told how far it has come.

    Raises:
        ReadError, SchemaError: the files are not what the manifest says.
    """
    for name, split in manifest.splits.items():
        wanted = {
            figure: value for figure, value in split.figures.items() if isinstance(value, tuple)
        }
        counts = {figure: np.zeros(len(value), np.int64) for figure, value in wanted.items()}
        rows = 0
        with Task(progress, f"checking {name}", split.rows, unit="rows") as task:
            for batch in rows_of(manifest, name, paths):
                rows += batch.num_rows
                counts = {figure: _counted(batch, figure, old) for figure, old in counts.items()}
                task.advance(batch.num_rows)
        _compare(manifest, name, rows, counts)


def _counted(batch: pa.RecordBatch, figure: str, before: np.ndarray) -> np.ndarray:
    """Rows of each class, (classes,), with those of a batch added."""
    found = batch.column(figure.removesuffix("-counts")).to_numpy()
    return before + np.bincount(found, minlength=len(before))


def _compare(manifest: Manifest, split: str, rows: int, counts: Mapping[str, np.ndarray]) -> None:
    where, facts = f"{manifest.name}, split {split}", manifest.splits[split]
    if rows != facts.rows:
        raise SchemaError(where=where, expected=f"{facts.rows:,} rows", got=f"{rows:,} rows")
    for figure, count in counts.items():
        expected = facts.figures[figure]
        if expected != tuple(count.tolist()):
            got = str(tuple(count.tolist()))
            raise SchemaError(where=f"{where}, {figure}", expected=str(expected), got=got)


class Staged:
    """A manifest, and the archive of a folder beside it, until both are known to be right.

    Until `publish`, everything lies under hidden names; whatever ends the work before that, an
    interruption too, takes those away, and folders that were made for them.

    Args:
        manifest: where it is to lie.
        archive: the name of the archive beside it.
        force: whether files that are there already may be replaced.

    Raises:
        DshubError: one of them is there already.
    """

    def __init__(self, manifest: Path, archive: str, *, force: bool) -> None:
        self.manifest, self.archive = manifest, manifest.with_name(archive)
        for path in (self.manifest, self.archive):
            if not force and os.path.lexists(path):
                raise DshubError(
                    f"{path} is there already",
                    hint="choose another place with -o or another --name, or --force to replace it",
                )
        self._hidden = {
            path: path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            for path in (self.manifest, self.archive)
        }
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        folder = self.manifest.parent
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        with _written(folder):
            for path in reversed(missing):
                path.mkdir(exist_ok=True)
                self._made.append(path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for path in self._hidden.values():
            path.unlink(missing_ok=True)
        for path in reversed(self._made):
            if not any(path.iterdir()):
                path.rmdir()

    def pack(self, members: Sequence[tuple[str, Path]], progress: Progress) -> Path:
        """Make a tar of files, uncompressed, of no time and nobody: same files, same bytes.

        Returns:
            Where it lies until it is published.

        Raises:
            StoreError: a file cannot be read, or the archive not be written.
        """
        hidden, packing = self._hidden[self.archive], archives.container_for("a.tar")
        assert packing is not None  # noqa: S101  # it is one of ours
        with _written(self.archive):
            total = sum(path.stat().st_size for _, path in members)
            free = shutil.disk_usage(hidden.parent).free
            if free < total:
                reason = f"{size(total)} are to be packed and {size(free)} are free"
                raise DiskFullError(path=str(self.archive), reason=reason)
            with Task(progress, f"packing {self.archive.name}", total) as task:
                packing.write_members(hidden, _told(members, task))
        return hidden

    def publish(self, text: str) -> None:
        """Let both appear, the archive first; raises StoreError."""
        hidden = self._hidden[self.manifest]
        with _written(self.manifest):
            with hidden.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            if self._hidden[self.archive].exists():
                self._hidden[self.archive].replace(self.archive)
            hidden.replace(self.manifest)


def _told(members: Sequence[tuple[str, Path]], task: Task) -> Iterator[tuple[str, Path]]:
    for name, path in members:
        yield name, path
        task.advance(path.stat().st_size)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason, where = error.strerror or str(error), str(error.filename or path)
        hint = "choose another place with -o"
        raise StoreError(path=where, action="write", reason=reason, hint=hint) from error


_TREES = {"picture": "image", "recording": "audio"}


@dataclass(frozen=True)
class Request:
    """What a person asks for.

    Attributes:
        paths: files and folders.
        splits: files and folders of which the split is said, by its name.
        wishes: what is said of columns.
        header: whether the first line of delimited text names its columns; None: look.
    """

    paths: tuple[Path, ...]
    splits: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    header: bool | None = None

    @property
    def tops(self) -> list[Path]:
        """Every path to look at, once."""
        places = [path.resolve() for path in self.paths]
        own = [
            path
            for paths in self.splits.values()
            for path in paths
            if not any(place in (path.resolve(), *path.resolve().parents) for place in places)
        ]
        return [*self.paths, *own]


def draft(request: Request, stack: ExitStack, progress: Progress) -> Outline:
    """What a dataset of some files is; every row is read once.

    Args:
        request: which files, and what is known of them.
        stack: keeps archives open.
        progress: is told how far it has come.

    Raises:
        DshubError: it cannot be told what the files are, or which belong together.
        ReadError, UnsafeArchiveError, StoreError: a file is damaged or cannot be read.
    """
    survey = look(request.tops, stack)
    kinds = {entry.name: form(entry) for entry in survey.entries}
    chosen = _choose(survey.entries, kinds)
    entries = [entry for entry in survey.entries if kinds[entry.name] == chosen]
    given = _given(request, entries)
    left = [entry.name for entry in survey.entries if kinds[entry.name] != chosen]
    notes = survey.notes + _beside(left, chosen)
    if chosen in _TREES or _is_text_tree(chosen, entries):
        kind = _TREES.get(chosen, "text")
        found = trees.outline(survey, entries, kind, given=given, progress=progress)
        request.wishes.check(found.features)
    else:
        found = _outline(chosen, entries, survey, given, request, notes)
        scan(found, request.wishes, progress)
    found.doubts = [*notes, *found.doubts]
    return found


def _beside(names: Sequence[str], chosen: str) -> list[str]:
    words = {"picture": "the pictures", "recording": "the recordings", **tables.WORDS}
    told = words.get(chosen, arrays.WORDS.get(chosen, chosen))
    return [f"left out beside {told}: {some(names)}"] if names else []


def _choose(entries: Sequence[Entry], kinds: Mapping[str, str]) -> str:
    """What the dataset consists of: pictures or recordings, or one kind of table or array."""
    counts = Counter(kinds.values())
    for kind in _TREES:
        if counts[kind]:
            return kind
    found = [kind for kind in counts if kind in TABLES | ARRAYS and kind != "lines"]
    if len(found) > 1:
        told = ", ".join(f"{counts[kind]} {kind}" for kind in found)
        raise DshubError(
            f"the files are of several kinds: {told}",
            hint="name those that belong together: dshub new train.csv test.csv",
        )
    if found or counts["lines"]:
        return found[0] if found else "lines"
    raise _nothing(entries)


def _nothing(entries: Sequence[Entry]) -> DshubError:
    if not entries:
        return DshubError("there is no file with anything in it", hint="name files or folders")
    reasons = {reason: entry.name for entry in entries if (reason := refusal(entry))}
    told = "; ".join(f"{name} is {reason}" for reason, name in reasons.items())
    names = some([entry.name for entry in entries])
    return DshubError(
        told or f"{names}: none of the kinds that dshub reads",
        hint="it reads class folders of pictures or recordings, CSV and TSV, JSON, parquet, "
        "Arrow, npz, IDX and plain text, in UTF-8",
    )


def _is_text_tree(chosen: str, entries: Sequence[Entry]) -> bool:
    """Texts in at least two class folders, and no file of lines for each split."""
    folders = {entry.folders for entry in entries}
    classes = {own[-1] for own in folders if own and split_word(own[-1]) is None}
    return chosen == "lines" and () not in folders and len(classes) > 1


def _given(request: Request, entries: Sequence[Entry]) -> dict[str, str]:
    """The split of each entry of which it was said."""
    given: dict[str, str] = {}
    for split, paths in request.splits.items():
        places = {path.resolve() for path in paths}
        own = [
            entry.name
            for entry in entries
            if places & {entry.path.resolve(), *entry.path.resolve().parents}
        ]
        if not own:
            told = ", ".join(map(str, paths))
            raise DshubError(f"{told} holds nothing for split {split}", hint="check the path")
        given.update(dict.fromkeys(own, split))
    return given


def _outline(  # the facts so far
    chosen: str,
    entries: Sequence[Entry],
    survey: Survey,
    given: Mapping[str, str],
    request: Request,
    notes: list[str],
) -> Outline:
    splits = {entry.name: given.get(entry.name) or _split_of(entry) for entry in entries}
    if not any(splits.values()):
        splits = dict.fromkeys(splits, "train")
        notes.append(f"no name tells of a split ({', '.join(ORDER[:3])}, …): all rows are train")
    outside = [name for name, split in splits.items() if split is None]
    if outside:
        notes.append(f"left out: {some(outside)}: in no split; --split NAME=PATH says of which")
    files = {
        split: [entry for entry in entries if splits[entry.name] == split]
        for split in ordered_splits(split for split in splits.values() if split)
    }
    if chosen in ARRAYS:
        return arrays.outline(chosen, files, survey.members, archives.stream_suffixes())
    return tables.outline(chosen, files, survey.members, header=request.header)


def _split_of(entry: Entry) -> str | None:
    folders = (split_word(folder) for folder in entry.folders)
    by_folder = next((found for found in folders if found), None)
    return by_folder or split_in(stem(entry.base, archives.stream_suffixes()))[0]
