"""Class folders: files whose folders say their split and their class.

`train/cat/1.jpg`, or `cat/1.jpg` without splits; folders around them all, and folders between
class and file, may be there too. Order of classes: `publishing.authoring.survey.class_order`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, TextFeature
from dshub.errors import DshubError
from dshub.progress import Progress, Task
from dshub.publishing.authoring.outline import PACKED, Outline, Part, Reference, SplitOutline, cover
from dshub.publishing.authoring.scanning import Picture, Recording, picture, recording
from dshub.publishing.authoring.survey import (
    Entry,
    Survey,
    class_order,
    ordered_splits,
    some,
    split_word,
)

WORDS = {"image": "pictures", "audio": "recordings", "text": "texts"}
Kind = str


@dataclass(frozen=True)
class _Place:
    """Where a file lies: its split, what stands before its class, and its class or None."""

    split: str
    begin: tuple[str, ...]
    label: str | None


def outline(
    survey: Survey,
    entries: Sequence[Entry],
    kind: Kind,
    *,
    given: Mapping[str, str],
    progress: Progress,
) -> Outline:
    """The dataset that some files in folders make.

    Args:
        survey: everything that lies there.
        entries: the files that are rows.
        kind: `image`, `audio` or `text`: also the name of their column.
        given: the split of each entry, by its name, where a person said so.
        progress: is told how many files were looked at.

    Raises:
        DshubError: they lie in no order that could be told.
        ReadError: a file is not what its name says.
    """
    places = _places(entries, given)
    feature, example = _feature(entries, kind, progress)
    found = Outline(kind=WORDS[kind], splits={})
    places = _without_lone_classes(places)
    classes = class_order(place.label for place in places.values() if place.label is not None)
    found.features = {kind: feature}
    found.examples = {kind: example}
    if len(classes) > 1:
        found.kind = f"class folders of {WORDS[kind]}"
        found.features["label"] = LabelFeature(names=tuple(classes))
        found.examples["label"] = next(p.label for p in places.values() if p.label) or ""
    elif classes:
        found.doubts.append(f"one folder alone makes no classes: {classes[0]}")
    loose = [entry for entry in entries if not entry.file.member]
    found.members = [(entry.name, entry.path) for entry in loose]
    _check_members(found.members)
    for name in ordered_splits(place.split for place in places.values()):
        own = [entry for entry in entries if places[entry.name].split == name]
        found.splits[name] = _split(own, places, survey, found)
    found.doubts += _doubts(found)
    return found


def _places(entries: Sequence[Entry], given: Mapping[str, str]) -> dict[str, _Place]:
    splits = {entry.name: given.get(entry.name) or _split_of(entry)[0] for entry in entries}
    some_split = any(splits.values())
    if some_split and not all(splits.values()):
        outside = [name for name, split in splits.items() if not split]
        raise DshubError(
            f"{some(outside)} belong to no split, while others do",
            hint="name the folders of the splits alone: dshub new DATA/train DATA/test; or "
            "--split NAME=PATH",
        )
    rests: dict[str, dict[str, tuple[tuple[str, ...], int]]] = {}
    for entry in entries:
        _, depth = _split_of(entry)
        rests.setdefault(splits[entry.name] or "train", {})[entry.name] = (entry.folders, depth)
    places: dict[str, _Place] = {}
    for split, own in rests.items():
        places |= _places_in_split(split, own)
    return places


def _split_of(entry: Entry) -> tuple[str | None, int]:
    """The split that a folder above a file names, and how many folders that takes."""
    for depth, folder in enumerate(entry.folders, 1):
        found = split_word(folder)
        if found is not None:
            return found, depth
    return None, 0


def _places_in_split(
    split: str, files: Mapping[str, tuple[tuple[str, ...], int]]
) -> dict[str, _Place]:
    begins = {folders[:depth] for folders, depth in files.values()}
    if len(begins) > 1:
        told = " and ".join(sorted("/".join(begin) for begin in begins))
        raise DshubError(
            f"split {split} lies in {len(begins)} folders: {told}",
            hint="make a dataset of each, or --split NAME=PATH",
        )
    begin = begins.pop()
    inner = [folders[len(begin) :] for folders, _ in files.values()]
    if not any(inner):
        return {name: _Place(split, begin, None) for name in files}
    shared = _shared(inner)
    flat = [name for name, (folders, depth) in files.items() if len(folders) - depth <= shared]
    if flat:
        raise DshubError(
            f"{some(flat)} lie in no class folder, while others do",
            hint="take them out, or put them into the folder of their class",
        )
    return {
        name: _Place(split, folders[: depth + shared], folders[depth + shared])
        for name, (folders, depth) in files.items()
    }


def _without_lone_classes(places: dict[str, _Place]) -> dict[str, _Place]:
    """The only folder of a split is no class where others have several, not it: `test/images`."""
    labels: dict[str, set[str]] = {}
    for place in places.values():
        if place.label is not None:
            labels.setdefault(place.split, set()).add(place.label)
    lone = {
        split
        for split, own in labels.items()
        for others in [[other for name, other in labels.items() if name != split]]
        if len(own) == 1 and any(len(o) > 1 for o in others) and not any(own & o for o in others)
    }
    return {
        name: _Place(place.split, (*place.begin, place.label), None)
        if place.split in lone and place.label is not None
        else place
        for name, place in places.items()
    }


def _shared(inner: Sequence[tuple[str, ...]]) -> int:
    """How many folders all have in common, leaving each one for its class."""
    most = max(min(map(len, inner)) - 1, 0)
    for depth in range(most):
        if len({folders[depth] for folders in inner}) > 1:
            return depth
    return most


def _split(
    entries: Sequence[Entry], places: Mapping[str, _Place], survey: Survey, found: Outline
) -> SplitOutline:
    place = places[entries[0].name]
    kind = next(iter(found.features))
    label = found.features.get("label")
    begin = "".join(f"{folder}/" for folder in _in_archive(entries[0], place))
    written = begin.replace("{", "{{").replace("}", "}}")
    labelled = isinstance(label, LabelFeature) and place.label is not None
    path = f"{written}{{label}}/{{name:path}}" if labelled else f"{written}{{name:path}}"
    reader: dict[str, Any] = {"format": "folder", "path": path}
    if kind == "text":
        reader["text"] = True
    references = _references(entries, begin, survey, found)
    split = SplitOutline(reader, {kind: Part(list(entries), references)}, rows=len(entries))
    if isinstance(label, LabelFeature) and labelled:
        counts = Counter(places[entry.name].label for entry in entries)
        split.figures["label-counts"] = tuple(counts[name] for name in label.names)
    elif label is not None:
        split.without.append("label")
    return split


def _in_archive(entry: Entry, place: _Place) -> tuple[str, ...]:
    """The folders before the class as the archive has them.

    An archive that lies in folders, or is named beside others, has none of those inside.
    """
    inside = (entry.file.member or entry.name).count("/")
    outer = len(entry.folders) - inside
    if outer > len(place.begin) and place.label is not None:
        raise DshubError(
            f"{entry.path} seems to hold one class alone, {place.label!r}",
            hint="put all classes of a split into one folder or archive",
        )
    return place.begin[outer:]


def _references(
    entries: Sequence[Entry], begin: str, survey: Survey, found: Outline
) -> list[Reference]:
    by_path: dict[Path, list[str]] = {}
    for entry in entries:
        path = entry.path if entry.file.member else PACKED
        by_path.setdefault(path, []).append(entry.file.member or entry.name)
    everything = {PACKED: [name for name, _ in found.members], **survey.members}
    return [
        (path, pattern)
        for path, members in by_path.items()
        for pattern in cover(members, everything[path], begin)
    ]


def _check_members(members: Iterable[tuple[str, Path]]) -> None:
    """Names that are one file where letters have no case, or that no archive may hold."""
    seen: dict[str, str] = {}
    for name, path in members:
        if "\\" in name or ":" in name or name != name.encode("utf-8", "replace").decode():
            raise DshubError(
                f"{str(path)!r} cannot be packed: its name holds what not every system can name",
                hint="rename it, without a backslash or a colon, in UTF-8",
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise DshubError(
                f"{other!r} and {name!r} are one file on systems where letters have no case",
                hint="rename one of them",
            )


def _feature(entries: Sequence[Entry], kind: Kind, progress: Progress) -> tuple[Feature, str]:
    """The feature of the files, and the first of them in words."""
    if kind == "text":
        return TextFeature(), entries[0].base
    with Task(progress, f"looking at {WORDS[kind]}", len(entries), unit="files") as task:
        if kind == "audio":
            return _audio(entries, task)
        return _image(entries, task)


def _image(entries: Sequence[Entry], task: Task) -> tuple[Feature, str]:
    found: dict[Picture, str] = {}
    for entry in entries:
        found.setdefault(picture(entry), entry.name)
        task.advance(1)
    encodings = {item.encoding for item in found}
    shapes = {item.shape for item in found}
    height, width, channels = next(iter(shapes))
    same = {shape[:2] for shape in shapes} == {(height, width)}
    if len(shapes) > 1:
        channels = 3
    feature = ImageFeature(
        shape=(height, width, channels) if same else (),
        encoding=_encoding(encodings),
    )
    return (
        feature,
        f"{entries[0].base}, {next(iter(found)).shape[1]} x {next(iter(found)).shape[0]}",
    )


def _encoding(found: set[str]) -> Any:  # one of ImageFeature's
    return found.pop() if len(found) == 1 else "any"


def _audio(entries: Sequence[Entry], task: Task) -> tuple[Feature, str]:
    found: dict[Recording, str] = {}
    for entry in entries:
        found.setdefault(recording(entry), entry.name)
        task.advance(1)
    if len(found) > 1:
        told = "; ".join(
            f"{name}: {item.encoding}, {item.rate:,} Hz, channels: {item.channels}"
            for item, name in list(found.items())[:3]
        )
        raise DshubError(
            f"the recordings differ: {told}",
            hint="make them the same, or a dataset of each kind",
        )
    one = next(iter(found))
    encoding: Any = one.encoding
    feature = AudioFeature(rate=one.rate, channels=one.channels, encoding=encoding)
    return feature, entries[0].base


def _doubts(found: Outline) -> list[str]:
    label = found.features.get("label")
    if not isinstance(label, LabelFeature):
        return []
    doubts = []
    for name, split in found.splits.items():
        counts = split.figures.get("label-counts", ())
        absent = [cls for cls, count in zip(label.names, counts, strict=False) if not count]
        if absent:
            doubts.append(f"split {name} has no row of {len(absent)} classes: {some(absent)}")
        if "label" in split.without:
            doubts.append(f"split {name} has no class folders, and is without label")
    folded = Counter(name.casefold() for name in label.names)
    alike = [name for name in label.names if folded[name.casefold()] > 1]
    if alike:
        doubts.append(f"classes that differ in case alone: {some(alike)}")
    return doubts
