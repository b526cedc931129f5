"""Outline datasets in class folders, where folder names give the split and class of a file.

Examples are `train/cat/1.jpg`, and `cat/1.jpg` without splits. There can be additional folders
above the splits or below the classes.
"""

import glob
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, TextFeature
from dshub.catalog.file_names import folded
from dshub.datasets.depths import common
from dshub.datasets.labels import class_order
from dshub.datasets.media import is_other
from dshub.datasets.tabular.guessing import common_audio
from dshub.datasets.trees import (
    Groups,
    Split,
    counted,
    empty_classes,
    find_classes,
    find_splits,
    inner_splits,
    lone_folder,
    ordered_splits,
    split_in_folder,
)
from dshub.errors import DshubError
from dshub.importing.walking import Place
from dshub.progress import Progress
from dshub.publishing.authoring.folder_columns import FolderColumn, folder_columns, folder_path
from dshub.publishing.authoring.media import HINT, Media, read_media, refuse_bad
from dshub.publishing.authoring.outline import PACKED, Outline, Reference, SplitOutline, cover
from dshub.publishing.authoring.survey import Entry, Survey, key, some

TITLES = {"image": "images", "audio": "audio files", "text": "texts"}


@dataclass
class _Files:
    """Files of a split.

    Attributes:
        split: name of the split.
        entries: files, in the order of rows.
        tree: classes and columns of their folders.
    """

    split: str
    entries: list[Entry]
    tree: Split

    @property
    def labels(self) -> list[str]:
        """Class of each file; empty without class folders."""
        labels = self.tree.labels
        return [labels[entry.folders] for entry in self.entries] if labels else []


@dataclass(frozen=True)
class _Contents:
    """Content of the files.

    Attributes:
        feature: feature of the column of files.
        doubts: notes for the user.
        bad: names of files to leave out, as in errors.
        bad_members: names of these files in archives.
    """

    feature: Feature
    doubts: list[str] = field(default_factory=list)
    bad: Collection[str] = ()
    bad_members: Collection[str] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Options of the reader that leave out files in archives."""
        return {"skip": sorted(map(glob.escape, self.bad_members))} if self.bad_members else {}


def outline(
    survey: Survey,
    entries: Sequence[Entry],
    kind: str,
    *,
    stated: Mapping[str, str],
    progress: Progress,
    skip_bad: bool = False,
) -> Outline:
    """Outline a dataset with one row per file.

    Args:
        survey: all files of the dataset.
        entries: files that become rows.
        kind: `image`, `audio` or `text`; also the name of the column.
        stated: splits from the command line, by entry name.
        progress: progress display.
        skip_bad: whether to leave out files that cannot be decoded.

    Raises:
        DshubError: the folders do not separate splits and classes, or audio files differ.
        ReadError: files cannot be decoded; the message lists them.
    """
    result = Outline(TITLES[kind])
    splits, read = _read_splits(
        entries, kind, stated, result.doubts, progress=progress, skip_bad=skip_bad
    )
    in_order = [entry for files in splits for entry in files.entries]
    result.features[kind] = read.feature
    result.doubts += read.doubts
    classes = _classes(splits, survey, in_order, result.doubts)
    filled = {label for files in splits for label in files.tree.labels.values()}
    if classes:
        result.kind = f"class folders of {TITLES[kind]}"
        result.features["label"] = LabelFeature(names=tuple(classes))
    elif lone := lone_folder(files.tree for files in splits):
        result.doubts.append(f"no labels, because there is only one class folder: {lone}")
    columns = folder_columns([files.tree for files in splits], result.features)
    result.features |= {column.name: column.feature for column in columns}
    result.members = [(entry.name, entry.path) for entry in in_order if not entry.file.member]
    check_names(result.members)
    members = {PACKED: [name for name, _ in result.members]}
    members |= {
        path: [name for name in names if name not in read.bad_members]
        for path, names in survey.members.items()
    }
    for files in splits:
        split = _outline_split(files, kind, classes=classes, columns=columns, members=members)
        split.reader |= read.options
        result.splits[files.split] = split
        for column in columns:
            column.add_to(split, files.tree, [entry.folders for entry in files.entries])
        result.doubts += _doubts_of(files, split, [name for name in classes if name in filled])
    return result


def _read_splits(
    entries: Sequence[Entry],
    kind: str,
    stated: Mapping[str, str],
    doubts: list[str],
    *,
    progress: Progress,
    skip_bad: bool,
) -> tuple[list[_Files], _Contents]:
    """Group files by split, and read them; leave out bad files."""
    splits = _splits(entries, stated, doubts, may_be_loose=kind == "text")
    if kind == "text":
        return splits, _Contents(TextFeature())
    read = _read([e for f in splits for e in f.entries], kind, progress, skip_bad=skip_bad)
    if read.bad:
        doubts.clear()
        good = [entry for entry in entries if entry.file.name not in read.bad]
        splits = _splits(good, stated, doubts, may_be_loose=False)
    return splits, read


def _splits(
    entries: Sequence[Entry], stated: Mapping[str, str], doubts: list[str], *, may_be_loose: bool
) -> list[_Files]:
    """Group files by split, and find their classes; add doubts about skipped files.

    Args:
        entries: files that become rows.
        stated: splits from the command line, by entry name.
        doubts: receives notes for the user.
        may_be_loose: whether files can be outside the folders of others, without classes.
    """
    by_split: dict[str, list[Entry]] = defaultdict(list)
    rest: list[Entry] = []
    for entry in entries:
        split = stated.get(entry.name)
        (by_split[split] if split else rest).append(entry)
    groups = find_splits({entry.folders for entry in rest}) if rest else None
    if groups is not None:
        folders = _split_of_folders(groups)
        for entry in rest:
            by_split[folders.get(entry.folders, "")].append(entry)
        if groups.ambiguous and not stated:
            doubts.append(
                f"{groups.ambiguous} is read as a class, because other folders are beside it; to "
                f"change this, use --split NAME=PATH"
            )
    unassigned = by_split.pop("", []) if len(by_split) > 1 else []
    if unassigned and not (groups and groups.splits):
        raise DshubError(
            f"some files have no split: {some([entry.name for entry in unassigned])}",
            hint="add --split NAME=PATH for these files, too",
        )
    if unassigned:
        names = some([entry.name for entry in unassigned])
        doubts.append(
            f"skipped {len(unassigned):,} files beside the splits: {names}; to use them, add "
            "--split NAME=PATH"
        )
    places = {name: {entry.folders for entry in files} for name, files in by_split.items()}
    trees = find_classes(
        {name: sorted(places[name]) for name in ordered_splits(places)},
        key=groups.key if groups else "",
    )
    splits = [_Files(name or "train", by_split[name], tree) for name, tree in trees.items()]
    for files in splits:
        _check(files, may_be_loose=may_be_loose)
    return splits


def _split_of_folders(groups: Groups) -> dict[Place, str]:
    """Return the split of each folder with files; folders without a split are left out."""
    folders: dict[str, str] = {}
    for name in groups.splits:
        found = split_in_folder(name)
        split = found[0] if found else key(name)
        if split in folders:
            raise DshubError(
                f"split {split} is in 2 folders: {folders[split]} and {name}",
                hint="create one dataset per folder, or use --split NAME=PATH",
            )
        folders[split] = name
    return {place: split for split, name in folders.items() for place in groups.places[name]}


def _check(files: _Files, *, may_be_loose: bool) -> None:
    """Raise DshubError if the folders of a split do not separate classes.

    If files can be outside the class folders, the classes are removed instead.
    """
    if may_be_loose and files.tree.loose:
        files.tree = replace(files.tree, labels={}, loose=[])
    loose = set(files.tree.loose)
    if loose:
        names = some([entry.name for entry in files.entries if entry.folders in loose])
        raise DshubError(
            f"some files are not in a class folder: {names}",
            hint="remove these files, or move each into the folder of its class",
        )
    if mixed := inner_splits(files.tree):
        raise DshubError(
            f"folders of splits are below folders of classes: {some(mixed)}",
            hint="create one dataset per folder, or use --split NAME=PATH",
        )


def _classes(
    splits: Sequence[_Files], survey: Survey, used: Sequence[Entry], doubts: list[str]
) -> list[str]:
    """Return the classes in order, also those without files; empty for less than two."""
    classes = {label for files in splits for label in files.tree.labels.values()}
    if len(classes) < 2:
        return []
    names = {entry.name for entry in used}
    skipped = [entry for entry in survey.entries if entry.name not in names]
    others = {entry.folders for entry in skipped if is_other(entry.base)}
    folders = {*survey.folders, *(entry.folders for entry in skipped)}
    found = [empty_classes(files.tree, folders, others) for files in splits]
    empty = set().union(*(names for names, _ in found)) - classes
    unrelated = set().union(*(names for _, names in found)) - classes
    if empty:
        doubts.append(f"classes without files: {some(sorted(empty))}")
    if unrelated:
        doubts.append(
            f"folders that are not classes, because they have other files: "
            f"{some(sorted(unrelated))}"
        )
    return class_order(classes | empty)


def _doubts_of(files: _Files, split: SplitOutline, classes: Sequence[str]) -> Iterator[str]:
    """Yield what is uncertain about the classes of a split."""
    if "label" in split.without:
        yield f"split {files.split} has no class folders, so it has no labels"
    elif classes and (absent := sorted({*classes} - {*files.tree.labels.values()})):
        yield f"split {files.split} has no rows of {counted(absent, 'classes')}"


def _outer(files: _Files) -> int:
    """Return the number of folders of a split that are the name of an archive."""
    entry = files.entries[0]
    outer = len(entry.folders) - (entry.file.member or entry.name).count("/")
    if outer > files.tree.depth and files.labels:
        raise DshubError(
            f"{entry.path} seems to have only one class, {files.labels[0]!r}",
            hint="put all classes of a split into one folder or archive",
        )
    return outer


def _outline_split(
    files: _Files,
    kind: str,
    *,
    classes: Sequence[str],
    columns: Sequence[FolderColumn],
    members: Mapping[Path, Sequence[str]],
) -> SplitOutline:
    """Outline the files of a split."""
    prefix, path = folder_path(files.tree, columns, _outer(files))
    split = SplitOutline({"format": "folder"}, rows=len(files.entries))
    split.references[kind] = references(files.entries, prefix, members)
    if files.tree.labels and classes:
        path += "{label}/"
        counts = Counter(files.labels)
        split.figures["label-counts"] = tuple(counts[name] for name in classes)
        if files.tree.spellings:
            values = dict(files.tree.spellings)
            split.steps.append({"step": "map", "column": "label", "values": values})
    elif classes:
        split.without.append("label")
    split.reader["path"] = path + "{name:path}"
    if kind == "text":
        split.reader["text"] = True
    return split


def references(
    entries: Sequence[Entry], prefix: str, members: Mapping[Path, Sequence[str]]
) -> list[Reference]:
    """Return references to files on disk, which will be packed, or in archives.

    Args:
        entries: files.
        prefix: parent folders of all files, with a trailing `/`.
        members: names of all members of each archive.
    """
    names: dict[Path, list[str]] = defaultdict(list)
    for entry in entries:
        names[entry.path if entry.file.member else PACKED].append(entry.file.member or entry.name)
    return [
        (path, pattern)
        for path, selected in names.items()
        for pattern in cover(selected, members[path], prefix)
    ]


def check_names(members: Iterable[tuple[str, Path]]) -> None:
    """Raise DshubError for a name with a backslash or a colon, or for two similar names.

    A backslash separates folders on Windows, and a colon separates archive and member in a
    manifest. Many file systems ignore case and Unicode form.
    """
    seen: dict[str, str] = {}
    for name, path in members:
        if "\\" in name or ":" in name:
            raise DshubError(
                f"cannot pack {str(path)!r}: its name has a backslash or a colon",
                hint="rename the file, or its folder",
            )
        other = seen.setdefault(folded(name), name)
        if other != name:
            raise DshubError(
                f"cannot pack {other} and {name}: they differ only in case or Unicode form",
                hint="rename one of them, or its folder",
            )


def feature_of(entries: Sequence[Entry], kind: str, progress: Progress) -> tuple[Feature, str]:
    """Return the feature of the column of files, and a note for the user, or empty.

    Raises:
        ReadError: files cannot be decoded; the message lists them.
    """
    media = read_media(entries, kind, f"reading {TITLES[kind]}", progress)
    rows = "replace these files, or remove them and their rows"
    refuse_bad(media.bad, len(entries), hint=rows if media.hint == HINT else media.hint)
    return _common(media)


def _read(
    entries: Sequence[Entry], kind: str, progress: Progress, *, skip_bad: bool
) -> "_Contents":
    """Read image or audio files."""
    media = read_media(entries, kind, f"reading {TITLES[kind]}", progress)
    if not skip_bad or not media.features:
        refuse_bad(media.bad, len(entries), hint=media.hint)
    feature, doubt = _common(media)
    bad = [f"{name} ({reason})" for name, reason in media.bad.items()]
    doubts = [f"skipped {len(bad):,} files that cannot be decoded: {some(bad)}"] if bad else []
    members = {entry.file.member for entry in entries if entry.file.name in media.bad} - {""}
    return _Contents(feature, [*doubts, *([doubt] if doubt else [])], media.bad, members)


def _common(media: Media) -> tuple[Feature, str]:
    """Return the feature that fits all files, and a note for the user, or empty."""
    images = [feature for feature in media.features if isinstance(feature, ImageFeature)]
    if images:
        dtype, doubt = _dtype_of(media.features)
        return msgspec.structs.replace(_any_image(images), dtype=dtype), doubt
    return common_audio([item for item in media.features if isinstance(item, AudioFeature)])


def _dtype_of(features: Mapping[Any, str]) -> tuple[str, str]:
    """Return a dtype for images, and a note if their values have to be reduced to 8 bits.

    Args:
        features: the first file with each feature.
    """
    files: dict[str, str] = {}
    for feature, name in features.items():
        files.setdefault(feature.dtype, name)
    if len(files) == 1 or "uint8" not in files:
        return common(files), ""
    deep = next(dtype for dtype in files if dtype != "uint8")
    return "uint8", (
        f"images such as {files[deep]} have {deep} pixels, which become uint8 like the others; to "
        f'keep values, set dtype = "{common(files)}" in features.image'
    )


def _any_image(images: Sequence[ImageFeature]) -> ImageFeature:
    """Return a feature that fits all images.

    Images of different sizes have no shape, and different encodings become `any`.
    """
    sizes = {image.shape[:2] for image in images}
    channels = max(image.shape[2] for image in images)
    encodings = {image.encoding for image in images}
    return ImageFeature(
        shape=() if len(sizes) > 1 else (*sizes.pop(), channels),
        encoding="any" if len(encodings) > 1 else encodings.pop(),
    )
