"""Draft manifests of images with annotations, and load them."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import BoxFeature
from dshub.hub.hub import Hub
from dshub.settings import Settings
from tests.datasets.detection_folders import box, coco, voc, write
from tests.publishing.authoring.conftest import New

COCO: dict[str, str | None] = {
    "train2017/a.jpg": None,
    "train2017/b.jpg": None,
    "val2017/a.jpg": None,
    "annotations/instances_train2017.json": coco(
        ["b.jpg", "a.jpg"],
        [box(2, 90, 1.5, 2, 10, 20, segmentation=[[0, 0, 1, 0, 1, 1.5]]), box(2, 1, 0, 0, 1, 1)],
    ),
    "annotations/instances_val2017.json": coco(["a.jpg"], [box(1, 18, 0, 0, 1, 1)]),
}
VOC: dict[str, str | None] = {
    "VOC/JPEGImages/1.jpg": None,
    "VOC/JPEGImages/2.jpg": None,
    "VOC/JPEGImages/3.jpg": None,
    "VOC/Annotations/1.xml": voc(("dog", (1, 2, 3, 4))),
    "VOC/Annotations/2.xml": voc(("cat", (1, 2, 3, 4)), ("dog", (5, 6, 7, 8))),
    "VOC/Annotations/3.xml": voc(),
    "VOC/ImageSets/Main/train.txt": "2\n1\n",
    "VOC/ImageSets/Main/val.txt": "3\n",
}
YOLO: dict[str, str | None] = {
    "data.yaml": "names: [person, bicycle]\n",
    "train/images/1.jpg": None,
    "train/images/2.jpg": None,
    "train/labels/2.txt": "1 0.5 0.5 0.25 0.125\n",
    "val/images/1.jpg": None,
    "val/labels/1.txt": "0 0.5 0.5 0.1 0.1\n",
    "test/images/2.jpg": None,
}
FLAT: dict[str, str | None] = {
    "1.jpg": None,
    "2.jpg": None,
    "2.txt": "1 0.5 0.5 0.25 0.125\n",
    "classes.txt": "a\nb\n",
}


def plain(ds: Dataset) -> list[Any]:
    """Return the objects of each row as Python values."""
    return [
        {name: getattr(value, "tolist", lambda v=value: v)() for name, value in objects.items()}
        if "segmentation" not in objects
        else [objects["boxes"].tolist(), objects["labels"].tolist()]
        for objects in ds[:]["objects"]
    ]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (COCO, ["train", "validation"]),
        (VOC, ["train", "validation"]),
        (YOLO, ["train", "validation", "test"]),
        (FLAT, ["train"]),
    ],
    ids=["coco", "voc", "yolo", "flat"],
)
def test_manifest_gives_the_rows_that_from_folder_gives(
    new: New, data: Path, files: dict[str, str | None], splits: list[str], *, packed: bool
) -> None:
    write(data, files)
    source = data
    if packed:
        source = data.with_suffix(".zip")
        with zipfile.ZipFile(source, "w") as archive:
            for name in files:
                archive.write(data / name, name)
    result = new(source)
    assert list(result.splits) == splits
    for split in splits:
        expected = Dataset.from_folder(data, split if len(splits) > 1 else None)
        assert plain(result[split]) == plain(expected)
        assert result[split].features["objects"] == expected.features["objects"]
        for row, other in zip(result[split], expected, strict=True):
            assert (row["image"] == other["image"]).all()
    assert result.manifest.supervised == ("image", "objects")
    assert result.manifest.task == "object-detection"


def test_unusual_boxes_and_images_without_objects_are_doubts(new: New, data: Path) -> None:
    flat = coco(["b.jpg", "a.jpg"], [box(2, 1, 0, 0, 1, 1), box(2, 1, 0, 0, 1, 0)])
    result = new(write(data, COCO | {"annotations/instances_train2017.json": flat}))
    assert result.doubts("no area") == ["split train: 1 of 2 boxes have no area; they are kept"]
    assert result.doubts("no objects") == ["split train: 1 of 2 images have no objects"]
    assert result.doubts("skipped") == []


def test_images_without_a_row_and_other_files_are_said(new: New, data: Path) -> None:
    write(data, COCO | {"train2017/c.jpg": None, "README.md": "read me"})
    (doubt,) = new(data).doubts("skipped")
    assert "README.md" in doubt
    assert "train2017/c.jpg" in doubt


def test_missing_images_are_left_out_by_an_option_of_the_reader(new: New, data: Path) -> None:
    write(data, COCO)
    (data / "train2017/b.jpg").unlink()
    result = new(data)
    assert result.doubts("skipped 1 of 2 images of annotations/instances_train2017.json")
    assert result["train"]["image_id"].tolist() == [2]


def test_synthetic_rows_have_boxes(new: New, data: Path, hub: Hub) -> None:
    for name, files in {"coco": COCO, "voc": VOC, "yolo": YOLO}.items():
        result = new(write(data / name, files), "--name", f"my/{name}")
        settings = Settings(cache=hub.settings.cache, synthetic=5)
        ds = Hub(settings=settings).load(str(result.path), split="train")
        assert len(ds) == min(5, len(result["train"]))
        assert ds.features["objects"] == result["train"].features["objects"]
        feature: BoxFeature = ds.features["objects"].fields["boxes"].of
        boxes = ds.convert_boxes("xyxy")[0]["objects"]["boxes"]
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (boxes <= 1).all() == feature.relative


def test_options_that_do_not_apply_are_refused(new: New, data: Path) -> None:
    with pytest.raises(DshubError, match="--label"):
        new(write(data, FLAT), "--label", "x")
