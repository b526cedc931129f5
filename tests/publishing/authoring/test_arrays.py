from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub.catalog.features import (
    ImageFeature,
    LabelFeature,
    NumberFeature,
)
from dshub.errors import DshubError, ReadError
from tests.independent.own_files import write_idx
from tests.publishing.authoring.conftest import New


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Return an array of random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_idx_files_with_mnist_names_become_splits(new: New, data: Path) -> None:
    """Image and label files are paired by name, and `t10k` is the test split."""
    images = {"train": noise(20, 6, 5), "t10k": noise(4, 6, 5, seed=1)}
    labels = {"train": np.arange(20) % 3, "t10k": np.array([2, 1, 0, 2])}
    for name, array in images.items():
        write_idx(data / f"{name}-images-idx3-ubyte", array)
        write_idx(data / f"{name}-labels-idx1-ubyte", labels[name])
    result = new(data)
    assert result.manifest.features == {
        "image": ImageFeature(shape=(6, 5, 1)),
        "label": LabelFeature(names=("0", "1", "2")),
    }
    for split, name in {"train": "train", "test": "t10k"}.items():
        assert np.array_equal(result[split]["image"][..., 0], images[name])
        assert np.array_equal(result[split]["label"], labels[name])
    assert result.doubts("replace them with names")


def test_numbered_classes_can_be_renamed_in_the_manifest(new: New, data: Path, hub: Any) -> None:
    write_idx(data / "train-images", noise(3, 6, 5))
    write_idx(data / "train-labels", np.array([3, 5, 4]))
    result = new(data)
    written = result.path.read_text("utf-8")
    assert 'names = ["3", "4", "5"]' in written
    result.path.write_text(written.replace('["3", "4", "5"]', '["cat", "dog", "cow"]'), "utf-8")
    assert hub.load(str(result.path), "train")["label"][:].tolist() == [0, 2, 1]


def test_npz_with_keras_names_becomes_splits(new: New, data: Path) -> None:
    """Images with channels first are transposed, which the output reports."""
    arrays = {"x_train": noise(8, 3, 7, 5), "y_train": np.arange(8) % 2 + 1}
    arrays |= {"x_test": noise(2, 3, 7, 5, seed=1), "y_test": np.array([1, 2])}
    np.savez_compressed(data / "set.npz", allow_pickle=False, **arrays)
    result = new(data / "set.npz")
    assert result.manifest.features == {
        "image": ImageFeature(shape=(7, 5, 3)),
        "label": LabelFeature(names=("1", "2"), first=1),
    }
    for split in ("train", "test"):
        assert np.array_equal(result[split]["image"], arrays[f"x_{split}"].transpose(0, 2, 3, 1))
        assert np.array_equal(result[split]["label"], arrays[f"y_{split}"] - 1)
    assert result.doubts("channels-first")


def test_npz_file_names_give_the_splits(new: New, data: Path) -> None:
    for split, rows in (("train", 8), ("test", 2)):
        np.savez(data / f"{split}.npz", x=noise(rows, 7, 5), y=np.arange(rows) % 2)
    result = new(data / "train.npz", data / "test.npz")
    assert [len(result[split]["label"]) for split in ("train", "test")] == [8, 2]


def test_npy_files_become_columns(new: New, data: Path) -> None:
    features = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    np.save(data / "features.npy", features)
    np.save(data / "target.npy", np.linspace(0, 1, 5))
    result = new(data)
    assert result.manifest.features["features"] == NumberFeature(dtype="float32", shape=(4,))
    assert np.array_equal(result["train"]["features"], features)
    assert result["train"]["target"][:].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_mismatched_arrays_are_rejected(new: New, data: Path) -> None:
    write_idx(data / "train-images", noise(3, 6, 5))
    write_idx(data / "train-labels", np.zeros(2))
    with pytest.raises(ReadError, match="differ in length"):
        new(data)
    write_idx(data / "train-labels", np.zeros(3))
    write_idx(data / "more" / "train-images", noise(3, 6, 5))
    with pytest.raises(DshubError, match=r"more/train-images.*both be column 'image'"):
        new(data)
    (data / "more" / "train-images").unlink()
    content = (data / "train-images").read_bytes()
    (data / "train-images").write_bytes(content[:-1])
    with pytest.raises(ReadError, match="promises 90 bytes of data, but 89 follow"):
        new(data)
    assert not list(Path().iterdir())
