import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dshub
from dshub.compat import torchvision as compat

FAMILY = [  # class, arguments, prefix of torchvision's files, dataset
    ("MNIST", {}, "{split}", "mnist"),
    ("FashionMNIST", {}, "{split}", "fashion-mnist"),
    ("KMNIST", {}, "{split}", "kmnist"),
    ("EMNIST", {"split": "letters"}, "emnist-letters-{part}", "emnist/letters"),
    ("EMNIST", {"split": "balanced"}, "emnist-balanced-{part}", "emnist/balanced"),
]


def idx(values: np.ndarray) -> bytes:
    """Return the contents of an IDX file of bytes."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return header + np.ascontiguousarray(values, np.uint8).tobytes()


@pytest.mark.parametrize(
    ("name", "options", "prefix", "dataset"), FAMILY, ids=[f"{f[0]}-{f[3]}" for f in FAMILY]
)
@pytest.mark.parametrize("train", [True, False], ids=["train", "test"])
def test_mnist_family_equals_torchvision(
    name: str,
    options: dict[str, Any],
    prefix: str,
    dataset: str,
    train: bool,
    synthetic: int,
    tmp_path: Path,
    torchvision: Any,
) -> None:
    """torchvision reads the same synthetic images from files as published."""
    rows = dshub.load(dataset, "train" if train else "test")
    images, labels = np.asarray(rows["image"])[..., 0], np.asarray(rows["label"])
    if name == "EMNIST":  # published images are transposed
        images = images.swapaxes(1, 2)
        feature: Any = dshub.info(dataset).features["label"]
        labels = labels + feature.first
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    prefix = prefix.format(split="train" if train else "t10k", part="train" if train else "test")
    (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
    (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    for other in ("train", "t10k"):  # torchvision looks for all files
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"{other}-{kind}-ubyte").touch()
    transform = torchvision.transforms.ToTensor()
    arguments = {"train": train, "transform": transform, **options}
    theirs = getattr(torchvision.datasets, name)(tmp_path, **arguments)
    ours = getattr(compat, name)(tmp_path, **arguments)
    torch = pytest.importorskip("torch")
    for (image, target), (expected, number) in zip(ours, theirs, strict=True):
        assert torch.equal(image, expected)
        assert target == number
    assert torch.equal(ours.data, theirs.data)
    assert torch.equal(ours.targets, theirs.targets)
    assert (ours.data.dtype, ours.targets.dtype) == (theirs.data.dtype, theirs.targets.dtype)
    assert (ours.classes, ours.class_to_idx) == (theirs.classes, theirs.class_to_idx)


@pytest.mark.real
def test_real_files_of_torchvision_are_read_from_root(
    real_fashion_mnist: Path, tmp_path: Path, torchvision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for path in real_fashion_mnist.glob("*.gz"):
        (folder / path.name).symlink_to(path)
    mirror = f"{real_fashion_mnist.as_uri()}/"
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [mirror])
    theirs = torchvision.datasets.FashionMNIST(tmp_path, train=False, download=True)
    ours = compat.FashionMNIST(tmp_path, train=False)
    assert (ours.data == theirs.data).all()
    assert ours.targets.tolist() == theirs.targets.tolist()
    assert (len(ours), ours.classes) == (10_000, theirs.classes)


def write_cifar(path: Path, rows: Any, label: str) -> None:
    images = np.asarray(rows["image"]).transpose(0, 3, 1, 2).reshape(len(rows), -1)
    entry = {"data": images, label: np.asarray(rows[rows.supervised[1]]).tolist()}
    path.write_bytes(pickle.dumps(entry))


@pytest.mark.parametrize(
    ("name", "dataset", "label"),
    [("CIFAR10", "cifar-10", "labels"), ("CIFAR100", "cifar-100", "fine_labels")],
)
def test_cifar_equals_torchvision(
    name: str,
    dataset: str,
    label: str,
    synthetic: int,
    tmp_path: Path,
    torchvision: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = getattr(torchvision.datasets, name)
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    write_cifar(folder / kind.test_list[0][0], dshub.load(dataset, "test"), label)
    feature: Any = dshub.info(dataset).features[label.removesuffix("s")]
    names = list(feature.names)
    (folder / kind.meta["filename"]).write_bytes(pickle.dumps({kind.meta["key"]: names}))
    monkeypatch.setattr(kind, "_check_integrity", lambda _: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    theirs, ours = kind(tmp_path, train=False), getattr(compat, name)(tmp_path, train=False)
    assert type(ours.targets) is type(theirs.targets)
    assert ours.targets == theirs.targets
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert (ours.classes, ours.class_to_idx) == (theirs.classes, theirs.class_to_idx)
    np.testing.assert_array_equal(ours[7][0], theirs[7][0])
    assert ours[7][1] == theirs[7][1]


def test_changed_data_and_targets_are_used(synthetic: int) -> None:
    rows = compat.CIFAR10("data")
    expected = np.asarray(rows[9][0])
    rows.data, rows.targets = rows.data[[9, 3]], [7, 8]
    assert len(rows) == 2
    np.testing.assert_array_equal(rows[0][0], expected)
    assert [target for _, target in rows] == [7, 8]
    rows.data[1] = 5
    rows.targets[1] = 6
    again = pickle.loads(pickle.dumps(rows))
    assert np.asarray(again[1][0]).tolist() == np.full((32, 32, 3), 5).tolist()
    assert again[1][1] == 6
    np.testing.assert_array_equal(compat.CIFAR10("data")[9][0], expected)


def test_data_without_torch_is_an_array(synthetic: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    monkeypatch.delitem(__import__("sys").modules, "dshub.adapters.torch", raising=False)
    rows = compat.MNIST("data")
    assert isinstance(rows.data, np.ndarray)
    assert (rows.data.shape, rows.targets.dtype) == ((synthetic, 28, 28), np.int64)
    rows.data[0] = 0
    assert not np.asarray(rows[0][0]).any()


def test_svhn_and_stl_have_channels_first(synthetic: int) -> None:
    for kind, name, size in ((compat.SVHN, "svhn", 32), (compat.STL10, "stl-10", 96)):
        rows, expected = kind("data", split="test"), dshub.load(name, "test")
        assert rows.data.shape == (synthetic, 3, size, size)
        np.testing.assert_array_equal(rows.data[4].transpose(1, 2, 0), expected[4]["image"])
        np.testing.assert_array_equal(rows[4][0], expected[4]["image"])
        np.testing.assert_array_equal(rows.labels, expected["label"])
        rows.labels = np.zeros(synthetic, np.int64)
        assert rows[4][1] == 0


def test_unlabeled_images_have_the_label_minus_one(synthetic: int) -> None:
    labels = dshub.load("stl-10", "train")["label"].tolist()
    both = compat.STL10("data", split="train+unlabeled")
    assert both.labels.tolist() == labels + [-1] * synthetic
    assert [compat.STL10("data", split="unlabeled")[3][1], both[3][1]] == [-1, labels[3]]
    with pytest.raises(ValueError, match="folds is 1"):
        compat.STL10("data", folds=1)


def test_qmnist_has_all_numbers(synthetic: int) -> None:
    expected = dshub.load("qmnist", "test")
    rows = compat.QMNIST("data", train=False, compat=False)
    writer = np.asarray(rows.targets)[:, 2]
    assert writer.tolist() == expected["writer"].tolist()
    assert np.asarray(rows.targets).shape == (synthetic, 8)
    assert np.asarray(rows[2][1]).tolist()[:2] == [
        expected[2]["label"],
        expected[2]["hsf_series"],
    ]
    assert compat.QMNIST("data", "test10k")[2][1] == expected[2]["label"]
    assert len(compat.QMNIST("data", "nist")) == synthetic


def test_old_names_are_data_and_targets(synthetic: int) -> None:
    rows: Any = compat.MNIST("data")
    assert rows.train_data is rows.data
    assert rows.train_labels is rows.targets
