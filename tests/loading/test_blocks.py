"""Test batches of raw images that are stored in several shards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.datasets import saved
from dshub.loading.blocks import ImageBlocks
from dshub.loading.transforms import Normalize, RandomCrop, RandomHorizontalFlip, ToFloat

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 10, 12, 3), np.uint8)


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Return the images in shards of 9 rows."""
    monkeypatch.setattr(saved, "SHARD_BYTES", 9 * 360)
    whole().save(tmp_path / "saved")
    ds = Dataset.open(tmp_path / "saved")
    assert len(ds.files) == 8
    return ds


def whole() -> Dataset:
    return Dataset.from_arrays(
        {"image": PIXELS}, features={"image": ImageFeature(shape=(10, 12, 3))}
    )


NORMALIZE = Normalize(mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3))


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize(
    "transform",
    [
        [],
        [NORMALIZE],
        [RandomHorizontalFlip(), NORMALIZE],
        [RandomCrop((7, 5)), RandomHorizontalFlip(), ToFloat()],
        [RandomCrop(8)],
        [RandomCrop(padding=3), NORMALIZE],
    ],
    ids=["none", "normalize", "flip", "crop", "crop-only", "padding"],
)
def test_shards_give_the_batches_of_one_array(
    sharded: Dataset, transform: list[Any], layout: Any
) -> None:
    """Compare with the same images in memory, in shuffled batches of several parts."""
    options: dict[str, Any] = {"shuffle": True, "transform": transform, "layout": layout}
    expected = whole().batches(32, **options)
    for batch, other in zip(sharded.batches(32, **options), expected, strict=True):
        np.testing.assert_array_equal(batch["image"], other["image"])
        assert batch["image"].flags.writeable


def test_views_of_shards_read_their_own_rows(sharded: Dataset) -> None:
    view = sharded.skip(5).take(45)
    (batch,) = view.batches(45, transform=[RandomCrop(10), ToFloat()])
    (other,) = whole().skip(5).take(45).batches(45, transform=[RandomCrop(10), ToFloat()])
    np.testing.assert_array_equal(batch["image"], other["image"])


def test_torch_batches_of_shards_are_equal(sharded: Dataset) -> None:
    pytest.importorskip("torch")
    transform = [RandomCrop(8), RandomHorizontalFlip(), NORMALIZE]
    options: dict[str, Any] = {"transform": transform, "layout": "chw"}
    for batch, other in zip(
        sharded.batches(20, **options).torch(), whole().batches(20, **options), strict=True
    ):
        np.testing.assert_allclose(batch["image"].numpy(), other["image"], rtol=1e-6)


def test_parts_hold_the_requested_crops() -> None:
    starts = np.array([0, 30, 70])
    blocks = ImageBlocks(starts, [PIXELS[:30], PIXELS[30:]].__getitem__, (10, 12, 3))
    assert blocks.shape == PIXELS.shape
    rows = np.array([69, 0, 29, 30, 31, 2, 3, 4, 5, 6, 7])
    corners = np.stack([np.arange(11) % 4, np.arange(11) % 7], axis=1)
    crops = np.concatenate([part.copy() for _, part in blocks.parts(rows, corners, (6, 5))])
    for crop, row, (y, x) in zip(crops, rows, corners, strict=True):
        np.testing.assert_array_equal(crop, PIXELS[row, y : y + 6, x : x + 5])
