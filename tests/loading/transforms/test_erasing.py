from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.erasing import Cutout, RandomErasing
from dshub.loading.transforms.geometry import RandomCrop
from tests.loading.transforms.examples import varied_images


@pytest.mark.parametrize("kind", [Cutout(3, fill=300), RandomErasing(1.0, fill=-1)], ids=str)
def test_fill_outside_0_to_255_is_rejected(dataset: Dataset, kind: Any) -> None:
    with pytest.raises(ArgumentError, match=r"fill of .* from 0 to 255"):
        next(iter(dataset.batches(8, transform=kind)))
    batch = next(iter(dataset.batches(8, transform=[ToFloat(), kind])))
    assert (batch["image"] == kind.fill).any()


@pytest.mark.parametrize("kind", [Cutout(3), RandomErasing(1.0), RandomCrop(padding=2)], ids=str)
def test_images_that_differ_in_size_stay_a_list(kind: Any) -> None:
    images = next(iter(varied_images().batches(12)))["image"]
    results = next(iter(varied_images().batches(12, transform=kind)))["image"]
    assert [image.shape for image in results] == [image.shape for image in images]
    changed = [not np.array_equal(*pair) for pair in zip(results, images, strict=True)]
    assert sum(changed) > 6
