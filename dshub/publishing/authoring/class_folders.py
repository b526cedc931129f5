"""Outline datasets in class folders, where folder names give the split and class of a file.

Examples are `train/cat/1.jpg`, and `cat/1.jpg` without splits. There can be additional folders
above the splits or below the classes.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, TextFeature
from dshub.datasets.labels import class_order
from dshub.datasets.tabular.guessing import common_audio
from dshub.errors import DshubError
from dshub.progress import Progress, Task
from dshub.publishing.authoring.outline import PACKED, Outline, Reference, SplitOutline, cover
from dshub.publishing.authoring.scanning import audio_feature, image_feature
from dshub.publishing.authoring.survey import (
    Entry,
    Survey,
    ordered_splits,
    some,
    split_word,
)

TITLES = {"image": "images", "audio": "audio files", "text": "texts"}


@dataclass
class _Files:
    """Files of a split.

    Attributes:
        split: name of the split.
        entries: files, in the order of rows.
        prefix: folders above the class folders.
        labels: class of each entry; empty without class folders.
    """

    split: str
    entries: list[Entry]
    prefix: tuple[str, ...]
    labels: list[str]


def outline(
    survey: Survey,
    entries: Sequence[Entry],
    kind: str,
    *,
    stated: Mapping[str, str],
    progress: Progress,
) -> Outline:
    """Outline a dataset with one row per file.

    Args:
        survey: all files of the dataset.
        entries: files that become rows.
        kind: `image`, `audio` or `text`; also the name of the column.
        stated: splits from the command line, by entry name.
        progress: progress display.

    Raises:
        DshubError: the folders do not separate splits and classes, or audio files differ.
        ReadError: a file cannot be decoded.
    """
    splits = _splits(entries, stated)
    in_order = [entry for files in splits for entry in files.entries]
    feature, doubt = feature_of(in_order, kind, progress)
    result = Outline(TITLES[kind], features={kind: feature}, doubts=[doubt] if doubt else [])
    labels = [label for files in splits for label in files.labels]
    classes = class_order(labels)
    if len(classes) > 1:
        result.kind = f"class folders of {TITLES[kind]}"
        result.features["label"] = LabelFeature(names=tuple(classes))
    elif classes:
        result.doubts.append(f"no labels, because there is only one class folder: {classes[0]}")
    result.members = [(entry.name, entry.path) for entry in entries if not entry.file.member]
    check_names(result.members)
    members = {PACKED: [name for name, _ in result.members], **survey.members}
    for files in splits:
        split = _outline_split(files, kind, classes, members)
        result.splits[files.split] = split
        if split.without:
            result.doubts.append(f"split {files.split} has no class folders, so it has no labels")
        elif len(classes) > 1 and (absent := sorted({*classes} - {*files.labels})):
            rows = f"no rows of {len(absent)} classes"
            result.doubts.append(f"split {files.split} has {rows}: {some(absent)}")
    return result


def _splits(entries: Sequence[Entry], stated: Mapping[str, str]) -> list[_Files]:
    """Group files by split, and find the class of each file."""
    located: dict[str, list[tuple[Entry, int]]] = defaultdict(list)
    for entry in entries:
        words = [split_word(folder) for folder in entry.folders]
        depth = next((i for i, word in enumerate(words, 1) if word), 0)
        split = stated.get(entry.name) or next(filter(None, words), "")
        located[split].append((entry, depth))
    if len(located) > 1 and "" in located:
        raise DshubError(
            f"some files have no split: {some([entry.name for entry, _ in located['']])}",
            hint="pass only the folders of splits, as in `dshub new DATA/train DATA/test`, or add "
            "--split NAME=PATH",
        )
    splits = [_files(split or "train", located[split]) for split in ordered_splits(located)]
    _drop_lone_classes(splits)
    return splits


def _files(split: str, located: Sequence[tuple[Entry, int]]) -> _Files:
    """Find the class folders of a split.

    Args:
        split: name of the split.
        located: entries, each with the number of leading folders through the split folder.

    Raises:
        DshubError: the split is in several folders, or a file is outside the class folders.
    """
    tops = {entry.folders[:depth] for entry, depth in located}
    if len(tops) > 1:
        folders = " and ".join(sorted("/".join(top) for top in tops))
        raise DshubError(
            f"split {split} is in {len(tops)} folders: {folders}",
            hint="create one dataset per folder, or use --split NAME=PATH",
        )
    top, entries = tops.pop(), [entry for entry, _ in located]
    inner = [entry.folders[len(top) :] for entry in entries]
    if not any(inner):
        return _Files(split, entries, top, [])
    common = len(os.path.commonprefix(inner))  # noqa: RUF071  # a prefix of tuples, not of paths
    shared = min(common, max(min(map(len, inner)) - 1, 0))
    loose = [e.name for e, folders in zip(entries, inner, strict=True) if len(folders) <= shared]
    if loose:
        raise DshubError(
            f"some files are not in a class folder: {some(loose)}",
            hint="remove these files, or move each into the folder of its class",
        )
    labels = [folders[shared] for folders in inner]
    return _Files(split, entries, top + inner[0][:shared], labels)


def _drop_lone_classes(splits: Sequence[_Files]) -> None:
    """Remove the labels of a split with a single class that no other split has.

    An example is `images` in `train/cat/1.jpg`, `train/dog/1.jpg` and `test/images/1.jpg`.
    """
    classes = [set(files.labels) for files in splits]
    for files, labels in zip(splits, classes, strict=True):
        is_shared = any(labels & other for other in classes if other is not labels)
        if len(labels) == 1 and not is_shared and max(map(len, classes)) > 1:
            files.prefix, files.labels = (*files.prefix, *labels), []


def _outline_split(
    files: _Files, kind: str, classes: Sequence[str], members: Mapping[Path, Sequence[str]]
) -> SplitOutline:
    prefix = "".join(f"{folder}/" for folder in _folders_in_archive(files))
    path = prefix.replace("{", "{{").replace("}", "}}")
    split = SplitOutline({"format": "folder"}, rows=len(files.entries))
    split.references[kind] = references(files.entries, prefix, members)
    if len(classes) > 1 and files.labels:
        path += "{label}/"
        counts = Counter(files.labels)
        split.figures["label-counts"] = tuple(counts[name] for name in classes)
    elif len(classes) > 1:
        split.without.append("label")
    split.reader["path"] = path + "{name:path}"
    if kind == "text":
        split.reader["text"] = True
    return split


def _folders_in_archive(files: _Files) -> tuple[str, ...]:
    """Return the folders above the class folders that are inside the archive."""
    entry = files.entries[0]
    outer = len(entry.folders) - (entry.file.member or entry.name).count("/")
    if outer > len(files.prefix) and files.labels:
        raise DshubError(
            f"{entry.path} seems to have only one class, {files.labels[0]!r}",
            hint="put all classes of a split into one folder or archive",
        )
    return files.prefix[outer:]


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
    """Raise DshubError for a name with a backslash or a colon.

    A backslash separates folders on Windows, and a colon separates archive and member in a
    manifest.
    """
    for name, path in members:
        if "\\" in name or ":" in name:
            raise DshubError(
                f"cannot pack {str(path)!r}: its name has a backslash or a colon",
                hint="rename the file, or its folder",
            )


def feature_of(entries: Sequence[Entry], kind: str, progress: Progress) -> tuple[Feature, str]:
    """Return the feature of the column of files, and a note for the user, or empty."""
    if kind == "text":
        return TextFeature(), ""
    read: Callable[[Entry], ImageFeature | AudioFeature]
    read = image_feature if kind == "image" else audio_feature
    features: dict[ImageFeature | AudioFeature, str] = {}
    with Task(progress, f"reading {TITLES[kind]}", len(entries), unit="files") as task:
        for entry in entries:
            features.setdefault(read(entry), entry.name)
            task.advance(1)
    images = [feature for feature in features if isinstance(feature, ImageFeature)]
    if images:
        return _any_image(images), ""
    return common_audio([feature for feature in features if isinstance(feature, AudioFeature)])


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
