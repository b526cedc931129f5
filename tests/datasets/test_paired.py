"""Test pairs `(x, y)` as rows."""

import pickle
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.datasets.paired import Pairs
from dshub.errors import ArgumentError, UnknownNameError

IMAGES = np.arange(6 * 2 * 2 * 3, dtype=np.uint8).reshape(6, 2, 2, 3)
LABELS = np.array([0, 1, 0, 1, 0, 1])
ROWS = Dataset.from_arrays(
    {"image": IMAGES, "label": LABELS, "id": np.arange(6)},
    features={
        "image": ImageFeature(shape=(2, 2, 3)),
        "label": LabelFeature(names=("cat", "dog")),
    },
    supervised=("image", "label"),
)


def test_rows_are_tuples() -> None:
    pairs = Pairs(ROWS)
    x, y = pairs[3]
    assert (x.tolist(), y) == (IMAGES[3].tolist(), 1)
    assert [y for _, y in pairs] == LABELS.tolist()
    assert (len(pairs), len(pairs[2:4]), pairs[-1][1]) == (6, 2, 1)
    with pytest.raises(IndexError):
        pairs[6]


def test_transforms_get_images_and_classes() -> None:
    pairs = Pairs(ROWS, transform=lambda image: image, target_transform=str)
    x, y = pairs[1]
    assert isinstance(x, Image.Image)
    assert (np.asarray(x).tolist(), y) == (IMAGES[1].tolist(), "1")


def test_transforms_of_rows_are_refused_for_batches() -> None:
    with pytest.raises(ArgumentError, match="transform") as caught:
        Pairs(ROWS, transform=np.asarray).batches(2)
    assert "DataLoader" in caught.value.hint


def test_methods_of_datasets_return_pairs() -> None:
    pairs: Any = Pairs(ROWS)
    assert [y for _, y in pairs.skip(1).take(2)] == [1, 0]
    assert [type(part) for part in pairs.split(0.5)] == [Pairs, Pairs]
    parts = pairs.train_test_split(0.5)
    assert {name: len(part) for name, part in parts.items()} == {"train": 3, "test": 3}
    assert pairs.features == ROWS.features
    assert pairs.classes == ["cat", "dog"]
    with pytest.raises(AttributeError, match="quite_unknown"):
        pairs.quite_unknown  # noqa: B018


def test_rows_are_mapped_and_filtered() -> None:
    pairs = Pairs(ROWS, ("id", "label"))
    doubled = pairs.map(lambda x, y: (np.float32(x * 2), y), num_parallel_calls=2)
    assert [x for x, _ in doubled] == [0, 2, 4, 6, 8, 10]
    assert [x for x, _ in pairs.filter(lambda x, y: y == 1 and x > 1)] == [3, 5]
    assert next(pairs.map(lambda x, y: (x, 1 - y)).as_numpy_iterator()) == (0, 1)


def test_batches_are_tuples() -> None:
    x, y = next(iter(Pairs(ROWS).batch(4, drop_remainder=True)))
    assert (x.shape, y.tolist()) == ((4, 2, 2, 3), [0, 1, 0, 1])


def test_pairs_of_several_columns_are_arrays() -> None:
    x, y = Pairs(ROWS, (["id", "label"], "label"))[5]
    assert (x.tolist(), y) == ([5, 1], 1)


def test_pairs_are_cached_by_name_only() -> None:
    pairs = Pairs(ROWS)
    assert pairs.cache() is pairs
    assert [y for _, y in pairs.cache("pairs")] == LABELS.tolist()


def test_pairs_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pairs(ROWS)))[1][1] == 1


def test_unknown_columns_are_an_error() -> None:
    with pytest.raises(UnknownNameError):
        Pairs(ROWS, ("image", "labels"))
