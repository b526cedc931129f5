"""Outline datasets of images and their masks, such as `images/1.jpg` and `masks/1.png`.

The rows are the images. A step of each split attaches the mask, whose name contains that of the
image.
"""

import fnmatch
import glob
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from dshub.catalog.features import Feature, MaskFeature
from dshub.datasets.beside import pair_masks
from dshub.datasets.depths import common
from dshub.datasets.trees import ordered_splits, split_word
from dshub.errors import DshubError
from dshub.progress import Progress, Task
from dshub.publishing.authoring import class_folders
from dshub.publishing.authoring.mask_lists import listed_splits
from dshub.publishing.authoring.outline import PACKED, Outline, Reference, SplitOutline
from dshub.publishing.authoring.scanning import mask_feature
from dshub.publishing.authoring.survey import Entry, Survey, some

Pair = tuple[Entry, Entry]


class Names(NamedTuple):
    """Names of the images and masks of a split, as text around a part that they share."""

    before_image: str
    before_mask: str
    after_mask: str


def find_pairs(entries: Sequence[Entry]) -> list[Pair] | None:
    """Return the images and their masks, or None if the files are not such pairs.

    Raises:
        SchemaError: most images have a mask, but some have not.
    """
    pairs = pair_masks([entry.name for entry in entries])
    if pairs is None:
        return None
    by_name = {entry.name: entry for entry in entries}
    return [(by_name[image], by_name[mask]) for image, mask in zip(*pairs, strict=True)]


def outline(
    survey: Survey, pairs: Sequence[Pair], *, stated: Mapping[str, str], progress: Progress
) -> Outline:
    """Outline a dataset with one row per image.

    Args:
        survey: all files of the dataset.
        pairs: images and their masks.
        stated: splits from the command line, by entry name.
        progress: progress display.

    Raises:
        DshubError: the folders do not separate splits, or the names of masks differ in several
            ways from those of images.
        ReadError: a file cannot be decoded.
    """
    images, masks = zip(*pairs, strict=True)
    result = Outline("images and masks")
    image, doubt = class_folders.feature_of(images, "image", progress)
    mask, doubt_of_masks = _feature(masks, progress)
    result.features = {"image": image, "mask": mask}
    result.doubts += filter(None, [doubt, doubt_of_masks])
    entries = [*images, *masks]
    result.members = [(entry.name, entry.path) for entry in entries if not entry.file.member]
    class_folders.check_names(result.members)
    members = {PACKED: [name for name, _ in result.members], **survey.members}
    result.splits = {} if stated else listed_splits(survey, pairs, members)
    if result.splits:
        counts = sum(split.rows for split in result.splits.values())
        if counts < len(pairs):
            missing = len(pairs) - counts
            result.doubts.append(f"no list names {missing:,} of {len(pairs):,} images; skipped")
        return result
    for name, part in _splits(pairs, stated).items():
        result.splits[name] = _outline_split(part, members)
    return result


def _splits(pairs: Sequence[Pair], stated: Mapping[str, str]) -> dict[str, list[Pair]]:
    """Group pairs by split."""
    splits: dict[str, list[Pair]] = defaultdict(list)
    for image, mask in pairs:
        words = filter(None, map(split_word, image.folders))
        splits[stated.get(image.name) or next(words, "")].append((image, mask))
    if len(splits) > 1 and "" in splits:
        raise DshubError(
            f"some files have no split: {some([image.name for image, _ in splits['']])}",
            hint="pass only the folders of splits, or add --split NAME=PATH",
        )
    return {name or "train": splits[name] for name in ordered_splits(splits)}


def _outline_split(pairs: Sequence[Pair], members: Mapping[Path, Sequence[str]]) -> SplitOutline:
    names = _names([(_member(image), _member(mask)) for image, mask in pairs])
    split = SplitOutline({"format": "folder"}, rows=len(pairs))
    split.reader["path"] = f"{_escaped(names.before_image)}{{name:path}}"
    images, masks = zip(*pairs, strict=True)
    split.references["image"], are_alone = _references(images, masks, names.before_image, members)
    split.references["mask"], _ = _references(masks, images, names.before_mask, members)
    if not are_alone:
        skip = f"*{glob.escape(names.after_mask)}"
        if any(fnmatch.fnmatchcase(_member(image), skip) for image in images):
            raise _unrelated(_member(masks[0]))
        split.reader["skip"] = [skip]
    path = f"{_escaped(names.before_mask)}{{stem}}{_escaped(names.after_mask)}"
    split.steps.append({"step": "attach", "part": "mask", "column": "mask", "path": path})
    return split


def _references(
    entries: Sequence[Entry],
    others: Sequence[Entry],
    prefix: str,
    members: Mapping[Path, Sequence[str]],
) -> tuple[list[Reference], bool]:
    """Return references to images or masks, and False if these match the others, too.

    No simple pattern separates `1.png` from `1_mask.png`.
    """
    try:
        return class_folders.references(entries, prefix, members), True
    except DshubError:
        return class_folders.references([*entries, *others], prefix, members), False


def _member(entry: Entry) -> str:
    """Return the name of a file in its archive, or in the archive that it will be packed into."""
    return entry.file.member or entry.name


def _names(pairs: Sequence[tuple[str, str]]) -> Names:
    """Find the text around the shared part of all names; raise DshubError if it differs."""
    for names in _candidates(*pairs[0]):
        if all(_mask_of(image, names) == mask for image, mask in pairs):
            return names
    raise _unrelated(pairs[0][1])


def _unrelated(mask: str) -> DshubError:
    return DshubError(
        f"the names of masks, such as {mask}, differ from those of images in several ways",
        hint="put images into one folder, and masks of the same names and of one format into "
        "another; or load the pairs with `Dataset.from_folder`",
    )


def _candidates(image: str, mask: str) -> Iterator[Names]:
    """Yield the ways to split the names of a pair, with the longest shared part first."""
    shared = image.rpartition(".")[0]
    before = ""
    while shared:
        place = mask.rfind(shared)
        if place >= 0:
            yield Names(before, mask[:place], mask[place + len(shared) :])
        folder, slash, shared = shared.partition("/")
        before += folder + slash


def _mask_of(image: str, names: Names) -> str | None:
    """Return the name of the mask of an image."""
    if not image.startswith(names.before_image):
        return None
    shared = image[len(names.before_image) :].rpartition(".")[0]
    return f"{names.before_mask}{shared}{names.after_mask}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _feature(masks: Sequence[Entry], progress: Progress) -> tuple[Feature, str]:
    """Return the feature of masks, and a note for the user, or an empty string."""
    features: list[MaskFeature] = []
    with Task(progress, "reading masks", len(masks), unit="files") as task:
        for entry in masks:
            feature = mask_feature(entry)
            if feature is None:
                image, _ = class_folders.feature_of(masks, "image", progress)
                return image, f"masks are images of colors, not of classes, such as {entry.name}"
            features.append(feature)
            task.advance(1)
    shapes = {feature.shape for feature in features}
    encodings = {feature.encoding for feature in features}
    merged = {
        "kind": "mask",
        "shape": shapes.pop() if len(shapes) == 1 else (),
        "dtype": common({feature.dtype for feature in features}),
        "encoding": encodings.pop() if len(encodings) == 1 else "any",
    }
    return msgspec.convert(merged, MaskFeature), ""
