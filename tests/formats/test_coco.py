"""Read annotations in the format of COCO, written here as JSON."""

import json
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import ReaderTests
from tests.formats.annotated import images, objects, read, rows_of

COCO = {"format": "coco"}
FULL = COCO | {"fields": ["area", "iscrowd", "segmentation", "rle"], "keypoints": 2}


class TestCoco(ReaderTests):
    """Images can hold any bytes, so damage cannot be detected."""

    parts: ClassVar = {"image": ("images/*",), "annotations": ("annotations/train.json",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        return formats.create(FULL)

    def rows(self, count: int) -> Any:
        fields = objects(count, pa.string())
        sizes = list(map(len, fields["labels"]))
        fields |= {
            "area": [[2.5] * n for n in sizes],
            "iscrowd": [[i % 2 == 1] * n for i, n in enumerate(sizes)],
            "segmentation": [
                [[[0, 0, 1, 0, 1, 1.5]] if i % 2 == 0 else []] * n for i, n in enumerate(sizes)
            ],
            "rle": [[[] if i % 2 == 0 else [3, 4, 5]] * n for i, n in enumerate(sizes)],
            "keypoints": [[[[1, 2, 2], [3, 4, 1]]] * n for n in sizes],
        }
        columns = {
            "image_id": [str(i) for i in range(count)],
            "file_name": [f"{i}.jpg" for i in range(count)],
            "width": [10] * count,
            "height": [9] * count,
            "captions": [["a cat"] * (i % 3) for i in range(count)],
        }
        return rows_of(formats.create(FULL).schema, columns, fields)  # type: ignore[attr-defined]


def content(*annotations: dict[str, Any], **parts: Any) -> bytes:
    """Return a file of annotations of two images, with ids as in COCO."""
    listed = [
        {"id": 397133, "file_name": "000000397133.jpg", "width": 640, "height": 427, "license": 1},
        {"id": 37777, "file_name": "sub/000000037777.jpg", "width": 352, "height": 230},
    ]
    return json.dumps({"info": {}, "images": listed, "annotations": annotations} | parts).encode()


BOX = {"id": 1, "image_id": 397133, "category_id": 90, "bbox": [217.62, 240.54, 38.99, 57.75]}
IMAGES = images("val/000000397133.jpg", "val/sub/000000037777.jpg", "val/extra.jpg")


def test_images_boxes_and_categories_are_read() -> None:
    """Images without annotations are rows, and other files are not."""
    first, second = read(COCO, image=IMAGES, annotations={"a.json": content(BOX)})
    assert first["image"].endswith(b"397133.jpg")
    assert (first["image_id"], first["width"], first["height"]) == ("397133", 640, 427)
    assert first["objects"] == {"boxes": [BOX["bbox"]], "labels": ["90"]}
    assert second["objects"] == {"boxes": [], "labels": []}
    assert second["captions"] == []


def test_all_fields_are_read() -> None:
    polygon = {**BOX, "segmentation": [[0, 0, 4, 0, 4, 2.5]], "area": 5.5, "iscrowd": 0}
    crowd = {**BOX, "id": 2, "iscrowd": 1, "segmentation": {"size": [2, 3], "counts": [1, 2, 3]}}
    points = {**BOX, "id": 3, "keypoints": [1, 2, 2, 3, 4, 0]}
    (row, _) = read(FULL, image=IMAGES, annotations={"a.json": content(polygon, crowd, points)})
    found = row["objects"]
    assert found["area"] == [5.5, *[pytest.approx(38.99 * 57.75)] * 2]
    assert found["iscrowd"] == [False, True, False]
    assert found["segmentation"] == [[[0, 0, 4, 0, 4, 2.5]], [], []]
    assert found["rle"] == [[], [1, 2, 3], []]
    assert found["keypoints"] == [[[0, 0, 0]] * 2, [[0, 0, 0]] * 2, [[1, 2, 2], [3, 4, 0]]]


def compressed(counts: list[int]) -> str:
    """Encode runs like `rleToString` in the C code of pycocotools."""
    text = ""
    for i, count in enumerate(counts):
        value, more = count - (counts[i - 2] if i > 2 else 0), True
        while more:
            digit, value = value & 31, value >> 5
            more = value != (-1 if digit & 16 else 0)
            text += chr(48 + (digit | 32 if more else digit))
    return text


@pytest.mark.parametrize(
    "counts", [[12], [4, 2, 1, 2, 3], [0, 100000, 1, 5, 99, 31, 32, 15, 16, 1023, 1024, 7]]
)
def test_compressed_masks_become_runs(counts: list[int]) -> None:
    mask = {"size": [3, 4], "counts": compressed(counts)}
    data = content({**BOX, "segmentation": mask})
    (row, _) = read(FULL, image=IMAGES, annotations={"a.json": data})
    assert row["objects"]["rle"] == [counts]


def test_polygons_without_a_box_get_the_box_around_them() -> None:
    item = {"id": 1, "image_id": 37777, "category_id": 1, "segmentation": [[1, 2, 5, 2, 5, 9]]}
    (_, row) = read(COCO, image=IMAGES, annotations={"a.json": content(item)})
    assert row["objects"]["boxes"] == [[1, 2, 4, 7]]


def test_instances_keypoints_and_captions_are_combined() -> None:
    captions = [{"id": 5, "image_id": 397133, "caption": text} for text in ("a man", "a kitchen")]
    points = {**BOX, "keypoints": [1, 2, 2, 3, 4, 2]}
    files = {
        "instances.json": content(BOX, {**BOX, "id": 2}),
        "captions.json": content(*captions),
        "person_keypoints.json": content(points),
    }
    (row, _) = read(FULL, image=IMAGES, annotations=files)
    assert row["captions"] == ["a man", "a kitchen"]
    assert row["objects"]["keypoints"] == [[[1, 2, 2], [3, 4, 2]], [[0, 0, 0]] * 2]


def test_annotations_of_unlisted_images_are_ignored() -> None:
    data = content(BOX, {**BOX, "id": 2, "image_id": 1})
    rows = read(COCO, image=IMAGES, annotations={"a.json": data})
    assert [len(row["objects"]["boxes"]) for row in rows] == [1, 0]


def test_missing_image_is_an_error_unless_it_is_skipped() -> None:
    some = images("000000397133.jpg")
    with pytest.raises(ReadError, match=r"no image 'sub/000000037777\.jpg'"):
        read(COCO, image=some, annotations={"a.json": content(BOX)})
    rows = read(COCO | {"skip_missing": True}, image=some, annotations={"a.json": content(BOX)})
    assert [row["image_id"] for row in rows] == ["397133"]


def test_ambiguous_name_is_an_error() -> None:
    same = images("a/000000397133.jpg", "b/000000397133.jpg")
    with pytest.raises(ReadError, match=r"can be a/000000397133\.jpg or b/"):
        read(COCO, image=same, annotations={"a.json": content(BOX)})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[]", "it is not COCO annotations"),
        (content(BOX)[:-9], "it is not COCO annotations"),
        (content({**BOX, "bbox": [1, 2, 3]}), "annotation 1 has no bbox"),
        (content({**BOX, "bbox": [], "segmentation": []}), "annotation 1 has no bbox"),
        (content({**BOX, "segmentation": {"counts": [-1]}}), "annotation 1 has a segmentation"),
        (content({**BOX, "keypoints": [1, 2]}), "annotation 1 has 2 numbers of keypoints, not 6"),
    ],
)
def test_damaged_annotation_is_an_error(data: bytes, reason: str) -> None:
    with pytest.raises(ReadError, match=rf"a\.json: {reason}"):
        read(FULL, image=IMAGES, annotations={"a.json": data})
