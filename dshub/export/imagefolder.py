"""Export to one folder per class, in the layout that torchvision, Keras and Hugging Face read.

The path `train/cat/00000012.jpg` consists of the split, the class and the row number. Encoded
images and audio are written unchanged, and raw pixels are written as PNG. Without labels, a split
has no class folders.

These programs number classes by the sorted names of the folders. A folder is named after its class,
without characters that any common file system forbids.
"""

from pathlib import Path

from dshub.catalog.features import LabelFeature
from dshub.export._rows import (
    Exporter,
    Rows,
    as_file,
    content_and_label,
    folder_names,
    is_file,
    suffix_of,
)


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


exporter = ImageFolder()
