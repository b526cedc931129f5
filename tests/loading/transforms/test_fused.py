"""Compare the fused pass with separate transforms."""

from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.erasing import Cutout
from dshub.loading.transforms.geometry import (
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
)
from tests.loading.transforms.examples import AUGMENTED, NORMALIZE, PIXELS, by_row


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("transforms", [*AUGMENTED[:7], [NORMALIZE], [ToFloat()]], ids=str)
def test_fused_pass_equals_single_steps(
    dataset: Dataset, transforms: list[Any], layout: str
) -> None:
    fused = by_row(dataset, transforms, layout=layout)
    single = by_row(dataset, [Cutout(0), *transforms], layout=layout)
    if any(isinstance(item, RandomCrop | RandomHorizontalFlip) for item in transforms):
        assert {key: value.shape for key, value in fused.items()} == {
            key: value.shape for key, value in single.items()
        }
        return  # random draws depend on a transform's index in the list
    for key, image in fused.items():
        np.testing.assert_allclose(image, single[key], rtol=1e-6)


FLIPS: list[Any] = [RandomHorizontalFlip(), RandomVerticalFlip(), NORMALIZE]


class Pieces(Dataset):
    """A dataset with images that are not one array."""

    def pixels(self, name: str) -> None:  # noqa: ARG002
        return None


@pytest.mark.parametrize("layout", ["hwc", "chw"])
@pytest.mark.parametrize("transforms", [*AUGMENTED[:7], [NORMALIZE], [], FLIPS], ids=str)
def test_result_does_not_depend_on_memory_layout(
    dataset: Dataset, transforms: list[Any], layout: str
) -> None:
    pieces = Pieces(*(getattr(dataset, name) for name in ("_source", "_selection", "_names")))
    assert dataset.pixels("image") is not None
    expected = by_row(dataset, transforms, layout=layout)
    results = by_row(pieces, transforms, layout=layout)
    assert results.keys() == expected.keys()
    for key, image in results.items():
        np.testing.assert_array_equal(image, expected[key])


def test_pixels_of_own_arrays_are_not_copied(dataset: Dataset) -> None:
    pixels = dataset.pixels("image")
    assert pixels is not None
    assert np.shares_memory(pixels, PIXELS)
