"""Quirks of upstream's arrays, with handmade files for manifests of the registry."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.io

from dshub import Registry
from dshub.cache.store import Store
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.errors import SchemaError
from dshub.synthetic.synthesize import synthesize
from dshub.tables.building import rows_of


def rows(name: str, split: str, tmp_path: Path, **resources: bytes) -> pa.Table:
    """The rows of a split with these bytes as its resources."""
    paths = {}
    for resource, data in resources.items():
        paths[resource] = tmp_path / resource
        paths[resource].write_bytes(data)
    return pa.Table.from_batches(rows_of(Registry(()).manifest(name), split, paths))


def label(manifest: Manifest, column: str) -> LabelFeature:
    """The classes of a column."""
    feature = manifest.features[column]
    assert isinstance(feature, LabelFeature)
    return feature


def tarred(**members: bytes) -> bytes:
    """A tar in gzip."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def test_cifar_100_has_the_coarse_label_first(tmp_path: Path) -> None:
    """The first rows of the training set are fine 19, 29, 0 and coarse 11, 15, 4."""
    labels = [(11, 19), (15, 29), (4, 0)]
    data = b"".join(bytes(pair) + bytes(3072) for pair in labels)
    archive = tarred(**{"cifar-100-binary/train.bin": data})
    found = rows("cifar-100", "train", tmp_path, archive=archive)
    assert found.column("fine_label").to_pylist() == [19, 29, 0]
    assert found.column("coarse_label").to_pylist() == [11, 15, 4]
    manifest = Registry(()).manifest("cifar-100")
    assert label(manifest, "fine_label").str(19) == "cattle"
    assert label(manifest, "coarse_label").str(11) == "large_omnivores_and_herbivores"
    assert label(manifest, "fine_label").str(26) == "crab"


def test_cifar_10_trains_on_five_files_in_order(tmp_path: Path) -> None:
    names = [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in (3, 1, 5, 2, 4)]
    archive = tarred(**{name: bytes([int(name[-5])]) + bytes(3072) for name in names})
    found = rows("cifar-10", "train", tmp_path, archive=archive)
    assert found.column("label").to_pylist() == [1, 2, 3, 4, 5]


def test_svhn_writes_10_for_the_digit_0(tmp_path: Path) -> None:
    """Class 0 is the digit 0; other digits are their own class."""
    sink = io.BytesIO()
    pictures = np.arange(32 * 32 * 3 * 4, dtype=np.uint32).reshape(32, 32, 3, 4).astype(np.uint8)
    digits = np.array([[10], [1], [9], [10]], np.uint8)
    scipy.io.savemat(sink, {"X": pictures, "y": digits}, do_compression=True)
    found = rows("svhn", "test", tmp_path, test=sink.getvalue())
    assert found.column("label").to_pylist() == [0, 1, 9, 0]
    assert found.column("image").to_pylist() == np.moveaxis(pictures, 3, 0).tolist()


def test_stl_10_counts_classes_from_1_and_stores_columns(tmp_path: Path) -> None:
    """Label 1 is class 0, 10 is class 9; values of a file go down columns."""
    pixels = bytes([1, 2]) + bytes(96 * 96 * 3 - 2)
    archive = tarred(
        **{
            "stl10_binary/test_X.bin": pixels * 2,
            "stl10_binary/test_y.bin": bytes([1, 10]),
            "stl10_binary/unlabeled_X.bin": pixels,
        }
    )
    found = rows("stl-10", "test", tmp_path, archive=archive)
    assert found.column("label").to_pylist() == [0, 9]
    kinds = label(Registry(()).manifest("stl-10"), "label")
    assert [kinds.str(0), kinds.str(9)] == ["airplane", "truck"]
    picture = found.column("image")[0].as_py()
    assert (picture[0][0], picture[1][0], picture[0][1]) == ([1, 0, 0], [2, 0, 0], [0, 0, 0])
    unlabeled = rows("stl-10", "unlabeled", tmp_path, archive=archive)
    assert unlabeled.schema.names == ["image"]


def test_resized_imagenet_has_its_own_class_order(tmp_path: Path) -> None:
    """Class 1 of the files is n02119789, the kit fox, which is 278 in sorted order."""
    inner = io.BytesIO()
    data = np.arange(2 * 192, dtype=np.uint16).reshape(2, 192).astype(np.uint8)
    np.savez_compressed(inner, data=data, labels=np.array([1, 449]))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("Imagenet8_val")
        archive.writestr("Imagenet8_val/val_data.npz", inner.getvalue())
    found = rows("imagenet-resized/8x8", "validation", tmp_path, validation=outer.getvalue())
    numbers = found.column("label").to_pylist()
    classes = label(Registry(()).manifest("imagenet-resized/8x8"), "label")
    assert [classes.code(number) for number in numbers] == ["n02119789", "n01440764"]
    assert [classes.str(number) for number in numbers] == [
        "kit fox, Vulpes macrotis",
        "tench, Tinca tinca",
    ]
    planes = data.reshape(2, 3, 8, 8)
    assert found.column("image").to_pylist() == planes.transpose(0, 2, 3, 1).tolist()


def test_synthetic_svhn_is_written_like_upstream(tmp_path: Path) -> None:
    """SciPy reads X with images along its last axis, and the number 10 for the digit 0."""
    store = Store(tmp_path)
    made = synthesize(Registry(()).manifest("svhn"), store, rows=30)
    path = store.blob(made.resources["train"].digest)
    assert path is not None
    found = scipy.io.loadmat(path)
    assert found["X"].shape == (32, 32, 3, 30)
    assert found["X"].dtype == found["y"].dtype == np.uint8
    assert set(found["y"].reshape(-1).tolist()) == set(range(1, 11))


EMNIST = ["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]


def emnist(member: str, pictures: np.ndarray, labels: list[int]) -> bytes:
    """The zip of EMNIST with training images of a member, stored uncompressed."""
    images = struct.pack(">4B3I", 0, 0, 8, 3, *pictures.shape) + pictures.tobytes()
    classes = struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in (("images-idx3", images), ("labels-idx1", classes)):
            packed = gzip.compress(data)
            archive.writestr(f"gzip/emnist-{member}-train-{name}-ubyte.gz", packed)
    return sink.getvalue()


@pytest.mark.parametrize("member", EMNIST)
def test_images_of_emnist_are_upright(member: str, tmp_path: Path) -> None:
    pictures = np.zeros((1, 28, 28), np.uint8)
    pictures[0, 3, :] = 255
    found = rows(f"emnist/{member}", "train", tmp_path, archive=emnist(member, pictures, [1]))
    picture = np.array(found.column("image")[0].as_py())[:, :, 0]
    assert np.flatnonzero(picture[0]).tolist() == [3]
    assert picture[:, 3].tolist() == [255] * 28


def test_letters_of_emnist_count_from_1(tmp_path: Path) -> None:
    """1 is the letter a, 26 is z; 0 never occurs and has no class."""
    name = "emnist/letters"
    pictures = np.zeros((3, 28, 28), np.uint8)
    found = rows(name, "train", tmp_path, archive=emnist("letters", pictures, [1, 26, 2]))
    letters = label(Registry(()).manifest(name), "label")
    told = [letters.str(number) for number in found.column("label").to_pylist()]
    assert told == ["a", "z", "b"]
    assert len(letters.names) == 26
    with pytest.raises(SchemaError):
        rows(name, "train", tmp_path, archive=emnist("letters", pictures, [0, 1, 2]))
