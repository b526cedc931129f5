import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError
from dshub.loading.transforms.colors import Normalize, ToFloat
from tests.loading.transforms.examples import NORMALIZE, PIXELS, ROWS


def test_normalize_follows_its_formula(dataset: Dataset) -> None:
    mean, std = np.array(NORMALIZE.mean), np.array(NORMALIZE.std)
    expected = (PIXELS / 255 - mean) / std
    batch = next(iter(dataset.batches(ROWS, transform=NORMALIZE)))
    assert batch["image"].dtype == np.float32
    np.testing.assert_allclose(batch["image"], expected, rtol=1e-5, atol=1e-6)
    planes = next(iter(dataset.batches(ROWS, transform=NORMALIZE, layout="chw")))["image"]
    assert planes.flags.c_contiguous
    np.testing.assert_array_equal(planes, batch["image"].transpose(0, 3, 1, 2))


def test_to_float_divides_by_255(dataset: Dataset) -> None:
    batch = next(iter(dataset.batches(ROWS, transform=ToFloat())))
    np.testing.assert_allclose(batch["image"], PIXELS / 255, rtol=1e-6)


def test_normalize_accepts_lists_and_arrays(dataset: Dataset) -> None:
    mean, std = list(NORMALIZE.mean), np.array(NORMALIZE.std)
    normalize = Normalize(mean, std)  # type: ignore[arg-type]
    assert normalize == NORMALIZE
    one, other = (next(iter(dataset.batches(8, transform=t))) for t in (normalize, NORMALIZE))
    np.testing.assert_array_equal(one["image"], other["image"])


def test_normalize_for_other_channels_is_rejected(dataset: Dataset) -> None:
    with pytest.raises(ArgumentError, match="1 or 3 numbers, because the images have 3 channels"):
        next(iter(dataset.batches(8, transform=Normalize((0.1, 0.2), (0.1, 0.2)))))


def test_pixels_of_16_bits_become_0_to_1() -> None:
    pixels = np.array([[[0], [32768], [65535]]], np.uint16)
    assert np.allclose(ToFloat()(pixels).ravel(), [0, 32768 / 65535, 1])
    scaled = Normalize(mean=(0.5,), std=(0.25,))(pixels)
    assert np.allclose(scaled.ravel(), [-2, (32768 / 65535 - 0.5) / 0.25, 2], atol=1e-6)
