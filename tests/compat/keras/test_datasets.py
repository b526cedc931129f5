from typing import Any

import numpy as np
import pytest

import dshub
from dshub.compat import keras
from dshub.compat.keras.datasets import cifar10, cifar100, fashion_mnist, mnist
from dshub.compat.keras.datasets.mnist import load_data

MODULES: dict[str, Any] = {  # shape and dtype of x and y, from https://keras.io/api/datasets/
    "mnist": (mnist, (28, 28), (), "uint8"),
    "fashion-mnist": (fashion_mnist, (28, 28), (), "uint8"),
    "cifar-10": (cifar10, (32, 32, 3), (1,), "uint8"),
    "cifar-100": (cifar100, (32, 32, 3), (1,), "int64"),
}


@pytest.mark.parametrize("name", MODULES)
def test_arrays_have_the_shapes_of_keras(name: str, synthetic: int) -> None:
    module, image, label, dtype = MODULES[name]
    for split, (x, y) in zip(("train", "test"), module.load_data(), strict=True):
        rows: Any = dshub.load(name, split)
        assert (x.shape, x.dtype) == ((synthetic, *image), np.uint8)
        assert (y.shape, y.dtype) == ((synthetic, *label), np.dtype(dtype))
        np.testing.assert_array_equal(x.reshape(rows["image"].shape), rows["image"])
        np.testing.assert_array_equal(y.ravel(), rows[rows.supervised[1]])


def test_coarse_labels_are_superclasses(synthetic: int) -> None:
    (_, y), _ = cifar100.load_data(label_mode="coarse")
    expected = dshub.load("cifar-100", "train")["coarse_label"]
    assert (y.shape, y.ravel().tolist()) == ((synthetic, 1), expected.tolist())
    with pytest.raises(ValueError, match="label_mode is 'corase'"):
        cifar100.load_data("corase")


def test_downloaded_file_of_keras_is_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is recognized by its name, but does not have the published bytes."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("DSHUB_OFFLINE", "1")
    (tmp_path / "datasets").mkdir()
    np.savez(tmp_path / "datasets" / "mnist.npz", x_train=np.zeros(3))
    asked: list[Any] = []
    monkeypatch.setattr(dshub.Hub, "import_files", lambda _, *files: asked.append(files))
    with pytest.raises(dshub.DshubError, match="DSHUB_OFFLINE"):
        mnist.load_data()
    assert asked == [("mnist", [tmp_path / "datasets" / "mnist.npz"])]


def test_functions_are_found_as_in_keras() -> None:
    assert keras.datasets.mnist.load_data is load_data


def test_missing_datasets_are_explained() -> None:
    with pytest.raises(ImportError, match=r"import it from keras\.datasets"):
        exec("from dshub.compat.keras.datasets import reuters")
    with pytest.raises(AttributeError):
        keras.datasets.quite_unknown  # noqa: B018
