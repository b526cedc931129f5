"""Resize and RandomResizedCrop."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.errors import DshubError
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.geometry import CenterCrop
from dshub.loading.transforms.resizing import RandomResizedCrop, Resize


def test_resize_and_crop_match_pillow() -> None:
    """Images of several sizes become result array."""
    sizes = [(20, 30), (40, 25), (16, 16)]
    images = [
        np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(sizes)
    ]
    context: Any = type("Context", (), {"pictures": ["image"]})()

    def run(transform: Any) -> Any:
        return transform.apply({"image": list(images)}, context)["image"]

    results = run(Resize((8, 12)))
    assert results.shape == (3, 8, 12, 3)
    for image, result in zip(images, results, strict=True):
        expected = Image.fromarray(image).resize((12, 8), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(result, np.asarray(expected))
    assert [result.shape[:2] for result in run(Resize(10))] == [(10, 15), (16, 10), (10, 10)]
    middle = run(CenterCrop(16))
    np.testing.assert_array_equal(middle[0], images[0][2:18, 7:23])
    with pytest.raises(
        ValueError, match=r"CenterCrop is \(17, 17\); it must be at most \(16, 16\)"
    ):
        run(CenterCrop(17))


def test_resizing_floats_is_rejected(dataset: Dataset) -> None:
    """The hint says where to put the transform."""
    for kind in (Resize(4), RandomResizedCrop(4)):
        with pytest.raises(DshubError, match="resized as uint8, and these are float32") as caught:
            next(iter(dataset.batches(8, transform=[ToFloat(), kind])))
        assert "before" in caught.value.hint
