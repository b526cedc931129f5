from typing import Any

import pytest

from dshub.hub import keras


@pytest.mark.parametrize(
    ("name", "shape", "label_shape", "dtype"),
    [
        ("mnist", (28, 28), (), "uint8"),
        ("fashion_mnist", (28, 28), (), "uint8"),
        ("cifar10", (32, 32, 3), (1,), "uint8"),
        ("cifar100", (32, 32, 3), (1,), "int64"),
    ],
)
def test_load_data_gives_the_arrays_of_keras(
    name: str,
    shape: tuple[int, ...],
    label_shape: tuple[int, ...],
    dtype: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DSHUB_SYNTHETIC", "20")
    dataset: Any = getattr(keras, name)
    for x, y in dataset.load_data():
        assert x.shape == (20, *shape)
        assert x.dtype == "uint8"
        assert y.shape == (20, *label_shape)
        assert y.dtype == dtype
