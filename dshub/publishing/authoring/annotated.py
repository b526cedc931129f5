"""Outline datasets of images with annotations in the formats COCO, Pascal VOC and YOLO."""

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dshub.datasets.annotation_layouts import CLASS_FILES, Files, Layout, recognize
from dshub.datasets.annotations import Annotations, read_annotations
from dshub.datasets.media import IMAGES
from dshub.datasets.trees import ordered_splits
from dshub.progress import Progress
from dshub.publishing.authoring import class_folders
from dshub.publishing.authoring.outline import PACKED, Outline, Reference, SplitOutline
from dshub.publishing.authoring.survey import Entry, Survey, some

_TITLES = {"coco": "COCO", "voc": "Pascal VOC", "yolo": "YOLO"}
_OTHERS = (".yaml", ".yml", ".names", ".data", ".labels")  # read for the class names


def outline(survey: Survey, progress: Progress) -> Outline | None:
    """Outline images with annotations, or return None if they have none.

    Args:
        survey: all files of the dataset.
        progress: progress display.

    Raises:
        ReadError: a file is damaged, or an image is missing.
        SchemaError: the class of an object is unknown.
        DshubError: several files can be the annotations of the same images, or an archive has
            unrelated images among those of a split.
    """
    entries = {entry.name: entry for entry in survey.entries}
    images = [name for name, entry in entries.items() if entry.suffix in IMAGES]
    layout = recognize({name: entry.file for name, entry in entries.items()}, images)
    if layout is None:
        return None
    annotations = read_annotations(layout)
    used = [entries[name] for name in _used(layout, annotations)]
    of_rows = [entries[name] for split in annotations.splits.values() for name in split.images]
    feature, doubt = class_folders.feature_of(of_rows, "image", progress)
    result = Outline(f"images with {_TITLES[layout.form]} annotations")
    result.features = {"image": feature, **annotations.features}
    result.doubts = [*([doubt] if doubt else []), *annotations.notes, *annotations.facts]
    result.members = [(entry.name, entry.path) for entry in used if not entry.file.member]
    class_folders.check_names(result.members)
    names = {split or "train": split for split in layout.splits}
    for name in ordered_splits(names):
        files, rows = layout.splits[names[name]], annotations.splits[names[name]]
        split = SplitOutline(annotations.options, rows=len(rows.images))
        split.references = _references(files, entries, result.members, survey)
        result.splits[name] = split
    read = {entry.name for entry in used}
    rest = [entry for entry in survey.entries if entry.name not in read]
    skipped = [
        e.name for e in rest if e.suffix not in _OTHERS and e.base.lower() not in CLASS_FILES
    ]
    if skipped:
        result.doubts.append(f"skipped files without a row: {some(skipped)}")
    return result


def _used(layout: Layout, annotations: Annotations) -> list[str]:
    """Return the names of the files that rows come from, without duplicates."""
    names = [name for split in annotations.splits.values() for name in split.images]
    for files in layout.splits.values():
        names += [
            file.member
            for part, some_files in files.items()
            if part != "image"
            for file in some_files
        ]
        if layout.form != "coco":  # rows are the images of the part
            names += [file.member for file in files["image"]]
    return list(dict.fromkeys(names))


def _references(
    files: Files,
    entries: Mapping[str, Entry],
    packed: Sequence[tuple[str, Path]],
    survey: Survey,
) -> dict[str, list[Reference]]:
    """Return references to the files of each part that has any.

    A pattern for annotations can match other files, because readers ignore those without an image.
    """
    members: dict[Path, Sequence[str]] = {PACKED: [name for name, _ in packed], **survey.members}
    media = {
        _member(entries[file.member])
        for part in ("image", "annotations")
        for file in files.get(part, ())
    }
    known = {path: [name for name in names if name in media] for path, names in members.items()}
    references = {}
    for part, listed in files.items():
        names = [file.member for file in listed if _is_packed(file.member, entries, packed)]
        of_part = [entries[name] for name in names]
        if part == "list" or all(name.lower().endswith(".json") for name in names):
            references[part] = [_reference(entry) for entry in of_part]
            continue
        prefix = _folder([_member(entry) for entry in of_part])
        places = members if part == "image" else known
        references[part] = class_folders.references(of_part, prefix, places)
    return {part: found for part, found in references.items() if found}


def _member(entry: Entry) -> str:
    """Return the name of a file in its archive, or in the archive that it will be packed into."""
    return entry.file.member or entry.name


def _is_packed(name: str, entries: Mapping[str, Entry], packed: Sequence[tuple[str, Path]]) -> bool:
    """Return True for files in archives, and for those that will be packed into one."""
    return bool(entries[name].file.member) or name in dict(packed)


def _reference(entry: Entry) -> Reference:
    return (entry.path if entry.file.member else PACKED, glob.escape(_member(entry)))


def _folder(names: Sequence[str]) -> str:
    """Return the folder that all files share, with a trailing `/`, or an empty string."""
    folders = [name.rpartition("/")[0].split("/") for name in names]
    common = os.path.commonprefix(folders)  # noqa: RUF071  # a prefix of lists, not of paths
    return "".join(f"{folder}/" for folder in common if folder)
