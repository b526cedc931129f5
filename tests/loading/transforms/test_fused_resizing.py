"""Compare raw images that are resized in one pass with separate steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ArgumentError
from dshub.loading.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    Cutout,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
    ToFloat,
)
from tests.loading.decoding.examples import smooth
from tests.loading.transforms.examples import NORMALIZE, by_row

pytest.importorskip("numba")
PIXELS = np.stack([np.roll(smooth(40, 52), 3 * i, axis=1) for i in range(20)])
FLIPS = RandomHorizontalFlip(), RandomVerticalFlip()
LISTS: dict[str, list[Any]] = {
    "random resized crop": [RandomResizedCrop(24), *FLIPS, NORMALIZE],
    "without antialiasing": [RandomResizedCrop(24, antialias=False), ToFloat()],
    "resize and center": [Resize(30), CenterCrop(28), NORMALIZE],
    "resize and random crop": [Resize(30), RandomCrop((20, 25)), FLIPS[1]],
    "resize": [Resize((12, 60))],
    "jitter": [RandomResizedCrop(24), *FLIPS, ColorJitter(0.4, 0.4, 0.4), NORMALIZE],
    "followed by others": [RandomResizedCrop(24), NORMALIZE, Cutout(4)],
}


def dataset(pixels: np.ndarray) -> Dataset:
    features = {"image": ImageFeature(shape=pixels.shape[1:])}
    return Dataset.from_arrays({"image": pixels, "id": np.arange(len(pixels))}, features=features)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", LISTS)
def test_raw_images_in_one_pass_equal_separate_steps(name: str, channels: int) -> None:
    pixels = np.ascontiguousarray(PIXELS[..., :channels])
    steps = [ToFloat() if item is NORMALIZE and channels == 1 else item for item in LISTS[name]]
    (batch,) = dataset(pixels).batches(len(pixels), transform=steps, seed=3)
    expected = Compose(steps)(pixels, training=True, seed=3)
    assert (batch["image"].dtype, batch["image"].shape) == (expected.dtype, expected.shape)
    levels = {np.dtype(np.uint8): 1, np.dtype(np.float32): 1 / (255 * min(NORMALIZE.std))}
    difference = np.abs(batch["image"].astype(np.float64) - expected).max()
    most = 2.01 if "and" in name else 1.01  # crops of resized images round in another order
    assert difference <= most * levels[expected.dtype]


def test_saved_tables_and_arrays_give_the_same_batches(tmp_path: Path) -> None:
    rows, transforms = dataset(PIXELS), LISTS["random resized crop"]
    rows.save(tmp_path / "saved")
    expected = by_row(rows, transforms, layout="chw")
    choices: list[Any] = [{"threads": 0}, {"threads": 3, "shuffle": True}, {"shuffle": "blocks"}]
    for options in choices:
        results = by_row(Dataset.open(tmp_path / "saved"), transforms, 5, layout="chw", **options)
        assert results.keys() == expected.keys()
        for key, image in results.items():
            np.testing.assert_array_equal(image, expected[key])


def test_crop_that_is_larger_than_the_images_is_rejected() -> None:
    with pytest.raises(ArgumentError, match="at most"):
        next(iter(dataset(PIXELS).batches(4, transform=[Resize(20), CenterCrop(24)])))
