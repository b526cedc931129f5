"""Rows, features and faults of images with annotations in other files."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub import formats
from dshub.catalog.features import (
    BoxFeature,
    Feature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.datasets.annotation_layouts import Files, Layout
from dshub.errors import SchemaError
from dshub.formats import Describing

BATCH = 1 << 12  # rows converted at a time
BOXES = {
    "coco": BoxFeature(format="xywh"),
    "voc": BoxFeature(format="xyxy"),
    "yolo": BoxFeature(format="cxcywh", relative=True),
}
_FIELDS = ["area", "iscrowd", "segmentation", "rle"]  # optional fields of COCO
_FLAGS = ("iscrowd", "difficult", "truncated", "occluded")
_NUMBER = ListFeature(of=NumberFeature(dtype="float32"))
_TOLERANCE = 1e-3  # of fractions, which files round; pixels may exceed the size by one


@dataclass
class Split:
    """Rows of a split.

    Attributes:
        images: path of the image of each row.
        table: columns of the reader, without the images.
    """

    images: list[str]
    table: pa.Table


@dataclass
class Annotations:
    """Rows of all splits.

    Attributes:
        splits: rows by split.
        features: features of all columns but the image.
        options: options of the reader, as in a manifest.
        notes: notes about skipped files and unusual boxes.
        facts: numbers of images without objects.
    """

    splits: dict[str, Split]
    features: dict[str, Feature]
    options: dict[str, Any]
    notes: list[str]
    facts: list[str]


def read_annotations(layout: Layout) -> Annotations:
    """Read the annotations of all splits.

    Raises:
        ReadError: a file of annotations is damaged, or an image is missing.
        SchemaError: an object has a class that the files do not list.
    """
    options = {"format": layout.form, **layout.options}
    if layout.form == "coco":
        options["fields"] = _FIELDS
    reader = cast("Describing", formats.create(options))
    splits = {name: _read(reader, files) for name, files in layout.splits.items()}
    notes, facts = list(layout.notes), list[str]()
    table = pa.concat_tables([split.table for split in splits.values()])
    features = _features(layout, table, notes)
    for name, split in splits.items():
        title = f"split {name}: " if name else ""
        facts += (title + fact for fact in _empty(split.table))
        notes += (title + note for note in _oddities(split.table, BOXES[layout.form]))
    objects = features.get("objects")
    if layout.form == "coco":
        fields = objects.fields if isinstance(objects, StructFeature) else {}
        options["fields"] = [name for name in _FIELDS if name in fields]
    options = {name: value for name, value in options.items() if value not in (0, (), [])}
    return Annotations(splits, features, options, notes, facts)


def _read(reader: Describing, files: Files) -> Split:
    images, batches = list[str](), list[pa.RecordBatch]()
    rows = reader.described(files)
    while some := list(islice(rows, BATCH)):
        images += [file.member for file, _ in some]
        batches.append(reader.table([row for _, row in some]))
    return Split(images, pa.Table.from_batches(batches, reader.schema))


def _features(layout: Layout, table: pa.Table, notes: list[str]) -> dict[str, Feature]:
    """Return the features of columns that have values, without a size that some rows lack."""
    features: dict[str, Feature] = {}
    for name in ("width", "height"):
        if name in table.schema.names and not table[name].null_count:
            features[name] = NumberFeature(dtype="int64")
    if "image_id" in table.schema.names:
        numeric = pc.all(pc.match_substring_regex(table["image_id"], r"^(0|[1-9][0-9]{0,17})$"))
        is_number = numeric.as_py() is not False
        features["image_id"] = NumberFeature(dtype="int64") if is_number else TextFeature()
    has_captions = "captions" in table.schema.names and _lengths(table["captions"]).any()
    if layout.names or not has_captions:
        features["objects"] = _objects(layout, table, notes)
    if has_captions:
        features["captions"] = ListFeature(of=TextFeature())
    return features


def _column(table: pa.Table, name: str) -> pa.Array:
    """Return a field of all objects, as one list per row."""
    chunks = [chunk.field(name) for chunk in table["objects"].chunks]
    return (
        pa.concat_arrays(chunks)
        if chunks
        else pa.array([], table.schema.field("objects").type[name].type)
    )


def _lengths(lists: Any) -> np.ndarray:
    lengths: np.ndarray = pc.list_value_length(lists).to_numpy()
    return lengths


def _objects(layout: Layout, table: pa.Table, notes: list[str]) -> StructFeature:
    labels = _column(table, "labels").flatten()
    names, codes = _classes(layout, labels, notes)
    fields: dict[str, Feature] = {
        "boxes": ListFeature(of=BOXES[layout.form]),
        "labels": ListFeature(of=LabelFeature(names=names, codes=codes)),
    }
    for field in table.schema.field("objects").type:
        values = _column(table, field.name).flatten()
        if field.name in _FLAGS and pc.any(values).as_py():
            fields[field.name] = ListFeature(of=NumberFeature(dtype="bool"))
        elif field.name == "area" and len(values):
            fields[field.name] = _NUMBER
        elif field.name == "segmentation" and _lengths(values).any():
            fields[field.name] = ListFeature(of=ListFeature(of=_NUMBER))
        elif field.name == "rle" and _lengths(values).any():
            fields[field.name] = ListFeature(of=ListFeature(of=NumberFeature(dtype="int64")))
        elif field.name == "keypoints":
            kind = field.type.value_type
            shape = kind.list_size, kind.value_type.list_size
            fields[field.name] = ListFeature(of=NumberFeature(dtype="float32", shape=shape))
    return StructFeature(fields=fields)


def _classes(
    layout: Layout, labels: pa.Array, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names and codes of the classes."""
    names, codes = layout.names, layout.codes
    if layout.has_root and not pc.any(pc.equal(labels, codes[0])).as_py():
        notes.append(f"skipped the class {names[0]!r}, which has no objects and only groups others")
        names, codes = names[1:], codes[1:]
    if layout.form == "voc":
        return tuple(sorted(pc.unique(labels).to_pylist())) or ("object",), ()
    if layout.form == "yolo":
        count = (pc.max(labels).as_py() or 0) + 1
        if not names:
            notes.append(
                "the classes have numbers, but no names; add classes.txt with one name per line"
            )
            names = tuple(map(str, range(count)))
        if count > len(names):
            raise SchemaError(
                where="the labels",
                expected=f"classes from 0 to {len(names) - 1}, as there are {len(names)} names",
                got=f"class {count - 1}",
                hint="add the names of all classes to data.yaml or classes.txt",
            )
        return names, ()
    if not names:
        used = sorted(pc.unique(labels).to_pylist(), key=lambda text: (len(text), text)) or ["0"]
        return tuple(used), ()
    return names, codes


def _empty(table: pa.Table) -> Iterator[str]:
    """Yield a note about images without objects."""
    counts = _lengths(_column(table, "boxes"))
    if counts.any() and (empty := int((counts == 0).sum())):
        yield f"{empty:,} of {len(counts):,} images have no objects"


def _oddities(table: pa.Table, feature: BoxFeature) -> Iterator[str]:
    """Yield notes about boxes that are empty or outside the image."""
    lists = _column(table, "boxes")
    counts = _lengths(lists)
    boxes = np.asarray(lists.flatten().flatten()).reshape(-1, 4)
    first, second = boxes[:, :2], boxes[:, 2:]
    extent = second - first if feature.format == "xyxy" else second
    corner = first - extent / 2 if feature.format == "cxcywh" else first
    flat = (extent <= 0).any(axis=1)
    outside = (corner < -_TOLERANCE).any(axis=1)
    limits = np.ones((len(boxes), 2)) + _TOLERANCE
    if not feature.relative:
        sides = [table[name].to_numpy().astype(np.float64) for name in ("width", "height")]
        limits = np.repeat(np.stack(sides, axis=1), counts, axis=0) + 1
    outside |= (corner + extent > limits).any(axis=1)
    for wrong, what in ((flat, "have no area"), (outside, "reach outside their image")):
        if wrong.any():
            yield f"{int(wrong.sum()):,} of {len(boxes):,} boxes {what}; they are kept"
