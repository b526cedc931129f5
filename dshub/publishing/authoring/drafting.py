"""Draft the outline of a dataset, verify its manifest, and publish both with their files."""

import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.catalog.manifest import Manifest
from dshub.errors import DshubError, SchemaError
from dshub.progress import Progress, Task
from dshub.publishing.authoring import class_folders, tables
from dshub.publishing.authoring.detection import advice, form
from dshub.publishing.authoring.outline import Outline
from dshub.publishing.authoring.scanning import check_columns, scan
from dshub.publishing.authoring.survey import (
    Entry,
    look,
    ordered_splits,
    some,
    split_in,
    split_word,
    stem,
)
from dshub.tables.building import rows_of

_ELSEWHERE = "choose another place with -o"
_TITLES = class_folders.TITLES | tables.TITLES


def verify(manifest: Manifest, paths: Mapping[str, Path], progress: Progress) -> None:
    """Read every row as `load` does, and count them.

    Args:
        manifest: as drafted.
        paths: the file of each resource.
        progress: shows the rows read so far.

    Raises:
        ReadError, SchemaError: the files do not match the manifest.
    """
    for name, split in manifest.splits.items():
        rows = 0
        with Task(progress, f"checking {name}", split.rows, unit="rows") as task:
            for batch in rows_of(manifest, name, paths):
                rows += batch.num_rows
                task.advance(batch.num_rows)
        if rows != split.rows:
            where = f"{manifest.name}, split {name}"
            raise SchemaError(where=where, expected=f"{split.rows:,} rows", got=f"{rows:,} rows")


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Make a hidden folder in `folder` to write into.

    Afterwards the hidden folder is removed, and `folder` with parents that are new if it is empty.

    Raises:
        StoreError: the folder cannot be made.
    """
    hidden = folder / f".{secrets.token_hex(8)}"
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with disk_faults(folder, "write", hint=_ELSEWHERE):
            hidden.mkdir(parents=True)
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        with suppress(OSError):
            for path in missing:
                path.rmdir()


def pack(archive: Path, members: Sequence[tuple[str, Path]], progress: Progress) -> Path:
    """Write an uncompressed tar without times and owners: the same files give the same bytes.

    Raises:
        StoreError: a file cannot be read, or the archive not be written.
    """
    packing = archives.container_for("a.tar")
    assert packing is not None  # noqa: S101  # tar is built in
    with disk_faults(archive, "write", hint=_ELSEWHERE):
        total = sum(path.stat().st_size for _, path in members)
        with Task(progress, f"packing {archive.name}", total) as task:
            packing.write_members(archive, _advancing(members, task))
    return archive


def _advancing(members: Sequence[tuple[str, Path]], task: Task) -> Iterator[tuple[str, Path]]:
    for name, path in members:
        yield name, path
        task.advance(path.stat().st_size)


def publish(text: str, manifest: Path, staged: Path) -> None:
    """Move what is in a staging folder beside a manifest, and write the manifest last.

    Raises:
        StoreError: a file cannot be written.
    """
    hidden = staged / manifest.name
    with disk_faults(manifest, "write", hint=_ELSEWHERE):
        packed = list(staged.iterdir())
        hidden.write_text(text, encoding="utf-8", newline="\n")
        for path in (*packed, hidden):
            path.replace(manifest.with_name(path.name))


@dataclass(frozen=True)
class Request:
    """The files of a dataset, and what the caller states of them.

    Attributes:
        paths: files and folders.
        splits: the split of files and folders.
        kinds: `label`, `text` or `number` for columns.
        header: whether delimited text has a header; None to guess.
    """

    paths: tuple[Path, ...]
    splits: Mapping[Path, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    header: bool | None = None

    @property
    def tops(self) -> list[Path]:
        """All files and folders; those of splits only if they are in no other folder."""
        return [*self.paths, *(path for path in self.splits if not _is_in(path, self.paths))]


def _is_in(path: Path, tops: Iterable[Path]) -> bool:
    return any(path.resolve().is_relative_to(top.resolve()) for top in tops)


def draft(request: Request, stack: ExitStack, progress: Progress) -> Outline:
    """Outline a dataset; reads every row once.

    Args:
        request: the files.
        stack: keeps archives open.
        progress: shows the rows read so far.

    Raises:
        DshubError: the files are of unknown or several kinds, or do not belong together.
        ReadError, UnsafeArchiveError, StoreError: a file is damaged or cannot be read.
    """
    survey = look(request.tops, stack)
    by_form: dict[str, list[Entry]] = {}
    for entry in survey.entries:
        by_form.setdefault(form(entry), []).append(entry)
    chosen = _choose(by_form)
    entries, doubts = by_form.pop(chosen), list(survey.notes)
    if others := [entry.name for files in by_form.values() for entry in files]:
        doubts.append(f"skipped files that are not {_TITLES[chosen]}: {some(others)}")
    given = _given(request, entries)
    if chosen in class_folders.TITLES or _is_text_tree(chosen, entries):
        kind = chosen if chosen in class_folders.TITLES else "text"
        outline = class_folders.outline(survey, entries, kind, given=given, progress=progress)
        check_columns(request.kinds, outline.features)
    else:
        splits = _by_split(entries, given, doubts)
        outline = tables.outline(chosen, splits, header=request.header)
        scan(outline, request.kinds, progress)
    outline.doubts[:0] = doubts
    return outline


def _choose(files: Mapping[str, Sequence[Entry]]) -> str:
    """The form of a dataset's files: image or audio if there are any, else the only form."""
    for kind in class_folders.TITLES:
        if kind in files:
            return kind
    kinds = [kind for kind in files if kind in _TITLES and kind != "lines"]
    if len(kinds) > 1:
        listing = ", ".join(f"{len(files[kind])} {kind}" for kind in kinds)
        raise DshubError(
            f"the files are of several kinds: {listing}",
            hint="give those that belong together: dshub new train.csv test.csv",
        )
    if kinds or "lines" in files:
        return kinds[0] if kinds else "lines"
    if not files:
        raise DshubError("there are no files, or only empty ones", hint="give files or folders")
    unknown = files["unknown"]
    reasons = {reason: entry.name for entry in unknown if (reason := advice(entry))}
    known = "; ".join(f"{name} is {reason}" for reason, name in reasons.items())
    raise DshubError(
        known or f"dshub cannot read {some([entry.name for entry in unknown])}",
        hint="it reads class folders of images or audio, CSV and TSV, JSON, parquet, Arrow, npz, "
        "IDX and plain text, in UTF-8",
    )


def _is_text_tree(chosen: str, entries: Sequence[Entry]) -> bool:
    """Whether texts are in two class folders or more, rather than in one file per split."""
    folders = {entry.folders for entry in entries}
    classes = {own[-1] for own in folders if own and split_word(own[-1]) is None}
    return chosen == "lines" and () not in folders and len(classes) > 1


def _given(request: Request, entries: Sequence[Entry]) -> dict[str, str]:
    """The splits that the caller states, by the name of an entry."""
    given: dict[str, str] = {}
    for top, split in request.splits.items():
        own = [entry.name for entry in entries if _is_in(entry.path, [top])]
        if not own:
            raise DshubError(f"{top} has no files for split {split}", hint="check the path")
        given |= dict.fromkeys(own, split)
    return given


def _by_split(
    entries: Sequence[Entry], given: Mapping[str, str], doubts: list[str]
) -> dict[str, list[Entry]]:
    """The files of each split."""
    splits: dict[str, list[Entry]] = {}
    for entry in entries:
        folders = (split_word(stem(folder)) for folder in entry.folders)  # or archives: train.npz
        by_folder = next(filter(None, folders), None)
        split = given.get(entry.name) or by_folder or split_in(stem(entry.base))[0] or ""
        splits.setdefault(split, []).append(entry)
    rest = splits.pop("", [])
    if not splits:
        doubts.append(
            "no file or folder name states a split (train, validation, test); all rows go to train"
        )
        return {"train": rest}
    if rest:
        names = some([entry.name for entry in rest])
        doubts.append(
            f"skipped files that belong to no split: {names}; to use them, add --split NAME=PATH"
        )
    return {name: splits[name] for name in ordered_splits(splits)}
