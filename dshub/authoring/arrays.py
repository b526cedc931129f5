"""Files that each hold one array: IDX, and NumPy's npy, alone or in an npz."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from dshub import readers
from dshub.authoring.columns import LABELS, shaped
from dshub.authoring.names import key, split_in, stem
from dshub.authoring.outline import Outline, SplitOutline, part
from dshub.authoring.survey import Entry
from dshub.errors import DshubError

WORDS = {"idx": "IDX arrays", "npz": "NumPy arrays"}
_PICTURES = {"image", "images", "img", "imgs", "x", "data", "pictures"}
_IDX_NAME = re.compile(r"[-_.]?idx\d+[-_.]?(?:u?byte)?", re.IGNORECASE)


def outline(
    form: str,
    files: Mapping[str, Sequence[Entry]],
    members: Mapping[Path, list[str]],
    suffixes: Sequence[str],
) -> Outline:
    """The dataset whose columns are arrays, one a file.

    Args:
        form: the reader of them all.
        files: those of each split.
        members: of the archives among them.
        suffixes: of compressions.

    Raises:
        DshubError: two files would be the same column of a split.
        ReadError: a file is not what its format promises.
    """
    found = Outline(kind=WORDS[form], splits={})
    for split, entries in files.items():
        parts: dict[str, Entry] = {}
        axes: dict[str, list[int]] = {}
        for entry in entries:
            kind = _row_type(form, entry)
            name = _column(kind, entry, suffixes)
            if name in parts:
                raise DshubError(
                    f"{parts[name].name} and {entry.name} would both be column {name!r} of "
                    f"split {split}",
                    hint="name the files that belong together",
                )
            parts[name] = entry
            if form == "npz" and name == "image" and _is_planar(kind):
                axes[name] = [1, 2, 0]
                found.doubts.append(f"column {name!r} has its channels first; they are moved last")
        reader = {"format": form} | ({"axes": axes} if axes else {})
        found.splits[split] = SplitOutline(
            reader, {name: part([entry], members) for name, entry in parts.items()}
        )
    found.doubts = list(dict.fromkeys(found.doubts))
    return found


def _row_type(form: str, entry: Entry) -> tuple[pa.DataType, tuple[int, ...]]:
    """The type and shape of the rows of a file."""
    batch = next(iter(readers.create({"format": form}).read({"rows": [entry.file]})), None)
    if batch is None:
        raise DshubError(f"{entry.name} holds no rows", hint="an empty array is no column")
    return shaped(batch.column(0).type)


def _column(row: tuple[pa.DataType, tuple[int, ...]], entry: Entry, suffixes: Sequence[str]) -> str:
    """The column that a file is, by its name without its split, and by what it holds."""
    kind, shape = row
    _, rest = split_in(stem(entry.base, suffixes))
    name = key(_IDX_NAME.sub("", rest).strip("-_. "), instead="data")
    if name in _PICTURES and len(shape) >= 2 and kind == pa.uint8():
        return "image"
    return "label" if name in LABELS and not shape and pa.types.is_integer(kind) else name


def _is_planar(row: tuple[pa.DataType, tuple[int, ...]]) -> bool:
    """Whether rows are pictures channel by channel: (channels, height, width)."""
    _, shape = row
    return len(shape) == 3 and shape[0] in {1, 3} and shape[2] not in {1, 3, 4}
