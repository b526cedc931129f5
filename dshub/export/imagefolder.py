"""Export to one folder per class, in the layout that torchvision, Keras and Hugging Face read.

The path `train/cat/00000012.jpg` consists of the split, the class and the row number. Encoded
images and audio are written unchanged, and raw pixels are written as PNG. Without labels, a split
has no class folders.

These programs number classes by the sorted names of the folders. A folder is named after its class,
without characters that any common file system forbids.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from dshub._validate import DEVICE
from dshub.catalog.checks import unused
from dshub.catalog.features import LabelFeature
from dshub.export._rows import Exporter, Rows, as_file, content_and_label, is_file, suffix_of

_MAX_LENGTH = 100  # characters of a folder name


class ImageFolder(Exporter):
    """Exporter of one folder per split."""

    kind = "folder"

    def check(self, rows: Rows) -> None:
        _columns(rows)

    def write(self, path: Path, rows: Rows) -> None:
        content, label = _columns(rows)
        feature = rows.features[label] if label else None
        names = folder_names(feature.names) if isinstance(feature, LabelFeature) else [""]
        created = set()
        for number, row in rows.each():
            folder = path / (names[int(row[label])] if label else "")
            if folder not in created:
                folder.mkdir(exist_ok=True)
                created.add(folder)
            data = as_file(row[content])
            (folder / f"{number:08d}.{suffix_of(data)}").write_bytes(data)


def _columns(rows: Rows) -> tuple[str, str | None]:
    return content_and_label(
        rows, is_file, "folders hold one image or audio file and one label per row"
    )


def folder_names(classes: Sequence[str]) -> list[str]:
    """Return a folder name for each class, valid and distinct on every file system."""
    folders: list[str] = []
    taken: set[str] = set()
    for name in classes:
        plain = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", name)[:_MAX_LENGTH].strip(" .") or "_"
        if DEVICE.fullmatch(plain):
            plain += "_"
        folded = unused(plain.casefold(), taken, "_")
        taken.add(folded)
        folders.append(plain + folded.removeprefix(plain.casefold()))
    return folders


exporter = ImageFolder()
