"""Images with labels in the YOLO format: a text file per image, and a line per object.

A line has the class number, and then either four fractions of the image's width and height, the
center and the size of a box; or the points of a polygon, also as fractions. An image without a
file has no objects. Ultralytics documents the format:
https://docs.ultralytics.com/datasets/detect/ and https://docs.ultralytics.com/datasets/segment/
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import Any

import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File
from dshub.formats._annotations import (
    BOXES,
    POLYGONS,
    PairedReader,
    Row,
    objects_type,
    paired,
)
from dshub.formats._texts import line_texts

LARGEST_CLASS = 1 << 31
MOST_KEYPOINTS = 10_000
_HINT = "correct the line, or remove it"


class Reader(PairedReader, frozen=True):
    """Read the parts `image` and `annotations`, which have the same names without extension.

    Folders named like `images` and `labels` do not matter, so `train/images/1.jpg` has the labels
    of `train/labels/1.txt`. The optional part `list` has names of images to read, one per line, in
    the order of rows; otherwise, rows have the order of the images.

    The column `objects` has the fields `boxes` (cxcywh, relative), `labels`, and `segmentation`, a
    list of polygons for each object: x1, y1, x2, y2, … as fractions. The box of a polygon is the
    smallest one around its points.

    Attributes:
        keypoints: shape of the keypoints after each box, such as (17, 3) for x, y and visibility
            of 17 points; empty if files have no keypoints. They become the field `keypoints`.
    """

    keypoints: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        valid = all(1 <= length <= MOST_KEYPOINTS for length in self.keypoints)
        if len(self.keypoints) not in {0, 2} or not valid:
            raise ValueError("`keypoints` must be a number of points, and of values per point")

    @property
    def _numbers(self) -> int:
        """Number of values of the keypoints of an object."""
        return self.keypoints[0] * self.keypoints[1] if self.keypoints else 0

    @cached_property
    def schema(self) -> pa.Schema:
        fields = {"boxes": BOXES, "labels": pa.list_(pa.int64()), "segmentation": POLYGONS}
        if self.keypoints:
            count, length = self.keypoints
            fields["keypoints"] = pa.list_(pa.list_(pa.list_(pa.float64(), length), count))
        return pa.schema([("objects", objects_type(fields))])

    def described(self, files: Mapping[str, Sequence[File]]) -> Iterator[tuple[File, Row]]:
        for image, file in paired(files):
            yield image, {"objects": self.objects(file)}

    def objects(self, file: File | None) -> dict[str, list[Any]]:
        """Return the fields of the objects in a file of labels.

        Raises:
            ReadError: a line is not an object.
        """
        objects: dict[str, list[Any]] = {field.name: [] for field in self.schema.field(0).type}
        for number, text in line_texts(file) if file else ():
            words = text.removeprefix("\ufeff").split()
            if words and file is not None:
                for name, value in self._object(words, file, number).items():
                    objects[name].append(value)
        return objects

    def _object(self, words: Sequence[str], file: File, line: int) -> dict[str, Any]:
        try:
            label, *values = map(float, words)
        except ValueError:
            reason = f"line {line:,} has words that are not numbers"
            raise ReadError(file=file.name, reason=reason, hint=_HINT) from None
        if not (0 <= label < LARGEST_CLASS and label.is_integer() and all(map(isfinite, values))):
            reason = f"line {line:,} does not begin with a class number, or has infinite numbers"
            raise ReadError(file=file.name, reason=reason, hint=_HINT)
        fields: dict[str, Any] = {"labels": int(label), "segmentation": []}
        if self.keypoints and len(values) == 4 + self._numbers:
            step = self.keypoints[1]
            points = [values[i : i + step] for i in range(4, len(values), step)]
            return {**fields, "boxes": values[:4], "keypoints": points}
        if len(values) == 4 and not self.keypoints:
            return {**fields, "boxes": values}
        if len(values) >= 6 and len(values) % 2 == 0 and not self.keypoints:
            return {**fields, "boxes": around(values), "segmentation": [values]}
        expected = 5 + self._numbers
        more = "" if self.keypoints else ", or a polygon of at least 3 points"
        reason = f"line {line:,} has {len(words)} numbers, not {expected} for a box{more}"
        raise ReadError(file=file.name, reason=reason, hint=_HINT)

    def content(self, image: str, row: Row) -> str:
        del image
        names = ["labels", "boxes", "segmentation", *(["keypoints"] if self.keypoints else [])]
        return "".join(map(self._line, *(row["objects"][name] for name in names)))

    @staticmethod
    def _line(label: int, box: Sequence[float], polygons: Any, points: Any = ()) -> str:
        values = [*box, *(value for point in points for value in point)]
        numbers = polygons[0] if polygons and len(polygons[0]) >= 6 else values
        return f"{label} {' '.join(map(repr, map(float, numbers)))}\n"


def around(points: Sequence[float]) -> list[float]:
    """Return the smallest box around points x1, y1, x2, y2, …, as center, width and height."""
    x, y = points[::2], points[1::2]
    left, right, top, bottom = min(x), max(x), min(y), max(y)
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
