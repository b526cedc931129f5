from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.errors import ArgumentError, DshubError
from dshub.loading.order import Draws
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from dshub.loading.transforms.transform import Context
from tests.loading.transforms.examples import HEIGHT, PIXELS, WIDTH, by_row, varied_images


def candidates(row: int, size: tuple[int, int], padding: int) -> list[bytes]:
    """Return every crop of a padded image."""
    padded = np.pad(PIXELS[row], ((padding, padding), (padding, padding), (0, 0)))
    down, right = size
    return [
        padded[y : y + down, x : x + right].tobytes()
        for y in range(padded.shape[0] - down + 1)
        for x in range(padded.shape[1] - right + 1)
    ]


@pytest.mark.parametrize(
    ("crop", "size", "padding"),
    [
        (RandomCrop(padding=2), (HEIGHT, WIDTH), 2),
        (RandomCrop(5), (5, 5), 0),
        (RandomCrop((4, 6), padding=1), (4, 6), 1),
    ],
)
def test_crop_is_a_part_of_the_padded_image(
    dataset: Dataset, crop: RandomCrop, size: tuple[int, int], padding: int
) -> None:
    results = by_row(dataset, crop)
    offsets = [
        candidates(row, size, padding).index(image.tobytes()) for (_, row), image in results.items()
    ]
    assert len(set(offsets)) > len(candidates(0, size, padding)) // 3


@pytest.mark.parametrize(
    ("flip", "mirrored"),
    [(RandomHorizontalFlip(), PIXELS[:, :, ::-1]), (RandomVerticalFlip(), PIXELS[:, ::-1])],
    ids=["horizontal", "vertical"],
)
@pytest.mark.parametrize("last", [[], [ToFloat()]], ids=["bytes", "floats"])
def test_flip_mirrors_about_half_of_the_rows(
    dataset: Dataset, flip: Any, mirrored: np.ndarray, last: list[Any]
) -> None:
    results = by_row(dataset, [flip, *last])
    scale = 255 if last else 1
    results = {key: (image * scale).round().astype(np.uint8) for key, image in results.items()}
    flipped = [np.array_equal(image, mirrored[row]) for (_, row), image in results.items()]
    same = [np.array_equal(image, PIXELS[row]) for (_, row), image in results.items()]
    assert all(a != b for a, b in zip(flipped, same, strict=True))
    assert 0.3 < np.mean(flipped) < 0.7


def test_vertical_flip_of_single_images() -> None:
    always, image = RandomVerticalFlip(1.0), PIXELS[0]
    assert np.array_equal(always(image, training=True), image[::-1])
    assert np.array_equal(always(image), image)
    with pytest.raises(ArgumentError, match="probability of RandomVerticalFlip is 2"):
        RandomVerticalFlip(2)


def test_flips_in_both_directions_are_independent(dataset: Dataset) -> None:
    flips = [RandomHorizontalFlip(), RandomVerticalFlip()]
    results = by_row(dataset, flips)
    found = set()
    for (_, row), image in results.items():
        for rows, columns in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            if np.array_equal(image, PIXELS[row][::rows, ::columns]):
                found.add((rows, columns))
    assert len(found) == 4


def test_crop_with_a_size_makes_one_array() -> None:
    results = next(iter(varied_images().batches(12, transform=RandomCrop((4, 5), padding=1))))[
        "image"
    ]
    assert results.shape == (12, 4, 5, 3)
    for i, image in enumerate(results):
        padded = np.pad(PIXELS[i][: 5 + i % 4, : 6 + i % 5], ((1, 1), (1, 1), (0, 0)))
        parts = [
            padded[y : y + 4, x : x + 5]
            for y in range(padded.shape[0] - 3)
            for x in range(padded.shape[1] - 4)
        ]
        assert any(np.array_equal(image, part) for part in parts)


def test_crop_larger_than_the_image_is_rejected(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match=r"RandomCrop is \(30, 30\); it must be at most \(9, 11\)"):
        next(iter(dataset.batches(4, transform=RandomCrop(30))))


def test_size_can_be_a_list_or_a_numpy_integer(dataset: Dataset) -> None:
    kinds: list[Any] = [RandomCrop, CenterCrop, Resize, RandomResizedCrop]
    for kind in kinds:
        batch = next(iter(dataset.batches(8, transform=kind([4, 5]))))
        assert batch["image"].shape == (8, 4, 5, 3)
        assert kind(np.int64(4)) == kind(4)


def test_resize_and_crop_match_pillow() -> None:
    sizes = [(20, 30), (40, 25), (16, 16)]
    images = [
        np.random.default_rng(i).integers(0, 256, (*s, 3), np.uint8) for i, s in enumerate(sizes)
    ]
    context = Context(Draws.of(np.arange(3), 0, 0), {}, ["image"])

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
    for kind in (Resize(4), RandomResizedCrop(4)):
        with pytest.raises(
            DshubError, match="requires uint8 or uint16 images, not float32"
        ) as caught:
            next(iter(dataset.batches(8, transform=[ToFloat(), kind])))
        assert "before" in caught.value.hint


@pytest.mark.parametrize("antialias", [True, False])
def test_images_of_16_bits_are_resized_in_full(antialias: bool) -> None:
    """A ramp stays a ramp; its values need more than 8 bits."""
    ramp = np.add.outer(np.arange(40) * 512, np.arange(60) * 7).astype(np.uint16)[..., None]
    result = Resize((20, 30), antialias=antialias)(ramp)
    assert result.dtype == np.uint16
    expected = np.add.outer((np.arange(20) * 2 + 0.5) * 512, (np.arange(30) * 2 + 0.5) * 7)
    assert np.abs(result[1:-1, 1:-1, 0] - expected[1:-1, 1:-1]).max() <= 1
    colors = np.dstack([ramp, ramp // 2, ramp // 3])
    assert RandomResizedCrop(12, antialias=antialias)(colors, training=True).shape == (12, 12, 3)
    with pytest.raises(DshubError, match="requires uint8 or uint16 images, not float32"):
        Resize(9)(ramp.astype(np.float32))
