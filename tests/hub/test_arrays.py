"""Test the shapes and dtypes of `load_data`."""

from typing import Any

import numpy as np
import pytest

from dshub import Hub
from dshub.errors import ArgumentError


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [  # https://keras.io/api/datasets/
        ("mnist", (20, 28, 28), ("uint8", (20,))),
        ("fashion-mnist", (20, 28, 28), ("uint8", (20,))),
        ("cifar-10", (20, 32, 32, 3), ("uint8", (20, 1))),
        ("cifar-100", (20, 32, 32, 3), ("int64", (20, 1))),
        ("kmnist", (20, 28, 28), ("int64", (20,))),
    ],
)
def test_shapes_are_those_of_keras(hub: Hub, name: str, x: Any, y: Any) -> None:
    for images, labels in hub.load_data(name, synthetic=20):
        assert (images.dtype.name, images.shape) == ("uint8", x)
        assert (labels.dtype.name, labels.shape) == y


def test_hidden_labels_require_another_test_split(hub: Hub) -> None:
    with pytest.raises(ArgumentError) as caught:
        hub.load_data("glue/sst2", synthetic=5)
    assert caught.value.hint == 'use load_data("glue/sst2", test="validation")'
    _, (x, y) = hub.load_data("glue/sst2", test="validation", synthetic=5)
    expected = hub.load("glue/sst2", "validation", synthetic=5)
    assert (x.tolist(), y.tolist()) == (expected["sentence"], expected["label"].tolist())


def test_numeric_columns_are_one_array(hub: Hub) -> None:
    dataset = hub.load("wine-quality/red", "train", synthetic=9)
    assert dataset.supervised is not None
    splits = hub.load("wine-quality/red", synthetic=9)
    other = next(name for name in splits)
    (x, y), _ = hub.load_data("wine-quality/red", test=other, synthetic=9)
    assert x.shape == (9, 11)
    assert x[:, 0].tolist() == dataset["fixed_acidity"].tolist()
    assert y.tolist() == dataset["quality"].tolist()


def test_text_pairs_are_dicts(hub: Hub) -> None:
    (x, _), _ = hub.load_data("glue/mrpc", test="validation", synthetic=4)
    assert {name: values.shape for name, values in x.items()} == {
        "sentence1": (4,),
        "sentence2": (4,),
    }


def test_pair_can_be_given(hub: Hub) -> None:
    (x, y), _ = hub.load_data("mnist", supervised=("label", "image"), synthetic=4)
    assert (x.shape, y.shape) == ((4,), (4, 28, 28))
    assert np.issubdtype(x.dtype, np.int64)
