"""Test drafts of images with masks whose splits are in lists."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset
from tests.datasets.test_depths import write
from tests.end_to_end.practitioners.files import tree
from tests.publishing.authoring.conftest import New

LISTS = {"train": "1\r\n3\r\n", "val": "2\n"}


def voc(data: Path, root: str = "VOC") -> None:
    """Write images 1 to 4 with masks, and lists without the last one."""
    for number in range(1, 5):
        pixels = np.full((4, 5), number, np.uint8)
        image = np.stack([pixels * 10] * 3, 2)
        write(data, {f"{root}/JPEGImages/{number}.jpg": image})
        write(data, {f"{root}/SegmentationClass/{number}.png": pixels})
    tree({f"{root}/ImageSets/Segmentation/{name}.txt": LISTS[name] for name in LISTS})(data)
    tree({f"{root}/ImageSets/Main/train.txt": "4\n"})(data)


def values(dataset: Dataset) -> list[int]:
    return [int(row["mask"][0, 0]) for row in dataset]


def test_lists_state_the_splits_of_masks(new: New, data: Path) -> None:
    voc(data)
    result = new(data)
    assert {name: values(rows) for name, rows in result.splits.items()} == {
        "train": [1, 3],
        "validation": [2],
    }
    assert [int(round(float(row["image"].mean()), -1)) for row in result["train"]] == [10, 30]
    assert result.doubts("no list names 1 of 4 images")
    assert values(Dataset.from_folder(data, "train")) == [1, 3]


def test_lists_can_be_in_the_archive_of_the_images(new: New, data: Path) -> None:
    voc(data / "unpacked")
    data = data / "archive"
    data.mkdir()
    with zipfile.ZipFile(data / "voc.zip", "w") as archive:
        for path in sorted((data.parent / "unpacked").rglob("*.*")):
            archive.write(path, path.relative_to(data.parent / "unpacked"))
    result = new(data / "voc.zip")
    assert values(result["train"]) == [1, 3]


@pytest.mark.parametrize("line", ["5", "masks"])
def test_lists_of_other_names_are_skipped(line: str, new: New, data: Path) -> None:
    voc(data)
    tree({"VOC/ImageSets/Segmentation/train.txt": f"{line}\n"})(data)
    result = new(data)
    assert values(result["train"]) == [1, 2, 3, 4]


def test_folders_of_splits_have_priority(new: New, data: Path) -> None:
    voc(data, "train")
    assert values(new(data)["train"]) == [1, 2, 3, 4]
