"""Create sources from folders of images with annotations in the formats COCO, VOC and YOLO."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dshub.catalog.features import ImageFeature
from dshub.catalog.manifest import Pair
from dshub.datasets.annotation_layouts import KINDS, Layout, recognize
from dshub.datasets.annotations import Annotations, read_annotations
from dshub.datasets.folders import FolderSource
from dshub.datasets.from_memory import from_arrow
from dshub.datasets.media import IMAGES
from dshub.datasets.split_expressions import parse_split, unknown_split
from dshub.datasets.stated_splits import required_split, spelled_split
from dshub.errors import ReadError
from dshub.importing.walking import Listing

_ENDINGS = (*IMAGES, *KINDS, ".yaml", ".yml", ".names", ".labels")
_HINT = "check that it exists and that you can read it"


@dataclass(frozen=True)
class _File:
    """File on disk."""

    path: Path
    member: str

    @property
    def name(self) -> str:
        return str(self.path)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as stream:
                yield stream
        except OSError as error:
            reason = error.strerror or str(error)
            raise ReadError(file=self.name, reason=reason, hint=_HINT) from error

    def check_size(self, size: int) -> None:
        del size  # files are not compressed


def find_layout(root: Path, listing: Listing) -> Layout | None:
    """Find images with annotations in a folder; return None if they have none.

    Raises:
        ReadError: annotations are damaged.
        DshubError: several files can be the annotations of the same images.
    """
    files = _files(root, listing)
    images = [name for name in files if name.lower().endswith(IMAGES)]
    return recognize(files, images) if len(images) < len(files) else None


def split_names(layout: Layout) -> list[str]:
    """Return the names of the splits, or nothing."""
    return [name for name in layout.splits if name]


def from_annotated_folder(
    root: Path, listing: Listing, layout: Layout, split: str | None
) -> tuple[FolderSource, Pair]:
    """Create the source of images with annotations.

    Args:
        root: path of the folder.
        listing: files in the folder.
        layout: layout of the annotations.
        split: split expression; None for a folder without splits.

    Raises:
        ReadError: annotations are damaged, or an image is missing.
        SchemaError: the class of an object is unknown.
        ArgumentError, UnknownNameError, SplitError: `split` is missing, unknown or invalid.
    """
    names = split_names(layout)
    if split is None and names:
        raise required_split(root, names)
    for part in parse_split(split) if split is not None else ():
        if spelled_split(part.split, layout.splits) is None:
            raise unknown_split(str(root), part.split, names)
    annotations = read_annotations(layout)
    for note in annotations.notes:
        warnings.warn(f"{root}: {note}", stacklevel=4)
    paths, table = _selected(annotations, split)
    columns = list(annotations.features)
    values = from_arrow(table.select(columns), annotations.features)
    image = {"image": ImageFeature(encoding="any")}
    others = sorted(name for name in _files(root, listing) if not name.lower().endswith(IMAGES))
    source = FolderSource(root, {"image": paths}, image, values, others=others)
    return source, ("image", "objects" if "objects" in columns else "captions")


def _files(root: Path, listing: Listing) -> dict[str, _File]:
    """Return images and possible annotations by path below a folder, sorted."""
    found = [(place, name) for place, names in listing.places.items() for name in names]
    if not any(name.lower().endswith(KINDS) for _, name in found):
        return {}
    paths = sorted("/".join((*place, name)) for place, name in found)
    return {path: _File(root / path, path) for path in paths if path.lower().endswith(_ENDINGS)}


def _selected(annotations: Annotations, expression: str | None) -> tuple[list[str], pa.Table]:
    """Return the images and the rows that a split expression selects."""
    if expression is None:
        (split,) = annotations.splits.values()
        return split.images, split.table
    paths, tables = list[str](), list[pa.Table]()
    for part in parse_split(expression):
        name = spelled_split(part.split, annotations.splits)
        assert name is not None  # noqa: S101  # `from_annotated_folder` has looked
        split = annotations.splits[name]
        rows = part.rows(len(split.images))
        paths += split.images[rows.start : rows.stop]
        tables.append(split.table.slice(rows.start, len(rows)))
    return paths, pa.concat_tables(tables)
