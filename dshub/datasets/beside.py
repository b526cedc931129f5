"""Find the data of image or audio files in tables, captions and masks beside them.

These layouts are common::

    1.jpg  2.jpg  metadata.csv           a table with a column of file names, such as `file_name`
    train/1.jpg  …  train.csv            or of names without extension, such as `id`
    1.jpg  1.txt  2.jpg  2.txt           captions, in UTF-8
    images/1.jpg  …  masks/1.png         pairs of an image and a mask
    1.jpg  1_mask.png  2.jpg  …
"""

import re
from collections.abc import Sequence
from pathlib import Path

from dshub.datasets.file_tables import Beside, Table, columns_of, rows_of_files
from dshub.errors import ReadError, SchemaError

_IMAGES = {"image", "images", "img", "imgs", "jpegimages", "rgb", "input", "inputs"}
_MASKS = {"mask", "masks", "segmentation", "segmentationclass", "seg", "gt", "groundtruth"}
_MASKS |= {"ground_truth", "annotations", "labels", "targets"}
_ENDINGS = ("mask", "masks", "seg", "segmentation", "gt")
_MASK_END = re.compile(rf"[-_ ]({'|'.join(_ENDINGS)})\Z", re.IGNORECASE)


def read_beside(root: Path, files: Sequence[str], read: Sequence[Table]) -> Beside | None:
    """Return the data of files, or None if there is none.

    Args:
        root: folder that all paths are relative to.
        files: paths of the files of the rows.
        read: tables of all splits.

    Raises:
        SchemaError: several tables describe the files.
        ReadError: a file has no row or caption but others have, or a row has no file.
    """
    chosen = set(files)
    found = [table for table in read if chosen & table.described]
    if not found:
        return _captions(root, files)
    for table in found[1:]:
        if table.columns != found[0].columns or found[0].described & table.described:
            got, hint = f"{found[0].path} and {table.path}", "move one of them to another folder"
            raise SchemaError(
                where=str(root), expected="one table of the files", got=got, hint=hint
            )
    # tables of other splits decide the classes, too
    family = [table for table in read if table.columns == found[0].columns]
    return columns_of(rows_of_files(files, found), found, family)


def _captions(root: Path, files: Sequence[str]) -> Beside | None:
    """Return the captions of files, which have the same name with the extension `.txt`."""
    if not files or not (root / _caption(files[0])).is_file():
        return None
    paths = [_caption(file) for file in files]
    for file, path in zip(files, paths, strict=True):
        if not (root / path).is_file():
            hint = "add the caption, or move the file to another folder"
            reason = "it has no caption, but other files have"
            raise ReadError(file=str(root / file), reason=reason, hint=hint)
    return Beside(files, paths={"text": paths}, target="text")


def _caption(file: str) -> str:
    return f"{file.rpartition('.')[0]}.txt"


def pair_masks(files: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return the paths of images and of their masks, or None if the files are not such pairs.

    Raises:
        SchemaError: most images have a mask, but some have not.
    """
    folders = {file.rpartition("/")[0] for file in files}
    words = {word.lower() for folder in folders for word in folder.split("/")}
    if not words & _MASKS and not any(map(_ends_like_mask, files)):
        return None
    images, masks = dict[str, str](), dict[str, str]()
    stems = {file.rpartition(".")[0] for file in files}
    for file in files:
        key, is_mask = _role(file, stems)
        (masks if is_mask else images)[key] = file
    common = [key for key in images if key in masks]
    if not masks or 2 * len(common) <= max(len(images), len(masks)):
        return None
    for present, absent, what in ((images, masks, "mask"), (masks, images, "image")):
        alone = next((path for key, path in present.items() if key not in absent), None)
        if alone is not None:
            hint = f"add the {what}, or move the file to another folder"
            expected = f"a {what} for each file"
            raise SchemaError(where=alone, expected=expected, got="none", hint=hint)
    return [images[key] for key in common], [masks[key] for key in common]


def _ends_like_mask(file: str) -> bool:
    """Return True if a file can have the ending of a mask, as a fast check of many files."""
    return file.rpartition(".")[0].lower().endswith(_ENDINGS)


def _role(file: str, stems: set[str]) -> tuple[str, bool]:
    """Return a key that an image and its mask share, and whether the file is a mask."""
    stem = file.rpartition(".")[0]
    plain = _MASK_END.sub("", stem)
    folders = stem.split("/")[:-1]
    words = [folder.lower() for folder in folders]
    place = next((i for i, word in enumerate(words) if word in _IMAGES | _MASKS), None)
    is_mask = plain != stem and plain in stems
    if place is not None:
        folders[place] = ""
        is_mask = is_mask or words[place] in _MASKS
    name = (plain if is_mask else stem).rpartition("/")[2]
    return "/".join([*folders, name]), is_mask
