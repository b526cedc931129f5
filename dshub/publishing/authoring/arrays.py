"""Outline files that each hold one array: IDX, and NumPy's npy, alone or in an npz."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dshub import formats
from dshub.errors import DshubError
from dshub.publishing.authoring.columns import LABELS, shaped
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key, split_in, stem

TITLES = {"idx": "IDX arrays", "npz": "NumPy arrays"}
_IMAGES = {"image", "images", "img", "imgs", "x", "data", "pictures"}
_IDX_NAME = re.compile(r"[-_.]?idx\d+[-_.]?(?:u?byte)?", re.IGNORECASE)


def outline(form: str, files: Mapping[str, Sequence[Entry]]) -> Outline:
    """Outline a dataset with one column per array.

    Args:
        form: the reader of all files.
        files: of each split.

    Raises:
        DshubError: two files of a split would be the same column.
        ReadError: a file does not match its format.
    """
    result = Outline(kind=TITLES[form])
    for name, entries in files.items():
        split = result.splits[name] = SplitOutline({"format": form})
        for entry in entries:
            kind, shape = _row_type(form, entry)
            column = _column(entry, kind, shape)
            if column in split.parts:
                raise DshubError(
                    f"{split.parts[column][0].name} and {entry.name} would both be column "
                    f"{column!r} of split {name}",
                    hint="give the files that belong together",
                )
            split.add(column, [entry])
            if form == "npz" and column == "image" and _has_channels_first(shape):
                axes: dict[str, Any] = split.reader.setdefault("axes", {})
                axes[column] = [1, 2, 0]
    if any("axes" in split.reader for split in result.splits.values()):
        result.doubts.append("column 'image' has its channels first; they are moved last")
    return result


def _row_type(form: str, entry: Entry) -> tuple[pa.DataType, tuple[int, ...]]:
    """The type and the shape of a row."""
    batch = next(iter(formats.create({"format": form}).read({"rows": [entry.file]})), None)
    if batch is None:
        raise DshubError(f"{entry.name} has no rows", hint="remove empty arrays")
    return shaped(batch.column(0).type)


def _column(entry: Entry, kind: pa.DataType, shape: tuple[int, ...]) -> str:
    """Name the column of a file, by the file's name without the split, and by its values."""
    _, rest = split_in(stem(entry.base))
    name = key(_IDX_NAME.sub("", rest).strip("-_. "), default="data")
    if name in _IMAGES and len(shape) >= 2 and kind == pa.uint8():
        return "image"
    return "label" if name in LABELS and not shape and pa.types.is_integer(kind) else name


def _has_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in {1, 3} and shape[2] not in {1, 3, 4}
