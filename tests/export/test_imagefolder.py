"""Folders of images by class, read by others."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from tests.exporting import Rows, Some, written


def test_image_folders(some: Some, rows: Rows, tmp_path: Path) -> None:
    """A folder for each class, named so that any file system can; files as they are kept."""
    (folder,) = written(some("photo", "label"), "imagefolder", tmp_path)
    found = {
        int(path.stem): (path.parent.name, path.suffix, path.read_bytes())
        for path in folder.glob("*/*")
    }
    names = ["cat", "T-shirt_top", "owl"]
    for number, row in enumerate(rows):
        suffix = ".png" if number % 2 else ".jpg"
        assert found[number] == (names[row["label"]], suffix, row["photo"])
    assert {path.name for path in folder.iterdir()} == set(names)


def test_image_folders_in_hugging_face(some: Some, rows: Rows, tmp_path: Path) -> None:
    """`load_dataset("imagefolder")` gives the pictures of each class, raw ones too."""
    pytest.importorskip("datasets.table")  # `datasets` alone can be a folder of tests
    datasets: Any = importlib.import_module("datasets")
    written(some("pixels", "label"), "imagefolder", tmp_path / "made")
    found = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "made"), cache_dir=str(tmp_path / "cache")
    )["train"]
    names = found.features["label"].names
    got = sorted((names[row["label"]], int(np.asarray(row["image"])[0, 0])) for row in found)
    folders = ["cat", "T-shirt_top", "owl"]
    assert got == sorted((folders[row["label"]], int(row["pixels"][0, 0, 0])) for row in rows)


def test_class_names_become_valid_folder_names(tmp_path: Path) -> None:
    """What differs in case alone, names of devices and dots get folders of their own."""
    names = ("Owl", "owl", "con", "..", "a/b", "a:b", " x ", "")
    count = len(names)
    dataset = Dataset.from_arrays(
        {"image": np.zeros((count, 2, 2, 1), np.uint8), "label": np.arange(count)},
        features={"image": ImageFeature(shape=(2, 2, 1)), "label": LabelFeature(names=names)},
    )
    (folder,) = written(dataset, "imagefolder", tmp_path)
    found = sorted((int(path.stem), path.parent.name) for path in folder.glob("*/*.png"))
    assert [name for _, name in found] == [
        *("Owl", "owl_2", "con_", "_", "a_b", "a_b_2", "x", "__2")
    ]
