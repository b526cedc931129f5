"""Export to one folder per class, in the layout that torchvision, Keras and Hugging Face read.

The path `train/cat/00000012.jpg` consists of the split, the class and the row number. Encoded
images and audio are written unchanged, and raw pixels are written as PNG. Without labels, a split
has no class folders.

These programs number classes by the sorted names of the folders. A folder is named after its class,
without characters that any common file system forbids.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from dshub.catalog.features import Feature, LabelFeature
from dshub.export._rows import (
    Columns,
    Exporter,
    Rows,
    as_file,
    content_and_label,
    folder_names,
    is_file,
    suffix_of,
)
from dshub.export._stored import Stored, as_stored_file

RESERVED = {"name", "file", "stem"}  # columns of the reader of folders


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

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored | None:
        del supervised
        classes = {n: item for n, item in features.items() if isinstance(item, LabelFeature)}
        label = next(iter(classes), "")
        content = next(name for name in features if name != label)
        if {content, label} & RESERVED:
            return None
        shown = {content: as_stored_file(features[content])}
        if label:
            codes = tuple(folder_names(classes[label].names))
            shown[label] = msgspec.structs.replace(classes[label], codes=codes, first=0)
        inner = f"{{{label}}}/" if label else ""
        return Stored({"format": "folder", "path": f"{inner}{{name}}"}, shown, part=content)


def _columns(rows: Rows) -> tuple[str, str | None]:
    return content_and_label(
        rows, is_file, "folders hold one image or audio file and one label per row"
    )


exporter = ImageFolder()
