"""Pictures in a folder for each class, as torchvision, Keras and Hugging Face read them.

`train/cat/00000012.jpg`: the split, the class, the number of the row. Files are written as they
are kept, raw pixels as PNG. Recordings lie in folders in the same way. Where there are no classes,
the files of a split lie side by side.

Those programs number classes in the order of the folders' names. A folder is named as its class
is, but for signs that some file system does not allow.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.catalog.features import LabelFeature
from dshub.errors import DshubError
from dshub.export._rows import Rows, as_file, chosen, ending, is_file, kind_of, refuse

_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
_LONGEST = 100  # characters of a folder's name


@dataclass(frozen=True)
class ImageFolder:
    """A folder for each split."""

    kind: Literal["folder"] = "folder"
    suffixes: tuple[str, ...] = ()
    revision: int = 1

    def check(self, rows: Rows) -> None:
        _columns(rows)

    def write(self, path: Path, rows: Rows) -> None:
        picture, label = _columns(rows)
        feature = rows.features[label] if label else None
        names = folder_names(feature.names) if isinstance(feature, LabelFeature) else [""]
        made: set[str] = set()
        for number, row in rows.each():
            folder = names[int(row[label])] if label else ""
            if folder not in made:
                (path / folder).mkdir(exist_ok=True)
                made.add(folder)
            data = as_file(row[picture])
            (path / folder / f"{number:08d}.{ending(data)}").write_bytes(data)


def _columns(rows: Rows) -> tuple[str, str | None]:
    """The columns of pictures (or recordings) and of classes.

    Raises:
        DshubError: there are others, or no pictures.
    """
    files = [name for name, feature in rows.features.items() if is_file(feature)]
    labels = chosen(rows, (LabelFeature,))
    for name, feature in rows.features.items():
        if name not in files[:1] + labels[:1]:
            refuse(rows, name, f"holds {kind_of(feature)}: folders have one picture and one class")
    if not files:
        raise DshubError(f"{rows.title}: no column holds pictures or recordings")
    return files[0], labels[0] if labels else None


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder for each class, which every file system can have beside the others."""
    found: list[str] = []
    taken: set[str] = set()
    for name in classes:
        plain = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", name)[:_LONGEST].strip(" .") or "_"
        if _DEVICES.fullmatch(plain):
            plain += "_"
        unique, again = plain, 2
        while unique.casefold() in taken:
            unique, again = f"{plain}_{again}", again + 1
        taken.add(unique.casefold())
        found.append(unique)
    return found


exporter = ImageFolder()
