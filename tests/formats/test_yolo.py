"""Read labels in the YOLO format, written here line by line."""

from typing import Any, ClassVar

import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import ReaderTests
from tests.formats.annotated import JPEG, images, objects, read, rows_of

YOLO = {"format": "yolo"}


class TestYolo(ReaderTests):
    """Images can hold any bytes, so damage cannot be detected."""

    parts: ClassVar = {"image": ("images/*.jpg",), "annotations": ("labels/*.txt",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(YOLO)

    def rows(self, count: int) -> Any:
        fields = objects(count, pa.int64())
        polygons = [[[[0.5, 0.25, 1.0, 0.25, 1.0, 0.75]]] * len(row) for row in fields["labels"]]
        boxes = [[[0.75, 0.5, 0.5, 0.5]] * len(row) for row in fields["labels"]]
        schema = formats.create(YOLO).schema  # type: ignore[attr-defined]
        return rows_of(schema, {}, {**fields, "boxes": boxes, "segmentation": polygons})


def labels(text: str, **options: Any) -> dict[str, Any]:
    """Return the objects of a file of labels."""
    (row,) = read(YOLO | options, image=images("1.jpg"), annotations={"1.txt": text.encode()})
    assert row["image"] == JPEG + b"1.jpg"
    found: dict[str, Any] = row["objects"]
    return found


def test_boxes_are_read() -> None:
    found = labels("0 0.5 0.25 0.1 0.2\r\n\r\n3.0 1 1e-1\t.5 0.5 \n")
    assert found["labels"] == [0, 3]
    assert found["boxes"] == [[0.5, 0.25, 0.1, 0.2], [1.0, 0.1, 0.5, 0.5]]
    assert found["segmentation"] == [[], []]


def test_polygon_has_the_box_around_its_points() -> None:
    """Oriented boxes are polygons of four points."""
    found = labels("2 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6\n")
    assert found["boxes"] == [pytest.approx([0.3, 0.4, 0.4, 0.4])]
    assert found["segmentation"] == [[[0.1, 0.2, 0.5, 0.2, 0.5, 0.6, 0.1, 0.6]]]


def test_keypoints_follow_the_box() -> None:
    found = labels("0 0.5 0.5 1 1 0.1 0.2 2 0.3 0.4 0\n", keypoints=(2, 3))
    assert found["boxes"] == [[0.5, 0.5, 1, 1]]
    assert found["keypoints"] == [[[0.1, 0.2, 2], [0.3, 0.4, 0]]]


@pytest.mark.parametrize("text", ["", "\n", "\ufeff"])
def test_empty_file_has_no_objects(text: str) -> None:
    assert labels(text)["boxes"] == []


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5 0.5",
        "cat 0.5 0.5 0.1 0.1",
        "-1 0 0 1 1",
        "0.5 0 0 1 1",
        "0 nan 0 1 1",
        "0 0 0 1 1 1",
    ],
)
def test_line_without_an_object_is_an_error_with_its_number(line: str) -> None:
    with pytest.raises(ReadError, match=r"1\.txt.*line 2"):
        labels(f"0 0 0 1 1\n{line}\n")


def test_missing_part_is_an_error() -> None:
    with pytest.raises(ReadError, match="parts image and optionally annotations, list"):
        read(YOLO, annotations={})
    (row,) = read(YOLO, image=images("1.jpg"))
    assert row["objects"]["boxes"] == []
