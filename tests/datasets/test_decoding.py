"""Compare decoded images with Pillow and computed values."""

import io
import pickle
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dshub import Dataset, Hub
from dshub.catalog.features import ImageFeature
from dshub.datasets.decoding import LazyColumn
from dshub.errors import ArgumentError, DshubError, ReadError, SchemaError

ANY = ImageFeature(encoding="any")
COLORS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
GRAYS = COLORS[..., 0]


def encode_image(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def dataset(*files: bytes, feature: Any = ANY) -> Dataset:
    return Dataset.from_arrays({"x": list(files)}, features={"x": feature})


def decode_one(data: bytes, feature: Any = ANY) -> np.ndarray:
    decoded: np.ndarray = dataset(data, feature=feature)[0]["x"]
    return decoded


def palette() -> Image.Image:
    return Image.fromarray(COLORS).quantize(30)


def transparent_palette() -> Image.Image:
    image = palette()
    image.info["transparency"] = bytes([0, 100, 200])
    return image


SIXTEEN = (GRAYS.astype(np.uint16) << 8) + 77
CLEAR = np.dstack([COLORS, GRAYS])
IMAGES: dict[str, tuple[bytes, np.ndarray]] = {
    "rgb": (encode_image(Image.fromarray(COLORS)), COLORS),
    "gray": (encode_image(Image.fromarray(GRAYS)), np.dstack([GRAYS] * 3)),
    "alpha": (encode_image(Image.fromarray(CLEAR)), COLORS),
    "gray with alpha": (
        encode_image(Image.fromarray(np.dstack([GRAYS, GRAYS]))),
        np.dstack([GRAYS] * 3),
    ),
    "palette": (encode_image(palette()), np.array(palette().convert("RGB"))),
    "palette with alpha": (
        encode_image(transparent_palette(), transparency=bytes([0, 100, 200])),
        np.array(palette().convert("RGB")),
    ),
    "16 bits": (encode_image(Image.fromarray(SIXTEEN)), np.dstack([GRAYS] * 3)),
    "16 bits, TIFF": (encode_image(Image.fromarray(SIXTEEN), "TIFF"), np.dstack([GRAYS] * 3)),
    "one bit": (
        encode_image(Image.fromarray(GRAYS > 99)),
        np.dstack([np.where(GRAYS > 99, 255, 0)] * 3).astype(np.uint8),
    ),
    "webp": (encode_image(Image.fromarray(COLORS), "WEBP", lossless=True), COLORS),
    "bmp": (encode_image(Image.fromarray(COLORS), "BMP"), COLORS),
    "two images": (
        encode_image(Image.fromarray(COLORS), "TIFF", save_all=True, append_images=[palette()]),
        COLORS,
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_decodes_to_rgb(name: str) -> None:
    data, pixels = IMAGES[name]
    decoded = decode_one(data)
    assert decoded.dtype == np.uint8
    assert decoded.shape == (6, 5, 3)
    assert np.array_equal(decoded, pixels)
    decoded[:] = 0


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_decodes_like_pillow(mode: str) -> None:
    data = encode_image(Image.fromarray(COLORS).convert(mode), "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == mode
        assert np.array_equal(decode_one(data), np.array(image.convert("RGB")))


@pytest.mark.parametrize("name", IMAGES)
def test_shape_with_one_channel_decodes_to_gray(name: str) -> None:
    data, pixels = IMAGES[name]
    decoded = decode_one(data, ImageFeature(encoding="any", shape=(6, 5, 1)))
    assert decoded.shape == (6, 5, 1)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decoded[..., 0] - luma).max() <= 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 250  # a light corner at the top left
    stored = {  # pixels in the file, by EXIF orientation
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_one(encode_image(Image.fromarray(stored.copy()), form, exif=exif))
    assert decoded.shape == upright.shape
    assert np.array_equal(decoded > 128, upright > 128)


def test_damaged_exif_is_ignored() -> None:
    data = encode_image(Image.fromarray(COLORS), "JPEG", exif=b"Exif\0\0nonsense" * 3)
    assert decode_one(data).shape == (6, 5, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff" + b"x" * 100,
        b"<!DOCTYPE html>",
        encode_image(Image.fromarray(COLORS))[:-30],
        encode_image(Image.fromarray(np.zeros((64, 64, 3), np.uint8)), "JPEG")[:400],
        encode_image(Image.fromarray(np.float32(GRAYS)), "TIFF"),
    ],
    ids=["nothing", "noise", "page", "short png", "short jpeg", "floats"],
)
def test_undecodable_image_is_a_read_error(data: bytes) -> None:
    """The hint shows how to get the undecoded file."""
    rows = dataset(IMAGES["rgb"][0], data, IMAGES["rgb"][0])
    with pytest.raises(ReadError, match="row 1, column x: it ") as caught:
        rows[:]
    assert "ds.decode(False)" in caught.value.hint
    with pytest.raises(ReadError, match="row 1, column x"):
        rows.select([0, 2, 1])[-1]
    assert rows.decode(False)[1]["x"] == data
    assert len(rows[[0, 2]]["x"]) == 2


def test_error_names_dataset_and_split(prepared: Any, tmp_path: Path) -> None:
    moved = shutil.copytree(prepared.folders["test"], tmp_path / "moved")
    photo = prepared.dataset("test").decode(False)["photo"][2]
    for path in moved.glob("*.arrow"):
        path.write_bytes(path.read_bytes().replace(photo, photo[:20] + bytes(len(photo) - 20)))
    both = Dataset.from_tables([prepared.folders["train"], moved])
    with pytest.raises(ReadError, match=r"mixed@1\.0\.0, split test, row 2, column photo: it "):
        both[42]
    assert both[43]["photo"].tolist() == prepared.rows["test"][3]["photo"]


@given(st.sampled_from(list(IMAGES)), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_changed_byte_gives_pixels_or_a_dshub_error(name: str, place: float, flip: int) -> None:
    data = bytearray(IMAGES[name][0])
    data[int(place * len(data))] ^= flip
    decoded: object = None
    try:
        decoded = decode_one(bytes(data)).dtype
    except DshubError as error:
        assert "row 0, column x" in str(error)  # noqa: PT017  # either is right
    assert decoded in {None, np.dtype(np.uint8)}


def test_images_without_a_shape_are_a_list() -> None:
    images = [Image.fromarray(COLORS), Image.fromarray(COLORS[:3]), Image.fromarray(COLORS)]
    rows = dataset(*map(encode_image, images))
    for several in (rows[:], rows[[0, 1, 2]], rows[np.array([True] * 3)]):
        assert type(several["x"]) is list
        assert [image.shape for image in several["x"]] == [(6, 5, 3), (3, 5, 3), (6, 5, 3)]
    (batch,) = rows.batches(3, layout="chw")
    assert [image.shape for image in batch["x"]] == [(3, 6, 5), (3, 3, 5), (3, 6, 5)]
    assert np.array_equal(batch["x"][0], COLORS.transpose(2, 0, 1))
    assert rows[:0]["x"] == []


def test_images_with_a_shape_are_one_array() -> None:
    rows = dataset(*[IMAGES["rgb"][0]] * 3, feature=ImageFeature(encoding="png", shape=(6, 5, 3)))
    assert np.array_equal(rows[:]["x"], np.stack([COLORS] * 3))
    (batch,) = rows.batches(3, layout="chw")
    assert np.array_equal(batch["x"], np.stack([COLORS.transpose(2, 0, 1)] * 3))
    assert (rows[:0]["x"].dtype, rows[:0]["x"].shape) == (np.uint8, (0, 6, 5, 3))


def test_image_of_another_shape_is_rejected() -> None:
    feature = ImageFeature(encoding="any", shape=(6, 5, 3))
    rows = dataset(IMAGES["rgb"][0], encode_image(Image.fromarray(COLORS[:4])), feature=feature)
    with pytest.raises(SchemaError, match="row 1, column x: got 4x5x3, expected 6x5x3"):
        rows[:]


def test_lazy_column_decodes_row_by_row() -> None:
    rows = dataset(IMAGES["rgb"][0], b"damaged", IMAGES["webp"][0])
    for column in (rows["x"], rows.numpy()["x"]):
        assert isinstance(column, LazyColumn)
        assert isinstance(column, Sequence)
        assert len(column) == 3
        assert np.array_equal(column[0], COLORS)
        assert np.array_equal(column[-1], COLORS)
        assert [image.shape for image in column[::2]] == [(6, 5, 3)] * 2
        with pytest.raises(ReadError, match="row 1"):
            list(column)
        with pytest.raises(IndexError):
            column[3]
    assert "3 rows" in repr(rows["x"])


def test_lazy_column_pickles_with_its_functions() -> None:
    column = dataset(IMAGES["rgb"][0], IMAGES["webp"][0])["x"]
    assert isinstance(column, LazyColumn)
    unpickled = pickle.loads(pickle.dumps(column.map(np.fliplr)))
    assert np.array_equal(unpickled[1], column[1][:, ::-1])
    assert np.array_equal(unpickled[::-1][0], column[1][:, ::-1])


def test_lazy_column_becomes_one_array() -> None:
    rows = dataset(IMAGES["rgb"][0], IMAGES["webp"][0])
    assert np.array_equal(np.asarray(rows["x"]), np.stack([COLORS] * 2))
    assert np.array(rows["x"], np.float32).dtype == np.float32
    mixed = dataset(IMAGES["rgb"][0], encode_image(Image.fromarray(COLORS[:3])))
    with pytest.raises(ValueError, match="column x have different shapes, such as 3x5x3 and 6x5x3"):
        np.asarray(mixed["x"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts memory pages")
def test_iterating_images_takes_little_memory() -> None:
    import resource

    data = encode_image(Image.fromarray(np.zeros((1000, 1000, 3), np.uint8)), "JPEG")
    rows = dataset(*[data] * 200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(row["x"].shape[0] for row in rows) == 200_000
    assert sum(image.shape[0] for image in rows["x"]) == 200_000
    assert len(rows.filter(lambda batch: np.array([True] * len(batch["x"])))) == 200
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 250


def test_decode_false_returns_files(prepared: Any) -> None:
    view = prepared.dataset().decode(False)
    files = view["photo"]
    assert all(data.startswith(b"\x89PNG") for data in files)
    assert view[3]["photo"] == files[3]
    assert view[2:5]["photo"] == files[2:5]
    (first, *_) = view.batches(8, layout="chw")
    assert first["photo"] == files[:8]
    assert view.image_columns == ["image"]
    assert prepared.dataset().image_columns == ["image", "photo"]
    with Image.open(io.BytesIO(files[5])) as image:
        assert np.array_equal(view.decode()[5]["photo"], np.array(image))
    assert view.fingerprint != prepared.dataset().fingerprint == view.decode().fingerprint


def test_load_data_rejects_images_of_several_shapes() -> None:
    # `load_data` returns whole columns as arrays, as Keras does
    images: dict[str, Any] = {
        "x": [IMAGES["rgb"][0], encode_image(Image.fromarray(COLORS[:3]))],
        "y": np.arange(2),
    }
    dataset_of_images = Dataset.from_arrays(images, features={"x": ANY}, supervised=("x", "y"))

    class Fixed(Hub):
        def load(self, *_: Any, **__: Any) -> Any:
            return dataset_of_images

    with pytest.raises(ArgumentError, match="different shapes") as caught:
        Fixed().load_data("any")
    assert "batches(…, transform=Resize(…))" in caught.value.hint
