"""Load array datasets from small handmade files in upstream's layout."""

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
    """Return the rows of a split with these bytes as its resources."""
    paths = {}
    for resource, data in resources.items():
        paths[resource] = tmp_path / resource
        paths[resource].write_bytes(data)
    return pa.Table.from_batches(rows_of(Registry(()).manifest(name), split, paths))


def label(manifest: Manifest, column: str) -> LabelFeature:
    """Return the label feature of a column."""
    feature = manifest.features[column]
    assert isinstance(feature, LabelFeature)
    return feature


def tarred(**members: bytes) -> bytes:
    """Pack members into a gzip-compressed tar."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def test_cifar_100_has_the_coarse_label_first(tmp_path: Path) -> None:
    """The published training set starts with fine labels 19, 29, 0 and coarse labels 11, 15, 4."""
    labels = [(11, 19), (15, 29), (4, 0)]
    data = b"".join(bytes(pair) + bytes(3072) for pair in labels)
    archive = tarred(**{"cifar-100-binary/train.bin": data})
    table = rows("cifar-100", "train", tmp_path, archive=archive)
    assert table.column("fine_label").to_pylist() == [19, 29, 0]
    assert table.column("coarse_label").to_pylist() == [11, 15, 4]
    manifest = Registry(()).manifest("cifar-100")
    assert label(manifest, "fine_label").str(19) == "cattle"
    assert label(manifest, "coarse_label").str(11) == "large_omnivores_and_herbivores"
    assert label(manifest, "fine_label").str(26) == "crab"


def test_cifar_10_trains_on_five_files_in_order(tmp_path: Path) -> None:
    names = [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in (3, 1, 5, 2, 4)]
    archive = tarred(**{name: bytes([int(name[-5])]) + bytes(3072) for name in names})
    table = rows("cifar-10", "train", tmp_path, archive=archive)
    assert table.column("label").to_pylist() == [1, 2, 3, 4, 5]


def test_label_10_of_svhn_is_the_digit_0(tmp_path: Path) -> None:
    """All other digits are their own class number."""
    sink = io.BytesIO()
    images = np.arange(32 * 32 * 3 * 4, dtype=np.uint32).reshape(32, 32, 3, 4).astype(np.uint8)
    digits = np.array([[10], [1], [9], [10]], np.uint8)
    scipy.io.savemat(sink, {"X": images, "y": digits}, do_compression=True)
    table = rows("svhn", "test", tmp_path, test=sink.getvalue())
    assert table.column("label").to_pylist() == [0, 1, 9, 0]
    assert table.column("image").to_pylist() == np.moveaxis(images, 3, 0).tolist()


def test_labels_of_stl_10_start_at_1_and_pixels_are_in_columns(tmp_path: Path) -> None:
    pixels = bytes([1, 2]) + bytes(96 * 96 * 3 - 2)
    archive = tarred(
        **{
            "stl10_binary/test_X.bin": pixels * 2,
            "stl10_binary/test_y.bin": bytes([1, 10]),
            "stl10_binary/unlabeled_X.bin": pixels,
        }
    )
    table = rows("stl-10", "test", tmp_path, archive=archive)
    assert table.column("label").to_pylist() == [0, 9]
    kinds = label(Registry(()).manifest("stl-10"), "label")
    assert [kinds.str(0), kinds.str(9)] == ["airplane", "truck"]
    image = table.column("image")[0].as_py()
    assert (image[0][0], image[1][0], image[0][1]) == ([1, 0, 0], [2, 0, 0], [0, 0, 0])
    unlabeled = rows("stl-10", "unlabeled", tmp_path, archive=archive)
    assert unlabeled.schema.names == ["image"]


def test_resized_imagenet_has_its_own_class_order(tmp_path: Path) -> None:
    """Label 1 is n02119789, the kit fox, which is 278 in sorted order."""
    inner = io.BytesIO()
    data = np.arange(2 * 192, dtype=np.uint16).reshape(2, 192).astype(np.uint8)
    np.savez_compressed(inner, data=data, labels=np.array([1, 449]))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("Imagenet8_val")
        archive.writestr("Imagenet8_val/val_data.npz", inner.getvalue())
    table = rows("imagenet-resized/8x8", "validation", tmp_path, validation=outer.getvalue())
    numbers = table.column("label").to_pylist()
    classes = label(Registry(()).manifest("imagenet-resized/8x8"), "label")
    assert [classes.code(number) for number in numbers] == ["n02119789", "n01440764"]
    assert [classes.str(number) for number in numbers] == [
        "kit fox, Vulpes macrotis",
        "tench, Tinca tinca",
    ]
    planes = data.reshape(2, 3, 8, 8)
    assert table.column("image").to_pylist() == planes.transpose(0, 2, 3, 1).tolist()


def test_synthetic_svhn_has_the_layout_of_upstream(tmp_path: Path) -> None:
    """Images are along the last axis, and label 10 is the digit 0."""
    store = Store(tmp_path)
    synthetic = synthesize(Registry(()).manifest("svhn"), store, rows=30)
    path = store.blob(synthetic.resources["train"].digest)
    assert path is not None
    arrays = scipy.io.loadmat(path)
    assert arrays["X"].shape == (32, 32, 3, 30)
    assert arrays["X"].dtype == arrays["y"].dtype == np.uint8
    assert set(arrays["y"].reshape(-1).tolist()) == set(range(1, 11))


EMNIST = ["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]


def emnist(member: str, images: np.ndarray, labels: list[int]) -> bytes:
    """Return EMNIST's zip with the training files of one member."""
    image_file = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes()
    classes = struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in (("images-idx3", image_file), ("labels-idx1", classes)):
            packed = gzip.compress(data)
            archive.writestr(f"gzip/emnist-{member}-train-{name}-ubyte.gz", packed)
    return sink.getvalue()


@pytest.mark.parametrize("member", EMNIST)
def test_images_of_emnist_are_upright(member: str, tmp_path: Path) -> None:
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 3, :] = 255
    table = rows(f"emnist/{member}", "train", tmp_path, archive=emnist(member, images, [1]))
    image = np.array(table.column("image")[0].as_py())[:, :, 0]
    assert np.flatnonzero(image[0]).tolist() == [3]
    assert image[:, 3].tolist() == [255] * 28


def test_letters_of_emnist_start_at_1(tmp_path: Path) -> None:
    """Label 0 does not occur and has no class."""
    name = "emnist/letters"
    images = np.zeros((3, 28, 28), np.uint8)
    table = rows(name, "train", tmp_path, archive=emnist("letters", images, [1, 26, 2]))
    letters = label(Registry(()).manifest(name), "label")
    names = [letters.str(number) for number in table.column("label").to_pylist()]
    assert names == ["a", "z", "b"]
    assert len(letters.names) == 26
    with pytest.raises(SchemaError):
        rows(name, "train", tmp_path, archive=emnist("letters", images, [0, 1, 2]))
