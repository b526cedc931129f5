"""Test drafts of images with masks, in the layouts that people have."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub.catalog.features import ImageFeature, MaskFeature
from dshub.errors import DshubError, SchemaError
from tests.datasets.test_depths import write
from tests.loading.decoding.test_values import voc
from tests.publishing.authoring.conftest import New

RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def mask(number: int) -> np.ndarray:
    return np.full((4, 5), number, np.uint8)


LAYOUTS = {
    "folders": ("images/{}.jpg", "masks/{}.png"),
    "suffixes in folders": ("images/{}.jpg", "masks/{}_mask.png"),
    "suffixes": ("{}.jpg", "{}_mask.png"),
    "suffixes of one format": ("{}.png", "{}_mask.png"),
    "one folder": ("images/{}.png", "images/{}_mask.png"),
    "voc": ("VOC/JPEGImages/{}.jpg", "VOC/SegmentationClass/{}.png"),
    "nested": ("images/a/{}.jpg", "masks/a/{}.png"),
    "braces": ("images/{{x}}{}.jpg", "masks/{{x}}{}.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_and_masks_become_columns(layout: str, new: New, data: Path) -> None:
    image, pair = LAYOUTS[layout]
    for number in range(1, 4):
        name = f"{number}.{number}"  # names can contain dots
        write(data, {image.format(name): RGB, pair.format(name): mask(number)})
    result = new(data)
    encoding: Any = "png" if "one f" in layout else "jpeg"
    assert result.manifest.features == {
        "image": ImageFeature(shape=(4, 5, 3), encoding=encoding),
        "mask": MaskFeature(shape=(4, 5), encoding="png"),
    }
    assert "dtype" not in result.path.read_text()  # only if it is not the default
    assert (result.manifest.task, result["train"].supervised) == (
        "image-segmentation",
        ("image", "mask"),
    )
    assert [row["mask"].max() for row in result["train"]] == [1, 2, 3]
    assert all(row["image"].shape == (4, 5, 3) for row in result["train"])


@pytest.mark.parametrize("order", ["{split}/{kind}", "{kind}/{split}"])
def test_masks_of_splits(order: str, new: New, data: Path) -> None:
    for number, split in enumerate(["train", "train", "val"]):
        for kind, pixels in (("images", RGB), ("masks", mask(number))):
            write(data, {f"{order.format(split=split, kind=kind)}/{number}.png": pixels})
    result = new(data)
    assert [row["mask"].max() for row in result["train"]] == [0, 1]
    assert [row["mask"].max() for row in result["validation"]] == [2]


def test_masks_in_archives(new: New, data: Path) -> None:
    files = {f"images/{i}.png": RGB for i in range(3)} | {
        f"masks/{i}.png": mask(i) for i in range(3)
    }
    write(data / "x", files)
    for kind in ("images", "masks"):
        with zipfile.ZipFile(data / f"{kind}.zip", "w") as archive:
            for path in sorted((data / "x" / kind).iterdir()):
                archive.write(path, path.name)
    with zipfile.ZipFile(data / "both.zip", "w") as archive:
        for path in sorted((data / "x").rglob("*.png")):
            archive.write(path, path.relative_to(data / "x"))
    for paths in ([data / "images.zip", data / "masks.zip"], [data / "both.zip"]):
        result = new(*paths, "--force")
        assert [row["mask"].max() for row in result["train"]] == [0, 1, 2]


def test_palettes_and_deep_values_are_kept(new: New, data: Path) -> None:
    deep = np.array([[0, 50_000]], np.uint16)
    write(data, {f"images/{i}.png": RGB for i in range(3)})
    write(data, {"masks/0.png": voc(), "masks/1.tif": deep, "masks/2.tif": deep > 1})
    with pytest.raises(DshubError, match=r"differ from those of images in several ways"):
        new(data)
    for name in ("1", "2"):
        (data / "masks" / f"{name}.tif").rename(data / "masks" / f"{name}.png")
    result = new(data, "--force")
    assert result.manifest.features["mask"] == MaskFeature(dtype="uint16", encoding="any")
    first, second, third = (row["mask"] for row in result["train"])
    assert np.array_equal(first, [[0, 1, 2], [255, 7, 15]])
    assert np.array_equal(second, deep)
    assert np.array_equal(third, [[0, 1]])


def test_masks_of_colors_are_images_with_a_doubt(new: New, data: Path) -> None:
    write(data, {f"{kind}/{i}.png": RGB for i in range(2) for kind in ("images", "masks")})
    result = new(data)
    assert result.manifest.features["mask"] == ImageFeature(shape=(4, 5, 3), encoding="png")
    assert result.doubts("images of colors")


def test_image_without_a_mask_is_an_error(new: New, data: Path) -> None:
    write(data, {f"{kind}/{i}.png": RGB for i in range(3) for kind in ("images", "masks")})
    (data / "masks" / "1.png").unlink()
    with pytest.raises(SchemaError, match=r"images/1\.png"):
        new(data)


def test_16_bit_images_keep_their_values(new: New, data: Path) -> None:
    depths = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    write(data, {f"{name}/{i}.png": depths for name in "ab" for i in range(2)})
    result = new(data)
    feature = ImageFeature(shape=(3, 4, 1), dtype="uint16", encoding="png")
    assert result.manifest.features["image"] == feature
    assert np.array_equal(result["train"][0]["image"][..., 0], depths)
    write(data, {"a/2.png": (depths >> 8).astype(np.uint8)})
    mixed = new(data, "--force")
    assert mixed.manifest.features["image"].dtype == "uint8"
    assert mixed.doubts('set dtype = "uint16" in features.image')
