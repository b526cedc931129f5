"""Test `Dataset.resize`, and the tables that it makes with `cache`."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, Feature
from dshub.catalog.features import ImageFeature, LabelFeature, MaskFeature
from dshub.datasets import view
from dshub.errors import ArgumentError, ReadError, SchemaError

SIZES = [(40, 60), (90, 50), (64, 64), (30, 45)]


def photo(number: int, *, mode: str = "RGB", orientation: int = 1) -> bytes:
    """Return a JPEG file of smooth colors, with an EXIF orientation."""
    height, width = SIZES[number % len(SIZES)]
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([y * 2 + number, x * 3, y + x], axis=2).clip(0, 255).astype(np.uint8)
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", quality=95, exif=exif)
    return stream.getvalue()


def photos(files: list[bytes]) -> Dataset:
    features: dict[str, Feature] = {
        "image": ImageFeature(encoding="jpeg"),
        "label": LabelFeature(names=("a", "b")),
    }
    columns: dict[str, list[Any]] = {"image": files, "label": [n % 2 for n in range(len(files))]}
    return Dataset.from_arrays(columns, features=features, supervised=("image", "label"))


@pytest.fixture
def ds() -> Dataset:
    return photos([photo(number) for number in range(40)])


def by_pillow(data: bytes, size: tuple[int, int], crop: int | None = None) -> np.ndarray:
    """Resize a file to (height, width) with Pillow alone, and crop a square from the center."""
    image = Image.open(io.BytesIO(data)).resize(size[::-1], Image.Resampling.BILINEAR)
    if crop is not None:
        left, top = (image.width - crop) // 2, (image.height - crop) // 2
        image = image.crop((left, top, left + crop, top + crop))
    return np.asarray(image)


def shorter(data: bytes, side: int) -> tuple[int, int]:
    """Return (height, width) of a file with the shorter side resized to `side`."""
    width, height = Image.open(io.BytesIO(data)).size
    scale = side / min(height, width)
    return round(height * scale), round(width * scale)


def test_raw_images_of_a_fixed_size_equal_those_of_pillow(ds: Dataset, tmp_path: Path) -> None:
    files = ds.decode(False)["image"]
    for rows in (ds.resize((20, 24)), ds.resize((20, 24)).cache(folder=tmp_path)):
        assert rows.features["image"] == ImageFeature(shape=(20, 24, 3))
        assert rows["image"].shape == (40, 20, 24, 3)
        for number in (0, 1, 39):
            np.testing.assert_array_equal(rows[number]["image"], by_pillow(files[number], (20, 24)))
        np.testing.assert_array_equal(rows["label"], ds["label"])
        assert rows.supervised == ("image", "label")


def test_raw_images_of_a_single_length_are_cropped_to_squares(ds: Dataset) -> None:
    rows, files = ds.resize(16, encode="raw"), ds.decode(False)["image"]
    assert rows.features["image"] == ImageFeature(shape=(16, 16, 3))
    for number in range(4):
        expected = by_pillow(files[number], shorter(files[number], 16), 16)
        np.testing.assert_array_equal(rows[number]["image"], expected)


def test_jpeg_files_keep_the_aspect_ratio(ds: Dataset, tmp_path: Path) -> None:
    """The default for a single length; the files are near the resized images."""
    rows, files = ds.resize(16).cache(folder=tmp_path), ds.decode(False)["image"]
    assert rows.features["image"] == ImageFeature(encoding="jpeg")
    stored = rows.decode(False)["image"]
    for number in range(4):
        assert Image.open(io.BytesIO(stored[number])).format == "JPEG"
        expected = by_pillow(files[number], shorter(files[number], 16))
        assert rows[number]["image"].shape == expected.shape
        assert abs(rows[number]["image"].astype(int) - expected).mean() < 6


def test_quality_decides_the_size_of_files(ds: Dataset) -> None:
    low, high = (ds.resize(32, encode=f"jpeg:{quality}") for quality in (30, 95))
    assert sum(map(len, low.decode(False)["image"])) < sum(map(len, high.decode(False)["image"]))


def test_turned_photographs_are_resized_upright() -> None:
    ds = photos([photo(0, orientation=6)])
    assert ds.resize(20)[0]["image"].shape == (30, 20, 3)


def test_raw_images_of_one_size_keep_their_aspect_ratio_and_channels() -> None:
    pixels = np.arange(5 * 8 * 12, dtype=np.uint8).reshape(5, 8, 12, 1)
    ds = Dataset.from_arrays({"image": pixels}, features={"image": ImageFeature(shape=(8, 12, 1))})
    rows = ds.resize(4)
    assert rows.features["image"] == ImageFeature(shape=(4, 6, 1))
    expected = Image.fromarray(pixels[3, :, :, 0]).resize((6, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(rows[3]["image"][:, :, 0], np.asarray(expected))
    encoded = ds.resize(16, encode="jpeg")
    assert encoded.features["image"] == ImageFeature(shape=(16, 24, 1), encoding="jpeg")
    assert encoded[0]["image"].shape == (16, 24, 1)


def test_result_is_computed_once_for_each_size_and_encoding(ds: Dataset, tmp_path: Path) -> None:
    views = [ds.resize(16), ds.resize(16, encode="raw"), ds.resize(20), ds.resize((16, 16))]
    assert not any(view.is_cached(folder=tmp_path) for view in views)
    folders = {view.cache(folder=tmp_path).files[0].parent for view in views}
    assert len(folders) == len(views)
    assert all(view.is_cached(folder=tmp_path) for view in views)
    again = photos([photo(number) for number in range(40)]).resize(16)
    assert again.is_cached(folder=tmp_path)
    assert not again.take(3).is_cached(folder=tmp_path)


def test_sizes_are_estimated_before_anything_is_written(ds: Dataset, tmp_path: Path) -> None:
    assert ds.resize((10, 10)).estimate_size() == 40 * (300 + 8)
    estimated = ds.resize(32).estimate_size()
    stored = ds.resize(32).cache(folder=tmp_path).decode(False)["image"]
    assert 0.8 < estimated / sum(len(file) + 12 for file in stored) < 1.25


def test_a_name_is_needed_without_resize(ds: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="name is None"):
        ds.cache(folder=tmp_path)


def test_processes_write_the_same_bytes(tmp_path: Path) -> None:
    files = {}
    for workers in (1, 2):
        ds = photos([photo(number) for number in range(1200)])
        result = ds.resize(8, encode="raw").cache(folder=tmp_path / str(workers), workers=workers)
        files[workers] = [path.read_bytes() for path in result.files]
    assert len(files[1]) > 1
    assert files[1] == files[2]


def test_damaged_file_is_named(ds: Dataset) -> None:
    rows = photos([photo(0), b"no image"])
    with pytest.raises(ReadError, match="row 1, column image"):
        rows.resize(8)["label"], rows.resize(8).decode(False)["image"]


@pytest.mark.parametrize(
    ("size", "encode", "word"),
    [
        (0, None, "size of Resize"),
        ((3, 4, 5), None, "size of Resize"),
        (16, "png", "encode"),
        (16, "jpeg:0", "encode"),
        (16, "jpeg:101", "encode"),
        (16, "", "encode"),
    ],
    ids=["zero", "three", "png", "jpeg-0", "jpeg-101", "empty"],
)
def test_invalid_arguments_are_errors(ds: Dataset, size: Any, encode: Any, word: str) -> None:
    with pytest.raises(ArgumentError, match=word):
        ds.resize(size, encode=encode)


def test_columns_without_uint8_images_are_errors(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="a column of images"):
        ds.columns(["label"]).resize(8)
    floats = Dataset.from_arrays(
        {"image": np.zeros((2, 4, 4, 1), np.float32)},
        features={"image": ImageFeature(shape=(4, 4, 1), dtype="float32")},
    )
    with pytest.raises(SchemaError, match="float32"):
        floats.resize(8)


def test_opening_a_result_decodes_nothing(
    ds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds.resize(8).cache(folder=tmp_path)
    monkeypatch.setattr(view, "decode_all", None)
    assert len(ds.resize(8).cache(folder=tmp_path)) == 40
    with pytest.raises(TypeError):  # decoding would call None
        ds.resize(9).cache(folder=tmp_path)


def masked(dtype: Any = "uint8", *, same: bool = False) -> Dataset:
    """Return photos with masks of one file format, whose values are rows and columns."""
    masks = []
    for number in range(4):
        height, width = (40, 60) if same else SIZES[number]
        values = np.add.outer(np.arange(height) * 3, np.arange(width)).astype(dtype)
        stream = io.BytesIO()
        Image.fromarray(values).save(stream, "TIFF" if dtype == "int32" else "PNG")
        masks.append(stream.getvalue())
    numbers = [0] * 4 if same else range(4)
    shape = (40, 60) if same else ()
    feature = MaskFeature(encoding="any", dtype=dtype, shape=shape, names=("a", "b"), ignore=255)
    rows = photos([photo(number) for number in numbers])
    return rows.with_column("mask", masks, feature)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_masks_get_the_size_of_their_image(dtype: str, tmp_path: Path) -> None:
    small = masked(dtype).resize(20).cache("x", folder=tmp_path)
    feature = small.features["mask"]
    assert (feature.encoding, feature.dtype) == ("any" if dtype == "int32" else "png", dtype)
    assert (feature.names, feature.ignore) == (("a", "b"), 255)
    for row, before in zip(small, masked(dtype), strict=True):
        assert row["mask"].shape == row["image"].shape[:2]
        assert set(np.unique(row["mask"])) <= set(np.unique(before["mask"]))


@pytest.mark.parametrize(
    ("size", "encode", "shape"),
    [((20, 30), None, (20, 30)), (16, "raw", (16, 16)), ((20, 30), "jpeg", (20, 30))],
)
def test_masks_of_one_size(size: Any, encode: Any, shape: tuple[int, ...]) -> None:
    for same in (True, False):
        small = masked(same=same).resize(size, encode=encode)
        expected = "png" if encode == "jpeg" else "raw"
        assert small.features["mask"].encoding == expected
        (batch,) = small.batches(4)
        assert batch["mask"].shape == batch["image"].shape[:3]
        assert batch["mask"].shape == (4, *shape)
    whole = Image.fromarray(masked(same=True)[0]["mask"])
    if isinstance(size, tuple):
        by_nearest = whole.resize((30, 20), Image.Resampling.NEAREST)
        assert np.array_equal(masked(same=True).resize(size)[0]["mask"], np.asarray(by_nearest))


def test_masks_without_images_cannot_be_resized() -> None:
    with pytest.raises(SchemaError, match="expected a column of images"):
        masked().columns(["mask"]).resize(20)
