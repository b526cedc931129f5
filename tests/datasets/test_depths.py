"""Test the dtype of folders of images and masks, which their headers decide."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature, MaskFeature
from dshub.datasets.depths import common
from dshub.errors import ArgumentError, ReadError, SchemaError
from tests.loading.decoding.test_values import COLORS, DEPTHS, deep_png, voc

GRAY = (DEPTHS >> 8).astype(np.uint8)
RGB = np.dstack([GRAY, GRAY + 1, GRAY + 2])


def write(folder: Path, files: Mapping[str, np.ndarray | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            Image.fromarray(content).save(path)
    return folder


@pytest.mark.parametrize("extension", ["png", "tif", "TIFF"])
def test_folder_of_16_bit_images_keeps_values(extension: str, tmp_path: Path) -> None:
    write(tmp_path, {f"{name}/1.{extension}": DEPTHS for name in ("a", "b")})
    dataset = Dataset.from_folder(tmp_path)
    assert dataset.features["image"] == ImageFeature(encoding="any", dtype="uint16")
    assert np.array_equal(dataset[0]["image"][..., 0], DEPTHS)
    (batch,) = dataset.batches(2, layout="chw")
    assert np.array_equal(batch["image"][1], DEPTHS[None])
    assert Dataset.from_folder(tmp_path, dtype="uint8")[1]["image"].shape == (6, 8, 3)
    assert len(dataset.features["label"].names) == 2


def test_folders_of_other_depths_keep_values(tmp_path: Path) -> None:
    floats = DEPTHS.astype(np.float32) / 7
    dataset = Dataset.from_folder(write(tmp_path / "f", {"1.tif": floats, "2.tif": -floats}))
    assert np.array_equal(dataset[1]["image"][..., 0], -floats)
    whole = Dataset.from_folder(write(tmp_path / "i", {"1.tif": DEPTHS.astype(np.int32) - 9}))
    assert whole[0]["image"].min() == -9
    colors = Dataset.from_folder(write(tmp_path / "c", {"1.png": deep_png(COLORS, 2)}))
    assert np.array_equal(colors[0]["image"], COLORS)
    split = write(tmp_path / "s", {"train/1.png": DEPTHS, "test/2.png": DEPTHS})
    assert Dataset.from_folder(split, "test")[0]["image"].dtype == np.uint16


def test_images_of_8_bits_stay_colors(tmp_path: Path) -> None:
    files: dict[str, np.ndarray | bytes] = {
        "a/1.png": GRAY,
        "a/2.jpg": RGB,
        "b/3.png": GRAY > 3,
        "b/4.png": voc(),
    }
    dataset = Dataset.from_folder(write(tmp_path, files))
    assert dataset.features["image"] == ImageFeature(encoding="any")
    assert {row["image"].shape[2] for row in dataset} == {3}


@pytest.mark.parametrize("other", ["a/1.png", "a/1.jpg"])
def test_folder_of_several_depths_asks_for_the_dtype(other: str, tmp_path: Path) -> None:
    write(tmp_path, {other: GRAY, "b/2.png": DEPTHS, "b/3.tif": DEPTHS.astype(np.int32)})
    with pytest.raises(SchemaError, match=r'uint16 \(b/2\.png\)(.|\n)*dtype="int32"'):
        Dataset.from_folder(tmp_path)
    assert Dataset.from_folder(tmp_path, dtype="int32")[1]["image"].max() == DEPTHS.max()
    assert Dataset.from_folder(tmp_path, dtype="uint8")[1]["image"].dtype == np.uint8
    with pytest.raises(ArgumentError, match="dtype"):
        Dataset.from_folder(tmp_path, dtype="int8")


def test_masks_are_class_numbers(tmp_path: Path) -> None:
    ids = np.array([[0, 40_000], [7, 1]], np.uint16)
    cases: list[tuple[str, np.ndarray | bytes, np.ndarray]] = [
        ("voc", voc(), np.array([[0, 1, 2], [255, 7, 15]])),
        ("ids", ids, ids),
        ("bits", ids > 1, ids > 1),
        ("gray", np.dstack([GRAY] * 3), GRAY),
    ]
    for name, mask, values in cases:
        files: dict[str, np.ndarray | bytes] = {}
        for number in "12":
            files |= {f"images/{number}.jpg": RGB, f"masks/{number}.png": mask}
        dataset = Dataset.from_folder(write(tmp_path / name, files))
        assert isinstance(dataset.features["mask"], MaskFeature)
        assert np.array_equal(dataset[1]["mask"], values), name
        x, y = next(iter(dataset.batches(2, supervised=True)))
        assert x[0].shape == (6, 8, 3)
        assert np.array_equal(y[1], values), name


def test_masks_of_colors_stay_images(tmp_path: Path) -> None:
    files: dict[str, np.ndarray | bytes]
    files = {f"{kind}/{number}.png": RGB for kind in ("images", "masks") for number in "12"}
    dataset = Dataset.from_folder(write(tmp_path, files))
    assert dataset.features["mask"] == ImageFeature(encoding="any")
    assert np.array_equal(dataset[0]["mask"], RGB)


def test_damaged_images_are_reported_when_they_are_read(tmp_path: Path) -> None:
    damaged: dict[str, np.ndarray | bytes]
    damaged = {"images/1.png": b"\x89PNG\r\n\x1a\n", "masks/1.png": b"II*\0"}
    sound: dict[str, np.ndarray | bytes] = {"images/2.png": GRAY, "masks/2.png": GRAY}
    dataset = Dataset.from_folder(write(tmp_path, damaged | sound))
    with pytest.raises(ReadError, match=r"images/1\.png"):
        dataset[0]


def test_common_dtype_holds_the_values_of_all() -> None:
    assert common([]) == common(["uint8"]) == "uint8"
    assert common(["uint8", "uint16"]) == "uint16"
    assert common(["uint16", "int32"]) == "int32"
    assert common(["int32", "float32"]) == common(["float32", "uint8"]) == "float32"
