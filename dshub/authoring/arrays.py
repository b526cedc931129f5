"""Files that each hold one array: IDX, and NumPy's npy, alone or in an npz."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from dshub import readers
from dshub.authoring.columns import LABELS
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
        for entry in entries:
            name = _column(form, entry, suffixes)
            if name in parts:
                raise DshubError(
                    f"{parts[name].name} and {entry.name} would both be column {name!r} of "
                    f"split {split}",
                    hint="name the files that belong together",
                )
            parts[name] = entry
        found.splits[split] = SplitOutline(
            {"format": form}, {name: part([entry], members) for name, entry in parts.items()}
        )
    return found


def _column(form: str, entry: Entry, suffixes: Sequence[str]) -> str:
    """The column that a file is, by its name without its split, and by what it holds."""
    _, rest = split_in(stem(entry.base, suffixes))
    rest = _IDX_NAME.sub("", rest).strip("-_. ")
    name = key(rest, instead="data")
    batch = next(iter(readers.create({"format": form}).read({"rows": [entry.file]})), None)
    if batch is None:
        raise DshubError(f"{entry.name} holds no rows", hint="an empty array is no column")
    kind, depth = batch.column(0).type, 0
    while pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    if name in _PICTURES and depth >= 2 and kind == pa.uint8():
        return "image"
    return "label" if name in LABELS and not depth else name
