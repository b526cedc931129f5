"""Compare image files that are decoded and transformed in one pass with separate steps."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ArgumentError, DshubError, ReadError, SchemaError
from dshub.loading.transforms import resampling
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.erasing import Cutout
from dshub.loading.transforms.fused_files import FusedFiles
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from dshub.loading.transforms.jitter import ColorJitter
from tests.loading.decoding.examples import encode, smooth
from tests.loading.transforms.examples import NORMALIZE, by_row

FLIP = RandomHorizontalFlip()
ROUNDING = 1.01  # gray levels; versions of Pillow before 13 resize columns first


def photos() -> list[bytes]:
    """Return files of several sizes and kinds; the last one is large."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files = [
        encode(Image.fromarray(smooth(40 + 7 * i, 71 - 5 * i)), "JPEG", quality=90)
        for i in range(6)
    ]
    files.append(encode(Image.fromarray(smooth(50, 60)), "JPEG", exif=exif))
    files.append(encode(Image.fromarray(smooth(50, 60)).convert("L"), "JPEG"))
    files.append(encode(Image.fromarray(smooth(60, 50)), "PNG"))
    return files


def dataset(files: Sequence[bytes], shape: tuple[int, ...] = ()) -> Dataset:
    return Dataset.from_arrays(
        {"image": list(files), "id": np.arange(len(files))},
        features={"image": ImageFeature(encoding="any", shape=shape)},
    )


class Separate(Dataset):
    """A dataset whose files are decoded first, and then transformed step by step."""

    @property
    def encoded_images(self) -> list[str]:
        return []


def separate(rows: Dataset) -> Dataset:
    names = ("_source", "_selection", "_names", "_supervised", "_decoded", "decoding")
    return Separate(*(getattr(rows, name) for name in names))


PHOTOS = dataset(photos())
# results have more than half of the size of each image, so no JPEG is scaled by its decoder
LISTS: dict[str, list[Any]] = {
    "random resized crop": [RandomResizedCrop(40), FLIP, NORMALIZE],
    "oblong": [RandomResizedCrop((38, 44)), FLIP],
    "both flips": [RandomResizedCrop(40), FLIP, RandomVerticalFlip(), NORMALIZE],
    "vertical flip of a crop": [CenterCrop((30, 20)), RandomVerticalFlip(), NORMALIZE],
    "vertical flip of bytes": [CenterCrop((30, 20)), RandomVerticalFlip()],
    "without antialiasing": [RandomResizedCrop(40, antialias=False), FLIP, ToFloat()],
    "enlarged": [RandomResizedCrop(90), NORMALIZE],
    "resize and center": [Resize(36), CenterCrop(32), NORMALIZE],
    "resize and random crop": [Resize(40), RandomCrop((32, 36)), FLIP, NORMALIZE],
    "random crop": [RandomCrop(30), FLIP, NORMALIZE],
    "center crop": [CenterCrop((30, 20))],
    "resize": [Resize((30, 40)), FLIP],
    "only float": [Resize((30, 40)), ToFloat()],
    "followed by others": [RandomResizedCrop(40), FLIP, NORMALIZE, Cutout(4)],
    "jitter": [RandomResizedCrop(40), FLIP, ColorJitter(0.4, 0.4, 0.4), NORMALIZE],
    "jitter without floats": [Resize((30, 40)), ColorJitter(0.1, 0.2, 0.3)],
    "padded": [RandomCrop(30, padding=4), FLIP, NORMALIZE],
    "shorter side": [Resize(36), FLIP],
    "two crops": [RandomResizedCrop(40), CenterCrop(20), NORMALIZE],
    "nothing": [],
}


def levels(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference of two images in gray levels."""
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    scale = 1.0 if a.dtype == np.uint8 else 255 * min(NORMALIZE.std)
    return float(np.abs(a.astype(np.float64) - b).max()) * scale


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("name", LISTS)
def test_files_in_one_pass_equal_separate_steps(name: str, layout: Any) -> None:
    expected = by_row(separate(PHOTOS), LISTS[name], 4, layout=layout, shuffle=True)
    results = by_row(PHOTOS, LISTS[name], 4, layout=layout, shuffle=True)
    assert results.keys() == expected.keys()
    for key, image in results.items():
        assert levels(image, expected[key]) <= ROUNDING


@pytest.mark.parametrize("name", ["random resized crop", "resize and random crop", "resize"])
def test_pixels_do_not_depend_on_threads_and_batches(name: str) -> None:
    expected = by_row(PHOTOS, LISTS[name], 9, threads=0)
    for size, threads in ((1, 1), (4, 3), (9, "auto"), (5, 8)):
        results = by_row(PHOTOS, LISTS[name], size, threads=threads, shuffle=True)
        for key, image in results.items():
            np.testing.assert_array_equal(image, expected[key])


@pytest.mark.parametrize("name", ["random resized crop", "resize and center", "enlarged", "oblong"])
def test_pillow_alone_gives_the_same_pixels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_row(PHOTOS, LISTS[name], 4)
    monkeypatch.setattr(resampling, "kernels", lambda: None)
    results = by_row(PHOTOS, LISTS[name], 4, decoder="pillow")
    for key, image in results.items():
        assert levels(image, expected[key]) <= ROUNDING


def test_images_with_a_shape_are_decoded_into_the_batch() -> None:
    files = [encode(Image.fromarray(smooth(30, 40)), "JPEG") for _ in range(3)]
    rows = dataset(files, (30, 40, 3))
    (batch,) = rows.batches(3, layout="chw", threads=2)
    assert isinstance(batch["image"], np.ndarray)
    assert np.array_equal(batch["image"], rows[:]["image"].transpose(0, 3, 1, 2))
    (gray,) = dataset(files, (30, 40, 1)).batches(3, transform=[FLIP, ToFloat()])
    assert gray["image"].shape == (3, 30, 40, 1)


LARGE = encode(Image.fromarray(smooth(640, 820)), "JPEG", quality=95)


@pytest.mark.parametrize("size", [300, 150, 60, 200])
@pytest.mark.parametrize("decoder", ["auto", "pillow"])
def test_large_jpeg_is_scaled_while_it_is_decoded(size: int, decoder: str) -> None:
    """Smoothing twice changes pixels by a few gray levels on average."""
    rows = dataset([LARGE])
    transforms = [Resize(size), CenterCrop(size - 8)]
    (batch,) = rows.batches(1, transform=transforms, decoder=decoder)
    (expected,) = separate(rows).batches(1, transform=transforms)
    errors = np.abs(batch["image"].astype(int) - expected["image"])
    assert errors.mean() < 3
    assert (errors.max() > ROUNDING) == (size <= 300)


def test_decoders_scale_a_jpeg_alike() -> None:
    rows = dataset([LARGE])
    (expected,) = rows.batches(1, transform=RandomResizedCrop(100), decoder="pillow")
    (batch,) = rows.batches(1, transform=RandomResizedCrop(100))
    assert levels(batch["image"], expected["image"]) <= ROUNDING


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_error_names_the_first_damaged_row(threads: int) -> None:
    files = [*photos(), b"damaged", photos()[0][:300]]
    loader = dataset(files).batches(11, transform=RandomResizedCrop(8), threads=threads)
    with pytest.raises(ReadError, match="row 9, column image: it is not an image"):
        list(loader)


def test_image_smaller_than_the_crop_is_rejected() -> None:
    for rows in (PHOTOS, separate(PHOTOS)):
        with pytest.raises(ArgumentError, match=r"size of CenterCrop is .*at most"):
            list(rows.batches(3, transform=CenterCrop(60)))


def test_image_of_another_shape_is_rejected() -> None:
    rows = dataset(photos()[:2], (40, 71, 3))
    with pytest.raises(SchemaError, match="row 1, column image: got 47x66x3, expected 40x71x3"):
        list(rows.batches(2, transform=Resize(8)))


def test_only_leading_transforms_are_fused() -> None:
    counts = {name: FusedFiles.beginning(transforms).count for name, transforms in LISTS.items()}
    assert counts["random resized crop"] == 3
    assert counts["resize and random crop"] == 4
    assert counts["followed by others"] == 3
    assert counts["padded"] == 0
    assert counts["two crops"] == 1


def test_epoch_resumes_with_the_same_pixels() -> None:
    options: dict[str, Any] = {"transform": LISTS["random resized crop"], "shuffle": True}
    loader = PHOTOS.batches(2, **options)
    batches = list(loader)
    again, walk = PHOTOS.batches(2, **options), iter(PHOTOS.batches(2, **options))
    next(walk)
    again.load_state_dict({**again.state_dict(), "position": 4})
    for batch, expected in zip(again, batches[2:], strict=True):
        np.testing.assert_array_equal(batch["image"], expected["image"])


def test_loader_states_its_decoder() -> None:
    fast, plain = PHOTOS.batches(2), PHOTOS.batches(2, decoder="pillow")
    assert "decoder pillow" in repr(plain)
    assert plain.decoder is not None
    assert plain.decoder.name == "pillow"
    assert PHOTOS.decode("pillow").batches(2).fingerprint == plain.fingerprint
    assert fast.decoder is not None
    assert (fast.fingerprint == plain.fingerprint) == (fast.decoder.name == "pillow")
    assert PHOTOS.columns(["id"]).batches(2).decoder is None


def test_torchvision_order_of_errors_is_kept() -> None:
    """A transform after the pass that fails raises its own error."""

    def fail(batch: Any) -> Any:
        raise RuntimeError("broken")

    with pytest.raises(DshubError, match="broken"):
        list(PHOTOS.batches(3, transform=[Resize((8, 8)), fail]))


def test_mixture_decodes_files_of_every_part() -> None:
    parts = [dataset(photos()[:4]), dataset(photos()[4:])]
    mixture = Dataset.mix(parts)
    (batch,) = mixture.batches(9, transform=[Resize((8, 8))])
    one = {key[1]: image for key, image in by_row(PHOTOS, [Resize((8, 8))]).items()}
    ids = iter(sorted(image.tobytes() for image in batch["image"]))
    assert set(ids) <= {image.tobytes() for image in one.values()}


def test_files_of_derived_datasets_are_found() -> None:
    expected = by_row(PHOTOS, [Resize((8, 8))], 9)
    both = dataset(photos()[:4]) + dataset(photos()[4:])
    renamed = both.rename({"image": "photo"}).skip(2).select([5, 1])
    (batch,) = renamed.batches(2, transform=[Resize((8, 8))])
    for image, row in zip(batch["photo"], (7, 3), strict=True):
        np.testing.assert_array_equal(image, expected[0, row])
    joined = (
        dataset(photos())
        .columns(["image", "id"])
        .join(Dataset.from_arrays({"id": np.arange(9), "number": np.arange(9) * 2}), on="id")
    )
    (batch,) = joined.batches(9, transform=[Resize((8, 8))])
    for image, number in zip(batch["image"], batch["number"], strict=True):
        np.testing.assert_array_equal(image, expected[0, number // 2])


def test_files_of_a_folder_are_read_by_the_threads(tmp_path: Any) -> None:
    (tmp_path / "cat").mkdir()
    for i, data in enumerate(photos()):
        (tmp_path / f"cat/{i}.jpg").write_bytes(data)
    rows = Dataset.from_folder(tmp_path)
    (batch,) = rows.batches(9, transform=[Resize((8, 8))], threads=3)
    expected = by_row(PHOTOS, [Resize((8, 8))], 9)
    for i in range(9):
        np.testing.assert_array_equal(batch["image"][i], expected[0, i])
    (tmp_path / "cat/3.jpg").unlink()
    with pytest.raises(ReadError, match=r"3\.jpg: No such file"):
        list(rows.batches(9, transform=[Resize((8, 8))]))


def test_pillow_images_are_not_converted_twice() -> None:
    sink = io.BytesIO()
    Image.fromarray(smooth(20, 20)).convert("L").save(sink, "PNG")
    (batch,) = dataset([sink.getvalue()]).batches(1, transform=Resize((20, 20)), decoder="pillow")
    assert batch["image"].shape == (1, 20, 20, 3)
