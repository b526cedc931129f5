import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.errors import ArgumentError, DshubError, FunctionError
from dshub.loading.transforms import (
    BaseTransform,
    Batch,
    CenterCrop,
    Compose,
    Context,
    CutMix,
    Cutout,
    MixUp,
    OneHot,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToFloat,
)
from tests.loading.transforms.examples import (
    AUGMENTED,
    HEIGHT,
    NORMALIZE,
    PIXELS,
    ROWS,
    WIDTH,
    varied_images,
)

FIXED: list[BaseTransform] = [NORMALIZE, ToFloat(), CenterCrop(5), Resize(6), Resize((4, 8))]


def only(dataset: Dataset, transform: Any, **options: Any) -> Any:
    """Return all rows of a dataset as one batch."""
    (batch,) = dataset.batches(ROWS, transform=transform, **options)
    return batch


@pytest.mark.parametrize("transform", FIXED, ids=str)
@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_call_gives_the_pixels_of_batches(
    dataset: Dataset, transform: BaseTransform, layout: Any
) -> None:
    expected = only(dataset, transform, layout=layout)["image"]
    np.testing.assert_array_equal(transform(PIXELS, layout=layout), expected)
    np.testing.assert_array_equal(transform(PIXELS[3], layout=layout), expected[3])
    image = Image.fromarray(PIXELS[3])
    np.testing.assert_array_equal(transform(image, layout=layout), expected[3])
    np.testing.assert_array_equal(transform([image, PIXELS[4]], layout=layout), expected[3:5])
    batch = transform({"image": PIXELS, "id": np.arange(ROWS)}, layout=layout)
    np.testing.assert_array_equal(batch["image"], expected)
    np.testing.assert_array_equal(batch["id"], np.arange(ROWS))


@pytest.mark.parametrize("transforms", [*AUGMENTED, [MixUp()], [CutMix()]], ids=str)
def test_training_call_repeats_the_first_epoch_of_its_seed(
    dataset: Dataset, transforms: list[Any]
) -> None:
    expected = only(dataset, transforms, seed=5)["image"]
    called = Compose(transforms)(PIXELS, training=True, seed=5)
    np.testing.assert_array_equal(called, expected)


@pytest.mark.parametrize(
    "transform",
    [
        RandomCrop(padding=3),
        RandomHorizontalFlip(1.0),
        Cutout(4),
        RandomErasing(1.0),
        MixUp(),
        CutMix(),
    ],
    ids=str,
)
def test_call_without_training_returns_its_input(transform: BaseTransform) -> None:
    assert transform(PIXELS) is PIXELS
    np.testing.assert_array_equal(transform(PIXELS[0]), PIXELS[0])
    assert not np.array_equal(transform(PIXELS, training=True), PIXELS)


@pytest.mark.parametrize("size", [4, 5, (3, 8)])
def test_random_crop_without_training_is_a_center_crop(size: Any) -> None:
    np.testing.assert_array_equal(RandomCrop(size)(PIXELS), CenterCrop(size)(PIXELS))
    padded = RandomCrop(size, padding=2)(PIXELS)
    np.testing.assert_array_equal(padded, CenterCrop(size)(PIXELS))


def test_random_resized_crop_without_training_keeps_the_center() -> None:
    square = RandomResizedCrop(HEIGHT)(PIXELS)
    np.testing.assert_array_equal(square, CenterCrop(HEIGHT)(PIXELS))
    whole = RandomResizedCrop((2 * HEIGHT, 2 * WIDTH))(PIXELS)
    np.testing.assert_array_equal(whole, Resize((2 * HEIGHT, 2 * WIDTH))(PIXELS))


def test_images_of_different_sizes_can_be_called() -> None:
    images = list(varied_images()["image"])
    resized = Resize((4, 4))(images)
    assert resized.shape == (len(images), 4, 4, 3)
    kept = ToFloat()(images, layout="chw")
    assert [image.shape[0] for image in kept] == [3] * len(images)


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("1", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("CMYK", 3)]
)
def test_pillow_images_become_gray_or_rgb(mode: str, channels: int) -> None:
    image = Image.fromarray(PIXELS[0]).convert(mode)
    assert ToFloat()(image).shape == (HEIGHT, WIDTH, channels)


def test_labels_of_a_batch_need_features(dataset: Dataset) -> None:
    batch = {"image": PIXELS[:4], "label": np.arange(4)}
    for transform in (OneHot(0.1), MixUp(), CutMix()):
        with pytest.raises(DshubError, match="which columns have labels: label") as caught:
            transform(batch, training=True)
        assert caught.value.hint == "pass features=ds.features"
        made = transform(batch, training=True, features=dataset.features)
        assert made["label"].shape == (4, 4)
    np.testing.assert_array_equal(batch["label"], np.arange(4))
    assert MixUp()(batch)["label"] is batch["label"]
    soft = {"label": np.eye(4, dtype=np.float32)}
    OneHot(0.5)(soft, features={"label": LabelFeature(names=("a", "b", "c", "d"))})
    np.testing.assert_array_equal(soft["label"], np.eye(4))


@pytest.mark.parametrize("images", ["cat.png", 3, PIXELS[0, :, :, 0], [PIXELS[0], "cat"], None])
def test_other_values_are_not_images(images: Any) -> None:
    with pytest.raises(
        ArgumentError, match=r"(images|column image) is .*; it must be an (image|array)"
    ):
        ToFloat()(images)


def test_row_is_not_a_batch(dataset: Dataset) -> None:
    with pytest.raises(ArgumentError, match=r"column image is uint8 \(9, 11, 3\); it must be"):
        ToFloat()(dataset[0])


def test_invalid_options_are_rejected() -> None:
    for name, value in {"training": "yes", "seed": 1.5, "layout": "nchw"}.items():
        with pytest.raises(ArgumentError, match=f"{name} is"):
            ToFloat()(PIXELS, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "transform", [ToFloat(), [RandomCrop(3), len], MixUp(), Compose([NORMALIZE])]
)
@pytest.mark.parametrize(
    ("x", "hint"),
    [
        (PIXELS, r'pass features={"x": ImageFeature\(shape=\(9, 11, 3\)\)}$'),
        (PIXELS[..., 0], r"shape=\(9, 11, 1\)\)}, with arrays of shape \(rows, 9, 11, 1\)$"),
        (PIXELS.astype(np.float32), r'shape=\(9, 11, 3\), dtype="float32"\)}$'),
        (
            np.zeros(ROWS),
            r'pass features={"x": ImageFeature\(shape=\(height, width, channels\)\)}$',
        ),
    ],
)
def test_batches_without_images_say_how_to_declare_them(
    transform: Any, x: np.ndarray, hint: str
) -> None:
    dataset = Dataset.from_arrays({"x": x, "y": np.zeros(ROWS)})
    with pytest.raises(
        DshubError, match=r"requires an image column; the columns are x \(number"
    ) as caught:
        dataset.batches(8, transform=transform)
    assert re.search(hint, caught.value.hint)


def test_hint_about_images_works() -> None:
    features = {"x": ImageFeature(shape=(9, 11, 3))}
    dataset = Dataset.from_arrays({"x": PIXELS}, features=features)
    np.testing.assert_array_equal(only(dataset, ToFloat())["x"], ToFloat()(PIXELS))


def test_encoded_files_must_be_decoded() -> None:
    with pytest.raises(DshubError, match="requires an image column") as caught:
        varied_images().decode(False).batches(2, transform=ToFloat())
    assert caught.value.hint.startswith("call ds.decode()")


class Inverted:
    """A transform of another package, with only the method `apply`."""

    def apply(self, batch: Batch, context: Context) -> Batch:
        return batch | {name: 255 - batch[name] for name in context.image_columns}


def test_protocol_needs_only_apply(dataset: Dataset) -> None:
    np.testing.assert_array_equal(only(dataset, Inverted())["image"], 255 - PIXELS)
    np.testing.assert_array_equal(Compose([Inverted()])(PIXELS), 255 - PIXELS)
    numbers = Dataset.from_arrays({"x": np.arange(3)})
    assert len(list(numbers.batches(3, transform=Inverted()))) == 1


def missing_column(batch: Mapping[str, Any]) -> Batch:
    return {"image": batch["photo"]}


def test_failing_function_is_named_with_the_shapes_it_received(dataset: Dataset) -> None:
    with pytest.raises(FunctionError) as caught:
        list(dataset.batches(8, transform=[ToFloat(), missing_column]))
    message = str(caught.value)
    assert "missing_column failed at a batch of 8 rows, from row 0: KeyError: 'photo'" in message
    assert "'image': float32 (8, 9, 11, 3), 'label': int64 (8,)" in message
    assert isinstance(caught.value.__cause__, KeyError)
