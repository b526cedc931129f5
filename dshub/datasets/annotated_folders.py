"""Create sources from folders of images with annotations in the formats COCO, VOC and YOLO."""

import os
import warnings
from collections.abc import Iterator, Mapping
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
from dshub.datasets.split_expressions import parse_split, synonyms, unknown_split
from dshub.errors import ArgumentError, ReadError

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


def from_annotated_folder(root: Path, split: str | None) -> tuple[FolderSource, Pair] | None:
    """Create the source of a folder, or return None if its images have no annotations.

    Args:
        root: path of the folder.
        split: split expression; None for a folder without splits.

    Raises:
        ReadError: annotations are damaged, or an image is missing.
        SchemaError: the class of an object is unknown.
        ArgumentError, UnknownNameError, SplitError: `split` is missing, unknown or invalid.
        DshubError: several files can be the annotations of the same images.
    """
    files = _files(root)
    images = [name for name in files if name.lower().endswith(IMAGES)]
    layout = recognize(files, images) if len(images) < len(files) else None
    if layout is None:
        return None
    _check_split(root, layout, split)
    annotations = read_annotations(layout)
    for note in annotations.notes:
        warnings.warn(f"{root}: {note}", stacklevel=3)
    paths, table = _selected(annotations, split)
    names = list(annotations.features)
    values = from_arrow(table.select(names), annotations.features)
    image = {"image": ImageFeature(encoding="any")}
    others = sorted(set(files) - set(images))
    source = FolderSource(root, {"image": paths}, image, values, others=others)
    return source, ("image", "objects" if "objects" in names else "captions")


def _files(root: Path) -> dict[str, _File]:
    """Return images and possible annotations by path below a folder, sorted."""
    found = list[str]()
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if name[0] not in ".@" and name != "__MACOSX"]
        prefix = Path(place).relative_to(root).as_posix()
        prefix = "" if prefix == "." else f"{prefix}/"
        found += [prefix + name for name in names if name[0] != "."]
    kinds = (*IMAGES, *KINDS, ".yaml", ".yml", ".names", ".labels")
    if not any(name.lower().endswith(KINDS) for name in found):
        return {}
    return {
        name: _File(root / name, name) for name in sorted(found) if name.lower().endswith(kinds)
    }


def _check_split(root: Path, layout: Layout, split: str | None) -> None:
    names = [name for name in layout.splits if name]
    if split is None and names:
        expected = f"one of the splits in {root}: {', '.join(names)}"
        hint = f"pass a split, such as split={names[0]!r}"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    for part in parse_split(split) if split is not None else ():
        if _spelled(part.split, layout.splits) is None:
            raise unknown_split(str(root), part.split, names)


def _spelled(split: str, splits: Mapping[str, object]) -> str | None:
    """Return the name of a split that a name or its synonym means."""
    names = (split, *synonyms(split))
    return next((name for name in names if name in splits), None)


def _selected(annotations: Annotations, expression: str | None) -> tuple[list[str], pa.Table]:
    """Return the images and the rows that a split expression selects."""
    if expression is None:
        (split,) = annotations.splits.values()
        return split.images, split.table
    paths, tables = list[str](), list[pa.Table]()
    for part in parse_split(expression):
        name = _spelled(part.split, annotations.splits)
        assert name is not None  # noqa: S101  # `_check_split` has looked
        split = annotations.splits[name]
        rows = part.rows(len(split.images))
        paths += split.images[rows.start : rows.stop]
        tables.append(split.table.slice(rows.start, len(rows)))
    return paths, pa.concat_tables(tables)
