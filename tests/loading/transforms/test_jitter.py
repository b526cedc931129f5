import numpy as np
import pytest
from PIL import Image, ImageEnhance

from dshub import Dataset
from dshub.errors import ArgumentError, DshubError
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.geometry import RandomHorizontalFlip
from dshub.loading.transforms.jitter import ColorJitter, jittered
from tests.loading.decoding.examples import smooth
from tests.loading.transforms.examples import PIXELS, by_row

MILD = smooth() // 3 + 60  # no pixel reaches a limit
ENHANCE = {0: ImageEnhance.Brightness, 1: ImageEnhance.Contrast, 2: ImageEnhance.Color}


@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.3])
@pytest.mark.parametrize("place", ENHANCE)
def test_each_factor_equals_that_of_pillow(place: int, factor: float) -> None:
    factors = [1.0, 1.0, 1.0]
    factors[place] = factor
    expected = np.asarray(ENHANCE[place](Image.fromarray(MILD)).enhance(factor))
    assert np.abs(jittered(MILD, factors).astype(int) - expected).max() <= 1


def test_factors_are_combined_in_order() -> None:
    image = Image.fromarray(MILD)
    for place, factor in enumerate((0.8, 1.2, 0.5)):
        image = ENHANCE[place](image).enhance(factor)
    result = jittered(MILD, (0.8, 1.2, 0.5))
    assert np.abs(result.astype(int) - np.asarray(image)).max() <= 2


def test_pixels_stay_within_their_limits() -> None:
    assert jittered(smooth(), (3.0, 2.0, 2.0)).max() == 255
    assert jittered(smooth(), (0.1, 0.0, 1.0)).std() < 1
    gray = smooth()[..., :1]
    assert np.array_equal(jittered(gray, (1.0, 1.0, 5.0)), gray)


def test_factors_are_drawn_for_each_row(dataset: Dataset) -> None:
    transform = [RandomHorizontalFlip(0), ColorJitter(0.4, 0.4, 0.4), ToFloat()]
    expected = by_row(dataset, transform, 8)
    results = by_row(dataset, transform, 20, shuffle=True)
    changed = 0
    for key, image in results.items():
        np.testing.assert_array_equal(image, expected[key])
        changed += not np.array_equal(image, PIXELS[key[1]] / np.float32(255))
    assert changed == len(results)


def test_calls_without_training_change_nothing() -> None:
    assert np.array_equal(ColorJitter(0.5)(smooth()), smooth())


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(ArgumentError, match="contrast of ColorJitter is -1"):
        ColorJitter(contrast=-1)
    with pytest.raises(DshubError, match="uint8 images, not float32"):
        ColorJitter(0.5)(smooth().astype(np.float32), training=True)
