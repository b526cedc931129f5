"""Compare resampling with Pillow, with and without numba."""

from typing import Any

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dshub.loading.transforms import resampling
from dshub.loading.transforms.colors import Normalize
from dshub.loading.transforms.compiled import kernels
from dshub.loading.transforms.resampling import Finish, resample
from dshub.loading.transforms.windows import Window
from tests.loading.decoding.examples import smooth

NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
BILINEAR = Image.Resampling.BILINEAR
# versions before 13 resize columns first, and round in between
TOLERANCE = 0 if int(PIL.__version__.split(".")[0]) >= 13 else 1


@pytest.fixture(params=["installed", "pillow"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pillow":
        monkeypatch.setattr(resampling, "kernels", lambda: None)


def levels(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


def pillow(pixels: np.ndarray, size: tuple[int, int], box: Any = None) -> np.ndarray:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(image.resize(size[::-1], BILINEAR, box)).reshape(*size, -1)


SIDES = st.integers(1, 150)


@given(st.data(), st.sampled_from([1, 3]), st.tuples(SIDES, SIDES), st.booleans())
def test_region_is_resized_like_pillow(
    data: Any, channels: int, size: tuple[int, int], flip: bool
) -> None:
    pixels = np.ascontiguousarray(NOISE[..., :channels])
    top, left = data.draw(st.integers(0, 89)), data.draw(st.integers(0, 119))
    bottom, right = data.draw(st.integers(top + 1, 90)), data.draw(st.integers(left + 1, 120))
    out = np.empty((*size, channels), np.uint8)
    resample(pixels, Window.of((top, left, bottom, right), size), out, Finish(flip=flip))
    expected = pillow(np.ascontiguousarray(pixels[top:bottom, left:right]), size)
    assert levels(out, expected[:, ::-1] if flip else expected) <= TOLERANCE


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("channels", [1, 3])
def test_box_between_pixels_is_resized_like_pillow(channels: int) -> None:
    pixels = np.ascontiguousarray(smooth(90, 120)[..., :channels])
    window = Window((0, 0, 90, 120), (10.25, 7.5, 70.75, 99.3), (40, 50))
    out = np.empty((40, 50, channels), np.uint8)
    resample(pixels, window, out, Finish())
    assert levels(out, pillow(pixels, (40, 50), (7.5, 10.25, 99.3, 70.75))) <= 1


@pytest.mark.usefixtures("library")
def test_pixels_outside_the_region_are_not_used() -> None:
    pixels = np.full((60, 60, 3), 255, np.uint8)
    pixels[20:40, 10:50] = 0
    out = np.empty((33, 7, 3), np.uint8)
    resample(pixels, Window.of((20, 10, 40, 50), (33, 7)), out, Finish())
    assert not out.any()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_scaled_and_moved(planes: bool, channels: int) -> None:
    normalize = Normalize(mean=(0.4, 0.5, 0.6)[:channels], std=(0.2, 0.25, 0.3)[:channels])
    pixels = np.ascontiguousarray(NOISE[..., :channels])
    out = np.empty((channels, 45, 70) if planes else (45, 70, channels), np.float32)
    window = Window.of((5, 3, 85, 119), (45, 70))
    resample(pixels, window, out, Finish(flip=True, scale=normalize, planes=planes))
    plain = np.empty((45, 70, channels), np.uint8)
    resample(pixels, window, plain, Finish(flip=True))
    expected = (plain / 255 - normalize.mean) / normalize.std
    result = np.moveaxis(out, 0, -1) if planes else out
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.usefixtures("library")
def test_pillow_image_gives_the_same_pixels() -> None:
    window = Window((4, 6, 80, 100), (5.5, 8.0, 71.0, 99.5), (30, 41))
    results = []
    for source in (NOISE, Image.fromarray(NOISE)):
        results.append(np.empty((30, 41, 3), np.uint8))
        resample(source, window, results[-1], Finish())
    assert np.array_equal(results[0], results[1])


def bilinear(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate between the four pixels around each position, as in textbooks."""

    def places(length: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        center = (np.arange(count) + 0.5) * length / count - 0.5
        first = np.floor(center).astype(int)
        share = center - first
        return first.clip(0, length - 1), (first + 1).clip(0, length - 1), share

    above, below, down = places(pixels.shape[0], size[0])
    left, right, across = places(pixels.shape[1], size[1])
    floats = pixels.astype(float)
    rows = floats[above] * (1 - down)[:, None, None] + floats[below] * down[:, None, None]
    return rows[:, left] * (1 - across)[:, None] + rows[:, right] * across[:, None]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("size", [(40, 50), (33, 119), (200, 300), (90, 120), (17, 250)], ids=str)
def test_without_antialiasing_four_pixels_are_interpolated(size: tuple[int, int]) -> None:
    out = np.empty((*size, 3), np.uint8)
    resample(NOISE, Window.of((0, 0, 90, 120), size), out, Finish(antialias=False))
    assert np.abs(out - bilinear(NOISE, size)).max() <= 2


def test_kernels_are_optional() -> None:
    module = kernels()
    assert module is None or module.__name__ == "dshub.loading.transforms.kernels"
