"""Compare masks with the images of the same rows, and one pass with separate steps."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import Feature, ImageFeature, MaskFeature
from dshub.errors import ArgumentError, DshubError, SchemaError
from dshub.loading.encoded import EncodedImages
from dshub.loading.options import BatchOptions
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.compose import Compose
from dshub.loading.transforms.geometry import (
    CenterCrop,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)
from dshub.loading.transforms.jitter import ColorJitter
from dshub.loading.transforms.mixing import CutMix, MixUp
from tests.loading.decoding.examples import encode

ROWS = 6
SIZES = [(40 + 3 * i, 56 - 2 * i) for i in range(ROWS)]


def places(height: int, width: int) -> np.ndarray:
    """Return pixels whose red and green are their row and column, times 3."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([3 * y, 3 * x, y ^ x]).astype(np.uint8)


def dataset(*, same: bool = False, deep: bool = False) -> Dataset:
    """Return images and masks with the number of each pixel, row and column."""
    sizes = [(48, 48)] * ROWS if same else SIZES
    images = [encode(Image.fromarray(places(*size)), "PNG") for size in sizes]
    masks = [
        encode(Image.fromarray(places(*size)[..., i]), "PNG") for i in range(2) for size in sizes
    ]
    shape = (48, 48) if same else ()
    dtype: Any = "uint16" if deep else "uint8"
    features: dict[str, Feature] = {
        "image": ImageFeature(encoding="png", shape=(*shape, 3) if same else ()),
        "row": MaskFeature(encoding="png", shape=shape, dtype=dtype),
        "column": MaskFeature(encoding="any", shape=shape, dtype=dtype),
    }
    columns = {"image": images, "row": masks[:ROWS], "column": masks[ROWS:]}
    return Dataset.from_arrays(columns, features=features)


def raw() -> Dataset:
    """Return the same as arrays of one size."""
    rows = dataset(same=True)
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(48, 48, 3)),
        "row": MaskFeature(shape=(48, 48), encoding="raw"),
        "column": MaskFeature(shape=(48, 48), encoding="raw"),
    }
    columns = {name: np.array(rows[name]) for name in features}
    return Dataset.from_arrays(columns, features=features)


def batch(rows: Dataset, transform: Any, **options: Any) -> Any:
    return next(iter(rows.batches(ROWS, transform=transform, seed=3, **options)))


MOVES: dict[str, list[Any]] = {
    "crop": [RandomCrop(20)],
    "crop and flip": [RandomCrop(20), RandomHorizontalFlip()],
    "center": [CenterCrop((20, 30))],
    "flip": [RandomHorizontalFlip()],
    "both flips": [RandomCrop(20), RandomHorizontalFlip(), RandomVerticalFlip()],
    "padded": [RandomCrop(44, padding=4)],
}


@pytest.mark.parametrize("transform", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("kind", ["files", "one size", "raw", "wide"])
def test_masks_move_with_their_image(kind: str, transform: list[Any]) -> None:
    rows = {
        "files": dataset(),
        "one size": dataset(same=True),
        "raw": raw(),
        "wide": dataset(deep=True),
    }[kind]
    got = batch(rows, transform)
    assert len(got["row"]) == ROWS
    for image, row, column in zip(got["image"], got["row"], got["column"], strict=True):
        assert np.array_equal(image[..., 0], row)
        assert np.array_equal(image[..., 1], column)
    assert got["row"][0].dtype == ("uint16" if kind == "wide" else "uint8")


@pytest.mark.parametrize("training", [True, False])
def test_resized_parts_of_masks_are_those_of_images(training: bool) -> None:
    """Interpolated rows and columns are at most one pixel from the nearest ones."""
    for transform in (
        RandomResizedCrop((24, 32), scale=(0.3, 1.0)),
        Compose([Resize((24, 32))]),
        Compose([Resize(30), CenterCrop(24)]),
    ):
        if training:
            got = batch(dataset(), transform)
        else:
            rows = dataset()
            got = transform(
                {name: list(rows[name]) for name in rows.features}, features=rows.features
            )
        distance = got["image"][..., 0].astype(int) - got["row"]
        assert np.abs(distance).max() <= 3
        assert np.abs(got["image"][..., 1].astype(int) - got["column"]).max() <= 3
        assert set(np.unique(got["row"] % 3)) == {0}  # values are never blended


def test_resized_masks_match_pillow() -> None:
    got = batch(dataset(), [Resize((16, 32))])  # no center is exactly between two pixels
    for size, mask in zip(SIZES, got["row"], strict=True):
        image = Image.fromarray(places(*size)[..., 0])
        expected = image.resize((32, 16), Image.Resampling.NEAREST)
        assert np.array_equal(mask, np.asarray(expected))


FUSED: list[list[Any]] = [
    [RandomResizedCrop(24), RandomHorizontalFlip(), ToFloat()],
    [Resize(40), CenterCrop(24)],
    [Resize((40, 44)), RandomCrop(24), RandomHorizontalFlip(), ColorJitter(0.2), ToFloat()],
    [Resize((40, 44))],
]


@pytest.mark.parametrize("transform", FUSED)
def test_one_pass_and_separate_steps_give_the_same_masks(transform: list[Any]) -> None:
    rows = dataset()
    assert EncodedImages(rows, BatchOptions(ROWS, transform=transform)).fused.count == len(
        transform
    )
    fused = batch(rows, transform, layout="chw")
    # raw pixels beside files need separate steps
    pixels = np.zeros((ROWS, 50, 50, 3), np.uint8)
    both = rows.with_column("other", pixels, ImageFeature(shape=(50, 50, 3)))
    assert EncodedImages(both, BatchOptions(ROWS, transform=transform)).fused.count == 0
    separate = batch(both, transform, layout="chw")
    assert fused["row"].shape == (ROWS, *fused["image"].shape[2:])
    assert np.array_equal(fused["row"], separate["row"])
    assert np.array_equal(fused["column"], separate["column"])


def test_padding_of_masks_has_the_ignored_value() -> None:
    feature = MaskFeature(encoding="raw", shape=(4, 4), ignore=255)
    columns = {"image": np.ones((5, 4, 4, 3), np.uint8), "mask": np.ones((5, 4, 4), np.uint8)}
    features: dict[str, Feature] = {"image": ImageFeature(shape=(4, 4, 3)), "mask": feature}
    rows = Dataset.from_arrays(columns, features=features)
    got = batch(rows, [RandomCrop(padding=3)])
    assert np.array_equal(got["mask"] == 255, got["image"][..., 0] == 0)
    assert set(np.unique(got["mask"])) == {1, 255}


def test_colors_of_images_do_not_change_masks() -> None:
    plain, changed = batch(dataset(), None), batch(dataset(), [ColorJitter(0.9), ToFloat()])
    for mask, same in zip(plain["row"], changed["row"], strict=True):
        assert np.array_equal(mask, same)


def test_mixed_rows() -> None:
    got = batch(dataset(same=True), [CutMix()])
    assert np.array_equal(got["image"][..., 0], got["row"])
    with pytest.raises(DshubError, match="MixUp cannot blend the masks of column row"):
        batch(dataset(same=True), [MixUp()])


def test_bad_masks_name_their_row() -> None:
    bad = Dataset.from_arrays(
        {"x": [encode(Image.fromarray(places(9, 9)), "PNG")] * 2},
        features={"x": MaskFeature(encoding="png")},
    )
    with pytest.raises(SchemaError, match=r"row 0, column x: got colors, 9x9x3"):
        batch(bad, None)
    with pytest.raises(ArgumentError, match="at most"):
        batch(dataset(), [CenterCrop(500)])


def test_processes_give_the_same_masks() -> None:
    transform = FUSED[0]
    here = batch(dataset(), transform)
    there = batch(dataset(), transform, where="process")
    assert np.array_equal(here["row"], there["row"])
    varied = batch(dataset(), None, where="process")
    assert [mask.shape for mask in varied["row"]] == SIZES


def test_masks_are_the_y_of_pairs() -> None:
    x, y = batch(dataset(same=True), [RandomCrop(9)], supervised=("image", "row"))
    assert (x.shape, y.shape) == ((ROWS, 9, 9, 3), (ROWS, 9, 9))
