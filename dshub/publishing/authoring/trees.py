"""Outline class folders: files whose folders name their split and their class.

`train/cat/1.jpg`, or `cat/1.jpg` without splits. Other folders can be around all of them, and
between class and file.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, TextFeature
from dshub.errors import DshubError
from dshub.progress import Progress, Task
from dshub.publishing.authoring.outline import PACKED, Outline, Reference, SplitOutline, cover
from dshub.publishing.authoring.scanning import audio_feature, image_feature
from dshub.publishing.authoring.survey import (
    Entry,
    Survey,
    class_order,
    ordered_splits,
    some,
    split_word,
)

TITLES = {"image": "images", "audio": "audio files", "text": "texts"}


@dataclass(frozen=True)
class _Place:
    """The split, the folders before the class, and the class, or None, of a file."""

    split: str
    prefix: tuple[str, ...]
    label: str | None


def outline(
    survey: Survey,
    entries: Sequence[Entry],
    kind: str,
    *,
    given: Mapping[str, str],
    progress: Progress,
) -> Outline:
    """Outline a dataset with one row per file.

    Args:
        survey: all files.
        entries: the files that are rows.
        kind: `image`, `audio` or `text`, which is also the column.
        given: splits that the caller stated, by the name of an entry.
        progress: shows the files read so far.

    Raises:
        DshubError: the folders are in no order that dshub knows.
        ReadError: a file cannot be decoded.
    """
    places = _places(entries, given)
    feature, example = _feature(entries, kind, progress)
    result = Outline(TITLES[kind], features={kind: feature}, examples={kind: example})
    classes = class_order(place.label for place in places.values() if place.label is not None)
    if len(classes) > 1:
        result.kind = f"class folders of {TITLES[kind]}"
        result.features["label"] = LabelFeature(names=tuple(classes))
        result.examples["label"] = next(p.label for p in places.values() if p.label) or ""
    elif classes:
        result.doubts.append(
            f"there is only one class folder, so there are no classes: {classes[0]}"
        )
    result.members = [(entry.name, entry.path) for entry in entries if not entry.file.member]
    _check_names(result.members)
    members = {PACKED: [name for name, _ in result.members], **survey.members}
    for name in ordered_splits(place.split for place in places.values()):
        own = [entry for entry in entries if places[entry.name].split == name]
        result.splits[name] = _split(own, places, result.features, members)
    result.doubts += _doubts(result)
    return result


def _places(entries: Sequence[Entry], given: Mapping[str, str]) -> dict[str, _Place]:
    """The place of each entry by name."""
    splits: dict[str, list[tuple[Entry, int]]] = defaultdict(list)
    for entry in entries:
        words = [split_word(folder) for folder in entry.folders]
        depth = next((i for i, word in enumerate(words, 1) if word), 0)
        split = given.get(entry.name) or next(filter(None, words), "")
        splits[split].append((entry, depth))
    if len(splits) > 1 and "" in splits:
        raise DshubError(
            f"some files belong to no split: {some([entry.name for entry, _ in splits['']])}",
            hint="give only the folders of splits: dshub new DATA/train DATA/test; or add "
            "--split NAME=PATH",
        )
    places: dict[str, _Place] = {}
    for split, located in splits.items():
        places |= _places_in_split(split or "train", located)
    _drop_lone_classes(places)
    return places


def _places_in_split(split: str, located: Sequence[tuple[Entry, int]]) -> dict[str, _Place]:
    """The place of each entry of a split.

    Args:
        split: its name.
        located: entries, and the number of their folders down to that of the split.
    """
    tops = {entry.folders[:depth] for entry, depth in located}
    if len(tops) > 1:
        folders = " and ".join(sorted("/".join(top) for top in tops))
        raise DshubError(
            f"split {split} is in {len(tops)} folders: {folders}",
            hint="make one dataset of each, or use --split NAME=PATH",
        )
    inner = {entry.name: entry.folders[depth:] for entry, depth in located}
    top = tops.pop()
    if not any(inner.values()):
        return dict.fromkeys(inner, _Place(split, top, None))
    shortest = min(map(len, inner.values()))
    common = os.path.commonprefix([*inner.values()])  # noqa: RUF071  # of tuples
    shared = min(len(common), max(shortest - 1, 0))
    if loose := [name for name, folders in inner.items() if len(folders) <= shared]:
        raise DshubError(
            f"some files are in no class folder: {some(loose)}",
            hint="remove them, or move them into the folder of their class",
        )
    return {
        name: _Place(split, top + folders[:shared], folders[shared])
        for name, folders in inner.items()
    }


def _drop_lone_classes(places: dict[str, _Place]) -> None:
    """Take the only folder of a split for no class if other splits have other classes.

    Such as `images` in `train/cat/1.jpg`, `train/dog/1.jpg` and `test/images/1.jpg`.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for place in places.values():
        if place.label is not None:
            labels[place.split].add(place.label)
    for split, own in labels.items():
        others = [labels[other] for other in labels if other != split]
        if len(own) > 1 or max(map(len, others), default=0) < 2 or any(own & o for o in others):
            continue
        for name, place in places.items():
            if place.split == split:
                places[name] = replace(place, prefix=(*place.prefix, *own), label=None)


def _split(
    entries: Sequence[Entry],
    places: Mapping[str, _Place],
    features: Mapping[str, Feature],
    members: Mapping[Path, Sequence[str]],
) -> SplitOutline:
    place, column, label = places[entries[0].name], next(iter(features)), features.get("label")
    prefix = "".join(f"{folder}/" for folder in _folders_in_archive(entries[0], place))
    path = prefix.replace("{", "{{").replace("}", "}}")
    split = SplitOutline({"format": "folder"}, rows=len(entries))
    split.references[column] = _references(entries, prefix, members)
    if isinstance(label, LabelFeature) and place.label is not None:
        path += "{label}/"
        counts = Counter(places[entry.name].label for entry in entries)
        split.figures["label-counts"] = tuple(counts[name] for name in label.names)
    elif label is not None:
        split.without.append("label")
    split.reader["path"] = path + "{name:path}"
    if column == "text":
        split.reader["text"] = True
    return split


def _folders_in_archive(entry: Entry, place: _Place) -> tuple[str, ...]:
    """The folders before the class that are in the archive rather than around it."""
    around = len(entry.folders) - (entry.file.member or entry.name).count("/")
    if around > len(place.prefix) and place.label is not None:
        raise DshubError(
            f"{entry.path} seems to have only one class, {place.label!r}",
            hint="put all classes of a split into one folder or archive",
        )
    return place.prefix[around:]


def _references(
    entries: Sequence[Entry], prefix: str, members: Mapping[Path, Sequence[str]]
) -> list[Reference]:
    names: dict[Path, list[str]] = defaultdict(list)
    for entry in entries:
        names[entry.path if entry.file.member else PACKED].append(entry.file.member or entry.name)
    return [
        (path, pattern)
        for path, own in names.items()
        for pattern in cover(own, members[path], prefix)
    ]


def _check_names(members: Iterable[tuple[str, Path]]) -> None:
    """Refuse names that some systems cannot have, or that differ only in case."""
    seen: dict[str, str] = {}
    for name, path in members:
        if "\\" in name or ":" in name or name != name.encode("utf-8", "replace").decode():
            raise DshubError(
                f"{str(path)!r} cannot be packed: not every system allows its name",
                hint="rename it, without a backslash or a colon, in UTF-8",
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise DshubError(
                f"{other!r} and {name!r} are the same file on systems that ignore case",
                hint="rename one of them",
            )


def _feature(entries: Sequence[Entry], kind: str, progress: Progress) -> tuple[Feature, str]:
    """The feature of the files, and the first file in words."""
    first = entries[0].base
    if kind == "text":
        return TextFeature(), first
    read: Callable[[Entry], ImageFeature | AudioFeature]
    read = image_feature if kind == "image" else audio_feature
    features: dict[ImageFeature | AudioFeature, str] = {}
    with Task(progress, f"reading {TITLES[kind]}", len(entries), unit="files") as task:
        for entry in entries:
            features.setdefault(read(entry), entry.name)
            task.advance(1)
    images = [feature for feature in features if isinstance(feature, ImageFeature)]
    if not images:
        return _one_audio(features), first
    height, width, _ = images[0].shape
    return _any_image(images), f"{first}, {width} x {height}"


def _any_image(images: Sequence[ImageFeature]) -> ImageFeature:
    """A feature for all of these images: of any size, in color, in any encoding if they differ."""
    sizes = {image.shape[:2] for image in images}
    channels = max(image.shape[2] for image in images)
    encodings = {image.encoding for image in images}
    return ImageFeature(
        shape=() if len(sizes) > 1 else (*sizes.pop(), channels),
        encoding="any" if len(encodings) > 1 else encodings.pop(),
    )


def _one_audio(files: Mapping[Any, str]) -> AudioFeature:
    """The feature of audio files, which must be the same for all."""
    if len(files) > 1:
        examples = "; ".join(
            f"{name}: {item.encoding}, {item.rate:,} Hz, {item.channels} channels"
            for item, name in list(files.items())[:3]
        )
        raise DshubError(
            f"the audio files differ: {examples}",
            hint="convert them to one format, or make one dataset of each",
        )
    feature: AudioFeature = next(iter(files))
    return feature


def _doubts(result: Outline) -> list[str]:
    label = result.features.get("label")
    if not isinstance(label, LabelFeature):
        return []
    doubts = []
    for name, split in result.splits.items():
        counts = split.figures.get("label-counts", ())
        absent = [cls for cls, count in zip(label.names, counts, strict=False) if not count]
        if absent:
            doubts.append(f"split {name} has no rows of {len(absent)} classes: {some(absent)}")
        if "label" in split.without:
            doubts.append(f"split {name} has no class folders, so it has no labels")
    folded = Counter(map(str.casefold, label.names))
    alike = [name for name in label.names if folded[name.casefold()] > 1]
    if alike:
        doubts.append(f"classes that differ only in case: {some(alike)}")
    return doubts
