from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature, ListFeature
from dshub.errors import DshubError
from dshub.loading.transforms.compose import Compose
from dshub.loading.transforms.geometry import Resize
from dshub.loading.transforms.mixing import CutMix, MixUp, MultiHot, OneHot
from tests.loading.transforms.examples import HEIGHT, WIDTH, varied_images


def test_one_hot_makes_vectors(dataset: Dataset) -> None:
    batch = next(iter(dataset.batches(8, transform=OneHot())))
    np.testing.assert_array_equal(batch["label"], np.eye(4, dtype=np.float32)[np.arange(8) % 4])
    batch = next(iter(dataset.batches(8, transform=OneHot(smoothing=0.1))))
    np.testing.assert_allclose(batch["label"].sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(batch["label"].max(1), 0.925, rtol=1e-6)


@pytest.mark.parametrize("mix", [MixUp(1.0), CutMix(1.0)], ids=str)
def test_mixing_is_repeatable(dataset: Dataset, mix: Any) -> None:
    """Blended class vectors still sum to 1."""
    loader = dataset.batches(12, transform=[mix], shuffle=True)
    first = [{name: np.array(values) for name, values in batch.items()} for batch in loader]
    again = dataset.batches(12, transform=[mix], shuffle=True, threads=2)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_allclose(one["label"].sum(1), 1, rtol=1e-5)
        assert (one["label"] >= 0).all()
        assert one["image"].shape == (12, HEIGHT, WIDTH, 3)


def test_one_hot_after_mixup_smooths(dataset: Dataset) -> None:
    first = next(iter(dataset.batches(16, transform=MixUp())))["label"]
    last = next(iter(dataset.batches(16, transform=[MixUp(), OneHot(0.1)])))["label"]
    np.testing.assert_allclose(last, first * 0.9 + 0.1 / 4, rtol=1e-6)


@pytest.mark.parametrize("kind", [MixUp(), CutMix()], ids=str)
def test_mixing_images_that_differ_in_size_is_rejected(kind: Any) -> None:
    with pytest.raises(
        DshubError, match="requires images of equal size, but those of column image"
    ) as caught:
        next(iter(varied_images().batches(12, transform=kind)))
    assert "Resize" in caught.value.hint
    batch = next(iter(varied_images().batches(12, transform=[Resize((6, 6)), kind])))
    assert batch["image"].shape == (12, 6, 6, 3)


def test_multi_hot_makes_vectors_of_lists_of_labels() -> None:
    feature = ListFeature(of=LabelFeature(names=("cat", "dog", "sky")))
    ds = Dataset.from_arrays({"tags": [[2, 0, 2], [], [1]]}, features={"tags": feature})
    for transform in (MultiHot(), MultiHot(["tags"]), MultiHot("tags")):
        tags = next(iter(ds.batches(3, transform=transform)))["tags"]
        assert tags.dtype == np.float32
        assert tags.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    saved = Compose([MultiHot(["tags"])]).to_json()
    assert Compose.from_json(saved) == Compose([MultiHot(["tags"])])


def test_text_of_tags_becomes_lists_of_labels() -> None:
    """The values of one cell, such as `cat|dog`, are split by a function."""
    ds = Dataset.from_arrays({"tags": ["dog|cat", "cat"]})
    split = ds.map(lambda row: {"tags": row["tags"].split("|")})
    tags = split.cast({"tags": ListFeature(of=LabelFeature(names=("cat", "dog")))})
    vectors = next(iter(tags.batches(2, transform=MultiHot())))["tags"]
    assert vectors.tolist() == [[1, 1], [1, 0]]


def test_multi_hot_needs_lists_of_labels() -> None:
    ds = Dataset.from_arrays({"tags": [[1], [2, 3]]})
    with pytest.raises(DshubError, match="lists of labels, not tags"):
        next(iter(ds.batches(2, transform=MultiHot(["tags"]))))
    feature = ListFeature(of=LabelFeature(names=("a",)), optional=True)
    ds = Dataset.from_arrays({"tags": [[0], None]}, features={"tags": feature})
    with pytest.raises(DshubError, match="without a list of labels"):
        next(iter(ds.batches(2, transform=MultiHot())))
