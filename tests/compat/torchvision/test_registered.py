import copy
import inspect
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import dshub
from dshub.compat import torchvision as compat
from dshub.compat.torchvision import datasets
from dshub.compat.torchvision.registered import RegisteredDataset

CLASSES = [
    name for name in datasets.__all__ if issubclass(getattr(datasets, name), RegisteredDataset)
]
ARGUMENTS: dict[str, dict[str, Any]] = {"EMNIST": {"split": "digits"}, "Places365": {"small": True}}


@pytest.mark.parametrize("name", CLASSES)
def test_signature_is_that_of_torchvision(name: str, torchvision: Any) -> None:
    theirs = inspect.signature(getattr(torchvision.datasets, name)).parameters
    ours = inspect.signature(getattr(compat, name)).parameters
    named = {key: p for key, p in theirs.items() if p.kind is not p.VAR_KEYWORD}
    assert list(ours)[: len(named)] == list(named)
    for key, parameter in named.items():
        if key != "loader":
            assert ours[key].default == parameter.default
    if len(named) == len(theirs):
        assert len(ours) == len(theirs)


@pytest.mark.parametrize("name", CLASSES)
def test_rows_are_images_and_class_numbers(name: str, synthetic: int, tmp_path: Any) -> None:
    rows = getattr(compat, name)(tmp_path, **ARGUMENTS.get(name, {}))
    assert len(rows) >= synthetic
    pairs = [rows[row] for row in (0, 1, len(rows) - 1)]
    assert all(image.mode in {"L", "RGB"} for image, _ in pairs)
    numbers = [int(np.ravel(rows.targets[row])[0]) for row in (0, 1, -1)]
    assert [target for _, target in pairs] == numbers
    for number in numbers:
        names = rows.classes[number]
        for class_name in names if isinstance(names, tuple) else [names]:
            assert rows.class_to_idx[class_name] == number
    with pytest.raises(IndexError):
        rows[len(rows)]


@pytest.mark.parametrize("name", ["MNIST", "Food101"])
def test_copies_are_independent_and_pickles_are_small(name: str, synthetic: int) -> None:
    rows = getattr(compat, name)("data", transform=np.asarray)
    rows[0]
    other = copy.deepcopy(rows)
    other.transform = None
    assert isinstance(rows[0][0], np.ndarray)
    assert not isinstance(other[0][0], np.ndarray)
    assert len(pickle.dumps(rows)) < 20_000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows))[3][0], rows[3][0])


def test_arguments_are_attributes(synthetic: int) -> None:
    rows = compat.Imagenette("data", "val", size="160px", target_transform=str)
    assert (rows.root, rows.split, rows.size) == ("data", "val", "160px")
    assert rows[0][1] == str(rows.targets[0])
    assert repr(rows).splitlines()[:4] == [
        "Dataset Imagenette",
        f"    Number of datapoints: {synthetic}",
        "    Root location: data",
        "    Split: Val",
    ]


def test_attributes_can_be_replaced(synthetic: int) -> None:
    rows = compat.Food101("data")
    rows.classes = ["food"] * len(rows.classes)
    assert rows.class_to_idx == {"food": len(rows.classes) - 1}
    assert pickle.loads(pickle.dumps(rows)).classes == rows.classes


def test_wrong_arguments_are_errors(synthetic: int) -> None:
    with pytest.raises(TypeError, match="root"):
        compat.MNIST()
    with pytest.raises(TypeError, match="trian"):
        compat.MNIST("data", trian=True)
    with pytest.raises(dshub.DshubError, match="there is no split"):
        compat.SVHN("data", split="tset")


def test_download_false_downloads_nothing() -> None:
    with pytest.raises(dshub.DshubError) as caught:
        compat.MNIST("data", train=False)
    assert str(caught.value).startswith("split test of mnist@1.0.0 is not in the cache or in data")
    assert "pass download=True" in caught.value.hint


def test_imagenet_says_how_to_import_its_files(tmp_path: Any) -> None:
    with pytest.raises(dshub.DshubError) as caught:
        compat.ImageNet(tmp_path, split="val")
    assert "dshub import imagenet-1k" in f"{caught.value} {caught.value.hint}"


def test_subclasses_pass_arguments_on(synthetic: int) -> None:
    class Pairs(compat.CIFAR10):
        def __init__(self, root: str, count: int) -> None:
            super().__init__(root, train=False, download=True)
            self.count = count

        def __getitem__(self, index: int) -> Any:
            row = super().__getitem__(index)
            return [row] * self.count

    assert [target for _, target in Pairs("data", 2)[5]] == [Pairs("data", 1).targets[5]] * 2


def test_frameworks_are_not_imported(synthetic: int) -> None:
    code = (
        "import sys; from dshub.compat.torchvision import MNIST, Food101\n"
        "for rows in (MNIST('data'), Food101('data')): rows[0], rows.classes\n"
        "assert not {'torch', 'torchvision', 'tensorflow'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
