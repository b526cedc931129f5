"""Images with annotations in the JSON format of COCO: objects, keypoints and captions.

The format is documented at https://cocodataset.org/#format-data. Several files of the same images,
such as `instances_train2017.json` and `captions_train2017.json`, are combined.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pyarrow as pa
from msgspec import Meta

from dshub.catalog.file_names import Names
from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._annotations import (
    ANNOTATIONS,
    BOXES,
    IMAGE,
    POLYGONS,
    AnnotationReader,
    Row,
    inside,
    name_of,
    objects_type,
)
from dshub.formats._records import matching_name
from dshub.formats._texts import read_all

LARGEST = 8 << 30  # bytes of a JSON file
_ITEM = 120  # bytes of a decoded object or list, roughly
Field = Literal["area", "iscrowd", "segmentation", "rle"]
_FIELDS = {
    "area": pa.list_(pa.float64()),
    "iscrowd": pa.list_(pa.bool_()),
    "segmentation": POLYGONS,
    "rle": pa.list_(pa.list_(pa.int64())),
}
Identifier = int | str
Pixels = Annotated[int, Meta(ge=0, lt=1 << 31)]
MOST_KEYPOINTS = 10_000


class Image(msgspec.Struct):
    """Image in a file of annotations."""

    id: Identifier
    file_name: str
    width: Pixels | None = None
    height: Pixels | None = None


class Annotation(msgspec.Struct):
    """Object in an image, or caption of an image."""

    image_id: Identifier
    id: Identifier | None = None
    category_id: Identifier | None = None
    bbox: list[float] | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    area: float | None = None
    iscrowd: int | bool | None = None
    keypoints: list[float] | None = None
    caption: str | None = None

    @property
    def has_object(self) -> bool:
        """True unless this is a caption."""
        return self.caption is None or bool(self.bbox)


class Document(msgspec.Struct):
    """Content of a file of annotations."""

    images: list[Image]
    annotations: list[Annotation] = []


class _Runs(msgspec.Struct):
    """Mask as lengths of runs, either numbers or COCO's compressed text."""

    counts: list[int] | str = []


def document(file: File) -> Document:
    """Read a file of annotations.

    Raises:
        ReadError: the file is not JSON, or lacks a part of the format.
    """
    data = read_all(file, LARGEST)
    file.check_size(len(data) + _ITEM * (data.count(b"{") + data.count(b"[")))
    try:
        return msgspec.json.decode(data, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReadError(file=file.name, reason=f"it is not COCO annotations: {error}") from None


class Reader(AnnotationReader, frozen=True):
    """Read the parts `image` and `annotations`.

    Rows have the order of the images in the files. Images are found by their `file_name`, whose
    folders can be missing or differ if only one image has the name.

    Columns are `image_id`, `file_name`, `width`, `height`, `captions`, and `objects` with the
    fields `boxes` (xywh, pixels) and `labels`, which are ids of categories as text: the `codes` of
    a label.

    Attributes:
        fields: further fields of `objects`: `area`, `iscrowd`, `segmentation` for polygons (x1, y1,
            x2, y2, …), and `rle` for the lengths of runs of masks, column by column, beginning with
            the background.
        keypoints: number of keypoints of each object; 0 for no field `keypoints`. An object without
            keypoints has zeros.
        skip_missing: whether to leave out images that the files name, but that do not exist.
    """

    text_labels: ClassVar[bool] = True

    fields: tuple[Field, ...] = ()
    keypoints: int = 0
    skip_missing: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.keypoints <= MOST_KEYPOINTS:
            raise ValueError(f"`keypoints` must be from 0 to {MOST_KEYPOINTS:,}")

    @cached_property
    def schema(self) -> pa.Schema:
        fields = {"boxes": BOXES, "labels": pa.list_(pa.string())}
        fields |= {name: _FIELDS[name] for name in self.fields}
        if self.keypoints:
            triples = pa.list_(pa.list_(pa.float64(), 3), self.keypoints)
            fields["keypoints"] = pa.list_(triples)
        return pa.schema(
            [
                ("image_id", pa.string()),
                ("file_name", pa.string()),
                ("width", pa.int64()),
                ("height", pa.int64()),
                ("objects", objects_type(fields)),
                ("captions", pa.list_(pa.string())),
            ]
        )

    def described(self, files: Mapping[str, Sequence[File]]) -> Iterator[tuple[File, Row]]:
        names = Names({name_of(file): file for file in files[IMAGE]})
        for image, annotations in combined(files[ANNOTATIONS]):
            file = names.find(image.file_name)
            if file is not None:
                yield file, self.row(image, annotations, files[ANNOTATIONS][0])
            elif not self.skip_missing:
                reason = f"there is no image {image.file_name!r}"
                hint = "add it, or set `skip_missing = true` of the reader"
                raise ReadError(file=files[ANNOTATIONS][0].name, reason=reason, hint=hint)

    def row(self, image: Image, annotations: Sequence[Annotation], file: File) -> Row:
        """Return the columns of an image."""
        objects: dict[str, list[Any]] = {field.name: [] for field in self.schema.field(4).type}
        for annotation in annotations:
            if annotation.has_object:
                for name, value in self._object(annotation, file).items():
                    objects[name].append(value)
        return {
            "image_id": str(image.id),
            "file_name": image.file_name,
            "width": image.width,
            "height": image.height,
            "objects": objects,
            "captions": [a.caption for a in annotations if a.caption is not None],
        }

    def _object(self, item: Annotation, file: File) -> dict[str, Any]:
        try:
            polygons, runs = shape(item)
            box = item.bbox or (_around(polygons) if polygons else [])
        except (msgspec.MsgspecError, ValueError, IndexError, OverflowError) as error:
            reason = f"annotation {item.id} has a segmentation that cannot be read: {error}"
            raise ReadError(file=file.name, reason=reason) from None
        if len(box) != 4 or not all(map(isfinite, box)):
            reason = f"annotation {item.id} has no bbox of four numbers"
            raise ReadError(file=file.name, reason=reason, hint="correct or remove the annotation")
        values: dict[str, Any] = {
            "area": item.area if item.area is not None else box[2] * box[3],
            "iscrowd": bool(item.iscrowd),
            "segmentation": polygons,
            "rle": runs,
        }
        result = {"boxes": box, "labels": str(item.category_id or 0)}
        result |= {name: values[name] for name in self.fields}
        return result | ({"keypoints": self._points(item, file)} if self.keypoints else {})

    def _points(self, item: Annotation, file: File) -> list[list[float]]:
        numbers = item.keypoints or [0.0] * (3 * self.keypoints)
        if len(numbers) != 3 * self.keypoints:
            reason = f"annotation {item.id} has {len(numbers)} numbers of keypoints"
            expected = f"{reason}, not {3 * self.keypoints}"
            raise ReadError(file=file.name, reason=expected)
        return [numbers[i : i + 3] for i in range(0, len(numbers), 3)]

    def default(self, name: str, number: int) -> Any:
        defaults = {"image_id": str(number), "file_name": f"{number:06d}.jpg", "captions": []}
        return defaults.get(name, super().default(name, number))

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        self.check_parts(parts)
        pattern, names = parts[IMAGE].members[0], rows.column("file_name").to_pylist()
        self.write_images(rows, parts[IMAGE], [inside(pattern, name) for name in names])
        images, annotations = list[Any](), list[Any]()
        for row in rows.to_pylist():
            number = _number(row["image_id"])
            names = ("file_name", "width", "height")
            images.append({"id": number} | {name: row[name] for name in names})
            annotations += _written(row, number)
            annotations += [{"image_id": number, "caption": text} for text in row["captions"]]
        codes = sorted({item["category_id"] for item in annotations if "category_id" in item})
        categories = [{"id": code, "name": str(code)} for code in codes]
        for number, item in enumerate(annotations, 1):
            item["id"] = number
        content = {"images": images, "annotations": annotations, "categories": categories}
        with parts[ANNOTATIONS].create(matching_name(parts[ANNOTATIONS].members[0])) as sink:
            sink.write(msgspec.json.encode(content))


def combined(files: Sequence[File]) -> Iterator[tuple[Image, list[Annotation]]]:
    """Yield each image of several files with its annotations.

    An annotation with the same id in two files is one object; the second can add keypoints.
    Annotations of unlisted images are ignored.

    Raises:
        ReadError: a file is damaged, or two files use an id for different images.
    """
    images: dict[Identifier, tuple[Image, list[Annotation]]] = {}
    seen: dict[Identifier, Annotation] = {}
    for file in files:
        content = document(file)
        for image in content.images:
            known, _ = images.setdefault(image.id, (image, []))
            if known.file_name != image.file_name:
                reason = f"image {image.id} is {image.file_name!r}, but also {known.file_name!r}"
                raise ReadError(file=file.name, reason=reason, hint="renumber the images")
        for item in content.annotations:
            other = seen.get(item.id) if item.id is not None and item.has_object else None
            if other is not None and other.image_id == item.image_id:
                other.keypoints = item.keypoints or other.keypoints
            elif item.image_id in images:
                images[item.image_id][1].append(item)
        if len(files) > 1:
            seen |= {a.id: a for a in content.annotations if a.id is not None and a.has_object}
    yield from images.values()


def shape(item: Annotation) -> tuple[list[list[float]], list[int]]:
    """Return the polygons of an annotation, or the lengths of runs of its mask."""
    raw = bytes(item.segmentation).strip()
    if raw[:1] == b"{":
        counts = msgspec.json.decode(raw, type=_Runs).counts
        counts = _counts(counts) if isinstance(counts, str) else counts
        if min(counts, default=0) < 0 or max(counts, default=0) >= LARGEST:
            raise ValueError("the lengths of runs are wrong")
        return [], counts
    return (msgspec.json.decode(raw, type=list[list[float]] | None) or []), []


def _counts(text: str) -> list[int]:
    """Decode COCO's compressed text: groups of 5 bits, as differences from the run before last.

    The function `rleFrString` of pycocotools defines the code.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts


def _around(polygons: Sequence[Sequence[float]]) -> list[float]:
    """Return the smallest box around polygons as left, top, width and height."""
    x = [value for polygon in polygons for value in polygon[::2]]
    y = [value for polygon in polygons for value in polygon[1::2]]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _number(text: str) -> Identifier:
    return int(text) if text.isdigit() else text


def _written(row: Mapping[str, Any], image: Identifier) -> list[dict[str, Any]]:
    """Return the annotations of a row's objects."""
    objects, written = row["objects"], list[dict[str, Any]]()
    for i, (box, label) in enumerate(zip(objects["boxes"], objects["labels"], strict=True)):
        if not label.isdigit():
            expected = "ids of categories as text, such as '18'"
            raise SchemaError(where="objects.labels", expected=expected, got=repr(label))
        item = {"image_id": image, "bbox": box, "category_id": int(label)}
        item |= {name: objects[name][i] for name in ("area", "iscrowd") if name in objects}
        runs = {"counts": objects["rle"][i]} if "rle" in objects else {}
        polygons = objects["segmentation"][i] if "segmentation" in objects else []
        item["segmentation"] = runs if runs.get("counts") else polygons
        points = objects["keypoints"][i] if "keypoints" in objects else []
        written.append(item | {"keypoints": [value for point in points for value in point]})
    return written
