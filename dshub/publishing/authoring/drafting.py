"""Draft a dataset from files, verify its manifest, and write the results."""

import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.catalog.manifest import Manifest, MemberEncoding
from dshub.datasets.media import is_other
from dshub.datasets.tabular.arrays import ArrayRange
from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.tabular.readers import TextOptions
from dshub.datasets.trees import count_endings, counted, ordered_splits, pair_of, split_word
from dshub.errors import DshubError, SchemaError
from dshub.progress import Progress, Task
from dshub.publishing.authoring import (
    annotated,
    class_folders,
    described,
    documents,
    exports,
    masks,
    records,
    shards,
    tables,
)
from dshub.publishing.authoring.detection import advice, form
from dshub.publishing.authoring.outline import Outline
from dshub.publishing.authoring.partitions import read_folders
from dshub.publishing.authoring.scanning import check_columns, scan
from dshub.publishing.authoring.survey import Entry, Survey, key, some, split_in, stem, survey_files
from dshub.tables.building import rows_of

_ELSEWHERE = "choose another location with -o"
MEDIA = ("image", "audio")
_TITLES = class_folders.TITLES | tables.TITLES | records.TITLES


def verify(manifest: Manifest, paths: Mapping[str, Path], progress: Progress) -> None:
    """Read every row through the drafted manifest, and check the number of rows.

    Args:
        manifest: drafted manifest.
        paths: file path of each resource.
        progress: progress display.

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
    """Create a hidden folder in `folder`, and remove it after the `with` block.

    Folders that were created for it are also removed if they are empty.

    Raises:
        StoreError: the folder cannot be created.
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
    """Write a reproducible, uncompressed tar, without timestamps and owners.

    Args:
        archive: path of the tar.
        members: name and path of each member.
        progress: progress display.

    Raises:
        StoreError: a file cannot be read, or the archive cannot be written.
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
    """Move staged files to the folder of the manifest, and write the manifest last.

    Args:
        text: contents of the manifest.
        manifest: path of the manifest.
        staged: staging folder.

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
    """Files and options for a draft.

    Attributes:
        paths: files and folders.
        splits: split name by file or folder.
        kinds: `label`, `text` or `number` by column, to override the guess.
        text: stated facts about text files.
        zip_encoding: encoding of names in zip archives that do not state it.
        skip_bad: whether to leave out images and audio files that cannot be decoded.
        arrays: columns of tables that become arrays, by the name of the array.
        documents: whether each text file is a row; None to detect it.
    """

    paths: tuple[Path, ...]
    splits: Mapping[Path, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    text: TextOptions = field(default_factory=partial(TextOptions, naming=key))
    zip_encoding: MemberEncoding | None = None
    skip_bad: bool = False
    arrays: Mapping[str, ArrayRange] = field(default_factory=dict)
    documents: bool | None = None

    @property
    def tops(self) -> list[Path]:
        """All paths, plus the paths of splits that are outside `paths`."""
        return [*self.paths, *(path for path in self.splits if not _is_in(path, self.paths))]


def _is_in(path: Path, tops: Iterable[Path]) -> bool:
    """Return True if a path is below one of the others, with or without following links."""
    return any(
        path.absolute().is_relative_to(top.absolute())
        or path.resolve().is_relative_to(top.resolve())
        for top in tops
    )


def draft(request: Request, stack: ExitStack, progress: Progress) -> Outline:
    """Outline a dataset by reading every row.

    Args:
        request: files and options.
        stack: receives the open archives; close it after reading the entries.
        progress: progress display.

    Raises:
        DshubError: the files have unknown, different or incompatible formats.
        ReadError, UnsafeArchiveError, StoreError: a file is damaged or cannot be read.
    """
    survey = survey_files(request.tops, stack, encoding=request.zip_encoding)
    outline = _of_layout(request, survey, progress) or _of_files(request, survey, progress)
    outline.encodings = {path: name for path, name in survey.encodings.items() if name}
    return outline


def _of_layout(request: Request, survey: Survey, progress: Progress) -> Outline | None:
    """Outline exports, shards and annotated images; return None for other files."""
    if (shards_outline := _of_shards(request, survey, progress)) is not None:
        return shards_outline
    annotations = annotated.outline(survey, progress)
    if annotations is not None:
        _refuse_options(request)
        annotations.doubts[:0] = survey.notes
    return annotations


def _of_files(request: Request, survey: Survey, progress: Progress) -> Outline:
    """Outline files of the same format."""
    by_form: dict[str, list[Entry]] = {}
    for entry in records.without_indexes(survey.entries):
        by_form.setdefault(_form(entry, request), []).append(entry)
    documents.merge_texts(by_form)
    main_form = _choose(by_form, survey.notes)
    entries, doubts = by_form.pop(main_form), list(survey.notes)
    doubts += _skipped(by_form, main_form) + described.caption_notes(by_form, entries)
    if main_form == "image" and (pairs := masks.find_pairs(entries)):
        stated = _stated_splits(request, entries)
        outline = masks.outline(survey, pairs, stated=stated, progress=progress)
        check_columns(request.kinds, outline.features)
        outline.doubts[:0] = doubts
        return outline
    if main_form in MEDIA and (tables_found := described.find_tables(by_form, entries)):
        found = _described(request, survey, tables_found, entries, main_form, progress)
        if found is not None:
            return found
    stated = _stated_splits(request, entries)
    if main_form in MEDIA:
        outline = class_folders.outline(
            survey, entries, main_form, stated=stated, progress=progress, skip_bad=request.skip_bad
        )
        check_columns(request.kinds, outline.features)
    elif documents.are_documents(main_form, entries, stated=request.documents):
        outline = _of_documents(request, survey, entries, stated, progress)
        check_columns(request.kinds, outline.features)
    else:
        splits = _by_split(entries, stated, doubts)
        outline = _of_rows(main_form, splits, request.text)
        read_folders(outline, survey.members)
        scan(outline, request.kinds, progress, arrays=request.arrays)
    outline.doubts[:0] = doubts
    return outline


def _of_documents(
    request: Request,
    survey: Survey,
    entries: Sequence[Entry],
    stated: Mapping[str, str],
    progress: Progress,
) -> Outline:
    """Outline text files, each of which is a row."""
    entries, loose = documents.without_loose(entries)
    encoding, doubt = documents.find_encoding(entries, request.text.encoding)
    outline = class_folders.outline(survey, entries, "text", stated=stated, progress=progress)
    for split in outline.splits.values():
        split.reader |= {"encoding": encoding} if encoding != "utf-8" else {}
    outline.doubts += [doubt] if doubt else []
    outline.doubts += [f"skipped files beside class folders: {some(loose)}"] if loose else []
    if "label" not in outline.features and request.documents is None:
        outline.doubts.append("each text file is a row; use --lines for a row for each line")
    return outline


def _of_rows(
    form_name: str, splits: Mapping[str, Sequence[Entry]], options: TextOptions
) -> Outline:
    if form_name in records.TITLES:
        return records.outline(form_name, splits)
    return tables.outline(form_name, splits, options)


def _of_shards(request: Request, survey: Survey, progress: Progress) -> Outline | None:
    """Outline files that dshub exported, or WebDataset shards; return None for other files."""
    has_options = request != Request(request.paths)
    exported = None if has_options else exports.outline(request.tops, survey, progress)
    paths = [] if exported is not None else shards.find_webdataset(survey)
    if not paths:
        return exported
    doubts = list(survey.notes)
    entries = [Entry(_shard_name(path, request.tops), path, LooseFile(path, "")) for path in paths]
    splits = _by_split(entries, _stated_splits(request, entries), doubts)
    outline = shards.outline_webdataset(splits, survey)
    scan(outline, request.kinds, progress)
    others = [entry.name for entry in survey.entries if not entry.file.member]
    if others:
        doubts.append(f"skipped files that are not in shards: {some(others)}")
    outline.doubts[:0] = doubts
    return outline


def _shard_name(path: Path, tops: Sequence[Path]) -> str:
    """Return the name of a shard in its folder of the command line."""
    top = next((top for top in tops if top.is_dir() and path.is_relative_to(top)), path.parent)
    return path.relative_to(top).as_posix()


def _refuse_options(request: Request) -> None:
    """Raise DshubError if an option does not apply to images with annotations."""
    if request.splits or request.kinds:
        raise DshubError(
            "--split, --label, --text and --number do not apply to images with annotations",
            hint="leave them out; folders and files named like train and val state the splits",
        )


def _form(entry: Entry, request: Request) -> str:
    """Return the format of a file; lines are a table if an option describes it."""
    found = form(entry)
    return "delimited" if found == "lines" and request.text.is_table else found


def _skipped(files: Mapping[str, Sequence[Entry]], main_form: str) -> list[str]:
    """Return notes about files of other formats."""
    notes = [
        f"skipped {e.name}: it is {why}" for e in files.get("unknown", ()) if (why := advice(e))
    ]
    named = " ".join(notes)
    others = [e.name for some_files in files.values() for e in some_files if e.name not in named]
    if others:
        notes.append(f"skipped {counted(others, f'files that are not {_TITLES[main_form]}')}")
        endings = ", ".join(count_endings([name for name in others if not is_other(name)]))
        notes += [f"unknown endings of files: {endings}"] if endings else []
    return notes


def _described(
    request: Request,
    survey: Survey,
    found: tuple[str, Sequence[Entry]],
    entries: Sequence[Entry],
    kind: str,
    progress: Progress,
) -> Outline | None:
    """Outline images or audio files that tables describe; return None if they do not."""
    form_name, files = found
    doubts = list(survey.notes)
    stated = {
        entry.name: split
        for top, split in request.splits.items()
        for entry in files
        if _is_in(entry.path, [top])
    }
    splits = _by_split(files, stated, doubts)
    try:
        named = described.outline(form_name, splits, entries, request.text)
    except DshubError:  # such as annotations in JSON, which are skipped with a doubt
        return None
    if named is None:
        return None
    outline, names = named
    scan(outline, request.kinds, progress, arrays=request.arrays)
    described.attach(outline, names, survey, files=entries, kind=kind, progress=progress)
    outline.doubts[:0] = doubts
    return outline


def _choose(files: Mapping[str, Sequence[Entry]], notes: Sequence[str]) -> str:
    """Return the format of the dataset: image or audio if present, otherwise the only format.

    Args:
        files: files by format.
        notes: notes about skipped files.

    Raises:
        DshubError: there is no known format, or more than one.
    """
    for kind in (*class_folders.TITLES, *records.TITLES):  # JSON beside records describes them
        if kind in files:
            return kind
    kinds = [kind for kind in files if kind in _TITLES and kind != "lines"]
    if len(kinds) > 1:
        listing = ", ".join(f"{len(files[kind])} {kind}" for kind in kinds)
        raise DshubError(
            f"the files have several formats: {listing}",
            hint="pass only the files of one dataset, such as `dshub new train.csv test.csv`",
        )
    if kinds or "lines" in files:
        return kinds[0] if kinds else "lines"
    if not files:
        raise DshubError(
            "; ".join(["the paths contain no data", *notes]),
            hint="pass files or folders that are not empty",
        )
    unknown = files["unknown"]
    reasons = {reason: entry.name for entry in unknown if (reason := advice(entry))}
    explanation = "; ".join(f"{name} is {reason}" for reason, name in reasons.items())
    raise DshubError(
        explanation or f"dshub cannot read {some([entry.name for entry in unknown])}",
        hint="convert the files to a supported format: class folders of images or audio, CSV, TSV, "
        "JSON, parquet, Arrow, npz, IDX, or plain text in UTF-8",
    )


def _stated_splits(request: Request, entries: Sequence[Entry]) -> dict[str, str]:
    """Return the splits from the request, by entry name."""
    stated: dict[str, str] = {}
    for top, split in request.splits.items():
        names = [entry.name for entry in entries if _is_in(entry.path, [top])]
        if not names:
            raise DshubError(
                f"{top} has no files for split {split}",
                hint=f"correct the path in --split {split}=PATH",
            )
        stated |= dict.fromkeys(names, split)
    return stated


def _by_split(
    entries: Sequence[Entry], stated: Mapping[str, str], doubts: list[str]
) -> dict[str, list[Entry]]:
    """Group files by split."""
    splits: dict[str, list[Entry]] = {}
    for entry in entries:
        folders = map(_split_of_folder, entry.folders)
        by_folder = next(filter(None, folders), None)
        split = stated.get(entry.name) or by_folder or split_in(stem(entry.base))[0] or ""
        splits.setdefault(split, []).append(entry)
    unassigned = splits.pop("", [])
    if not splits:
        doubts.append(
            "no file or folder name states a split (train, validation, test); all rows go to train"
        )
        return {"train": unassigned}
    if unassigned:
        names = some([entry.name for entry in unassigned])
        doubts.append(f"skipped files without a split: {names}; to use them, add --split NAME=PATH")
    return {name: splits[name] for name in ordered_splits(splits)}


def _split_of_folder(folder: str) -> str | None:
    """Return the split that a folder or an archive names, such as `train.npz` or `split=train`."""
    pair = pair_of(folder)
    return split_word(pair[1] if pair else stem(folder))
