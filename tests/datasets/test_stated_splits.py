"""Test splits that tables and lists beside files state."""

from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, ReadError, SchemaError, UnknownNameError
from tests.datasets.test_beside import images, shown


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Write images 0 to 4 and a table of each split, as Common Voice does."""
    images(tmp_path, *(f"clips/{i}.png" for i in range(5)))
    for split, rows in {"train": "012", "dev": "3", "validated": "0123"}.items():
        lines = [f"{i}.png\ttext {i}" for i in reversed(rows)]
        (tmp_path / f"{split}.tsv").write_text("\n".join(["path\tsentence", *lines]))
    return tmp_path


@pytest.mark.parametrize(
    ("split", "rows"),
    [
        ("train", [0, 1, 2]),
        ("dev", [3]),
        ("validation", [3]),
        ("train[1:]+dev", [1, 2, 3]),
        ("train[:0]", []),
    ],
)
def test_tables_of_splits_select_rows(split: str, rows: list[int], clips: Path) -> None:
    dataset = Dataset.from_folder(clips, split)
    assert shown(dataset, "sentence") == [(i, f"text {i}") for i in rows]


def test_split_is_required_if_tables_state_several(clips: Path) -> None:
    with pytest.raises(ArgumentError, match="train, validation"):
        Dataset.from_folder(clips)
    with pytest.raises(UnknownNameError, match="test"):
        Dataset.from_folder(clips, "test")


def test_splits_share_classes(tmp_path: Path) -> None:
    images(tmp_path, *(f"all/{i}.png" for i in range(6)))
    (tmp_path / "train.csv").write_text("id,label\n0,a\n1,a\n2,b\n3,b\n")
    (tmp_path / "test.csv").write_text("id,label\n4,b\n5,b\n")
    dataset = Dataset.from_folder(tmp_path, "test")
    assert dataset["label"].tolist() == [1, 1]
    assert dataset.features == Dataset.from_folder(tmp_path, "train").features


def test_splits_with_other_columns_are_opened_one_by_one(tmp_path: Path) -> None:
    """Kaggle gives the test split without labels."""
    images(tmp_path, "all/a.png", "all/b.png")
    (tmp_path / "train.csv").write_text("id,label\na,x\n")
    (tmp_path / "test.csv").write_text("id\nb\n")
    assert list(Dataset.from_folder(tmp_path, "test").features) == ["image", "id"]
    assert Dataset.from_folder(tmp_path, "train")["label"] == ["x"]
    with pytest.raises(SchemaError, match=r"train\.csv and test\.csv"):
        Dataset.from_folder(tmp_path, "train+test")


def test_lists_of_names_select_files_of_classes(tmp_path: Path) -> None:
    """Food-101 has names of files without extension in `meta`."""
    images(tmp_path, "images/pie/1.png", "images/pie/2.png", "images/rib/1.png")
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "train.txt").write_text("rib/1\npie/1\n")
    (tmp_path / "meta" / "test.txt").write_text("pie/2\n")
    train, test = (Dataset.from_folder(tmp_path, split) for split in ("train", "test"))
    assert shown(train, "label") == [(0, "pie"), (2, "rib")]
    assert shown(test, "label") == [(1, "pie")]
    with pytest.raises(ArgumentError, match="train, test"):
        Dataset.from_folder(tmp_path)


def test_lists_of_voc_select_pairs_of_images_and_masks(tmp_path: Path) -> None:
    images(tmp_path, *(f"{kind}/{i}.png" for kind in ("JPEGImages", "masks") for i in range(3)))
    for task, lines in {"Segmentation": "2\n", "Main": "0\n1\n2\n"}.items():
        folder = tmp_path / "ImageSets" / task
        folder.mkdir(parents=True)
        (folder / "train.txt").write_text(lines)
        (folder / "val.txt").write_text("0\n")
    dataset = Dataset.from_folder(tmp_path, "train")
    assert [int(np.max(row["image"])) for row in dataset] == [2]
    assert [int(np.max(row["mask"])) for row in dataset] == [5]


def test_list_with_a_missing_file_is_an_error(tmp_path: Path) -> None:
    images(tmp_path, "images/1.png", "images/2.png")
    (tmp_path / "train.txt").write_text("1.png 0\n3.png 1\n")
    with pytest.raises(ReadError, match=r"train\.txt: it names '3\.png 1', which does not exist"):
        Dataset.from_folder(tmp_path, "train")


def test_lists_of_several_folders_are_ignored(tmp_path: Path) -> None:
    """Folds of a cross-validation are not splits of the dataset."""
    images(tmp_path, "images/1.png", "images/2.png")
    for fold in "12":
        (tmp_path / f"fold{fold}").mkdir()
        for split in ("train", "test"):
            (tmp_path / f"fold{fold}" / f"{split}.txt").write_text(f"{fold}.png\n")
    assert len(Dataset.from_folder(tmp_path)) == 2


def test_text_that_names_no_file_is_not_a_list(tmp_path: Path) -> None:
    images(tmp_path, "images/1.png", "images/2.png")
    (tmp_path / "train.txt").write_text("Run train.py to train.\n")
    (tmp_path / "test.txt").write_bytes(b"\xff\xfe")
    assert len(Dataset.from_folder(tmp_path)) == 2
