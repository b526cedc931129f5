"""Export folders of images by class and read them with other programs."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from tests.exporting import Rows, Some, written


def test_each_class_has_a_folder(some: Some, rows: Rows, tmp_path: Path) -> None:
    (folder,) = written(some("photo", "label"), "imagefolder", tmp_path)
    files = {
        int(path.stem): (path.parent.name, path.suffix, path.read_bytes())
        for path in folder.glob("*/*")
    }
    names = ["cat", "T-shirt_top", "owl"]
    for number, row in enumerate(rows):
        suffix = ".png" if number % 2 else ".jpg"
        assert files[number] == (names[row["label"]], suffix, row["photo"])
    assert {path.name for path in folder.iterdir()} == set(names)


def test_hugging_face_loads_image_folders(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Raw images are written as files too."""
    pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets
    datasets: Any = importlib.import_module("datasets")
    written(some("pixels", "label"), "imagefolder", tmp_path / "exported")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "exported"), cache_dir=str(tmp_path / "cache")
    )["train"]
    names = loaded.features["label"].names
    images = sorted((names[row["label"]], int(np.asarray(row["image"])[0, 0])) for row in loaded)
    folders = ["cat", "T-shirt_top", "owl"]
    assert images == sorted((folders[row["label"]], int(row["pixels"][0, 0, 0])) for row in rows)


def test_class_names_become_valid_folder_names(tmp_path: Path) -> None:
    """Device names, dots and names that differ only in case get different folders."""
    names = ("Owl", "owl", "con", "..", "a/b", "a:b", " x ", "")
    count = len(names)
    dataset = Dataset.from_arrays(
        {"image": np.zeros((count, 2, 2, 1), np.uint8), "label": np.arange(count)},
        features={"image": ImageFeature(shape=(2, 2, 1)), "label": LabelFeature(names=names)},
    )
    (folder,) = written(dataset, "imagefolder", tmp_path)
    files = sorted((int(path.stem), path.parent.name) for path in folder.glob("*/*.png"))
    assert [name for _, name in files] == [
        *("Owl", "owl_2", "con_", "_", "a_b", "a_b_2", "x", "__2")
    ]
