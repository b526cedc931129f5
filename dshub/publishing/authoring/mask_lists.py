"""Outline splits of images and masks that lists of names state, as in Pascal VOC.

A row is a line of `ImageSets/Segmentation/train.txt`, and steps attach the image and the mask.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dshub.datasets.stated_splits import find_lists
from dshub.datasets.trees import ordered_splits, split_word
from dshub.publishing.authoring.class_folders import references
from dshub.publishing.authoring.outline import SplitOutline
from dshub.publishing.authoring.survey import Entry, Survey

PART = "name"  # part of the lists, and the column of their lines


def listed_splits(
    survey: Survey, pairs: Sequence[tuple[Entry, Entry]], members: Mapping[Path, Sequence[str]]
) -> dict[str, SplitOutline]:
    """Outline the splits of lists; empty if folders state splits, or if lines do not name pairs.

    Args:
        survey: all files of the dataset.
        pairs: images and their masks.
        members: names of the files in each archive.
    """
    if any(split_word(folder) for image, _ in pairs for folder in image.folders):
        return {}
    entries = {entry.name: entry for entry in survey.entries if entry.suffix == ".txt"}
    found = find_lists(list(entries))
    lists = {name: entries[found[name]] for name in ordered_splits(found)}
    names = {split: _lines(entry) for split, entry in lists.items()}
    every = sorted({name for lines in names.values() for name in lines})
    paths = _paths({_member(image): _member(mask) for image, mask in pairs}, every)
    if paths is None or not all(names.values()):
        return {}
    images, masks = zip(*pairs, strict=True)
    files = references([*images, *masks], "", members)
    splits: dict[str, SplitOutline] = {}
    for split, entry in lists.items():
        reader = {"format": "lines", "blank": "drop"}
        outline = splits[split] = SplitOutline(reader, rows=len(names[split]))
        outline.add(PART, [entry])
        for column, path in zip(("image", "mask"), paths, strict=True):
            outline.references[column] = list(files)
            step = {"step": "attach", "part": column, "column": column, "path": path}
            outline.steps.append(step)
    return splits


def _member(entry: Entry) -> str:
    """Return the name of a file in its archive, or in the archive that it will be packed into."""
    return entry.file.member or entry.name


def _lines(entry: Entry) -> list[str]:
    """Return the names in a list; a file that is not text has none."""
    try:
        text = entry.content().decode()
    except UnicodeDecodeError:
        return []
    return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]


def _paths(pairs: Mapping[str, str], names: Sequence[str]) -> tuple[str, str] | None:
    """Return the paths of images and masks with the name in braces; None if they differ."""
    for image, mask in pairs.items() if names else ():
        name = names[0]
        stem, dot, ending = image.rpartition(".")
        before, found, after = mask.rpartition(name)
        if not found or not f"/{stem}".endswith(f"/{name}"):
            continue
        top, end = stem[: len(stem) - len(name)], dot + ending
        if all(pairs.get(f"{top}{each}{end}") == f"{before}{each}{after}" for each in names):
            texts = (top, end, before, after)
            top, end, before, after = (_escaped(text) for text in texts)
            return f"{top}{{{PART}}}{end}", f"{before}{{{PART}}}{after}"
    return None


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
