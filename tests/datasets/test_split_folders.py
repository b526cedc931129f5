import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.errors import ArgumentError, SchemaError, UnknownNameError


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(path)


TREE = ["train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dog/1.png"]


@pytest.mark.parametrize(
    "junk",
    ["__MACOSX/train/cat/._1.png", "@eaDir/1.png", ".ipynb_checkpoints/1.png", "wandb/1.png"],
)
def test_junk_beside_splits_changes_nothing(junk: str, tmp_path: Path) -> None:
    write(tmp_path, *TREE, junk)
    with pytest.raises(ArgumentError, match=r": train, val\n"):
        Dataset.from_folder(tmp_path)
    dataset = Dataset.from_folder(tmp_path, "train")
    assert dataset.features["label"] == LabelFeature(names=("cat", "dog"))


def test_other_folder_beside_splits_is_read_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, *TREE, "samples/bird/1.png")
    with pytest.raises(ArgumentError, match="train, val") as caught:
        Dataset.from_folder(tmp_path)
    assert "split='samples'" in caught.value.hint
    assert len(Dataset.from_folder(tmp_path, "samples")) == 1
    assert len(Dataset.from_folder(tmp_path, "train+val")) == 4


@pytest.mark.parametrize("above", ["", "dataset/dataset/"])
@pytest.mark.parametrize(("train", "val"), [("train", "valid"), ("seg_train/seg_train", "seg_val")])
def test_splits_are_found_below_folders_without_meaning(
    above: str, train: str, val: str, tmp_path: Path
) -> None:
    for split in (train, val):
        write(tmp_path, *(f"{above}{split}/{name}/1.png" for name in ("cat", "dog")))
    assert len(Dataset.from_folder(tmp_path, "train")) == 2
    assert Dataset.from_folder(tmp_path, "validation")["label"].tolist() == [0, 1]


def test_test_split_without_classes_is_unlabeled(tmp_path: Path) -> None:
    write(tmp_path, *TREE, "test/test/1.png")
    assert list(Dataset.from_folder(tmp_path, "test").features) == ["image"]
    assert list(Dataset.from_folder(tmp_path, "train").features) == ["image", "label"]


def test_class_named_train_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "train/1.png", "bus/1.png", "car/1.png")
    with caplog.at_level(logging.WARNING):
        dataset = Dataset.from_folder(tmp_path)
    assert dataset["label"].tolist() == [0, 1, 2]
    assert "split='train'" in caplog.text


def test_splits_below_classes_are_never_mixed(tmp_path: Path) -> None:
    write(tmp_path, *(f"{name}/{split}/1.png" for name in "ab" for split in ("train", "test")))
    with pytest.raises(SchemaError, match="folders of splits in a, b"):
        Dataset.from_folder(tmp_path)
    assert len(Dataset.from_folder(tmp_path / "a", "train")) == 1


def test_name_of_two_split_folders_is_ambiguous(tmp_path: Path) -> None:
    write(tmp_path, "train_1/1.png", "train_2/1.png", "test/1.png")
    with pytest.raises(UnknownNameError, match="single split"):
        Dataset.from_folder(tmp_path, "train")
    assert len(Dataset.from_folder(tmp_path, "train_1+train_2")) == 2
