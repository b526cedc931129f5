"""Test familiar names of loaders."""

import numpy as np
import pytest

from dshub import Dataset

ROWS = Dataset.from_arrays({"x": np.arange(10)})


def test_options_are_attributes() -> None:
    loader = ROWS.batches(4, drop_last=True)
    assert (loader.batch_size, loader.drop_last, loader.cardinality()) == (4, True, 2)
    assert loader.dataset is loader.unbatch() is ROWS


def test_first_batches_are_taken_again_and_again() -> None:
    loader = ROWS.batches(4).cache().prefetch(1)
    for _ in range(2):
        assert [batch["x"].tolist() for batch in loader.take(1)] == [[0, 1, 2, 3]]


def test_epoch_is_set() -> None:
    loader = ROWS.batches(10, shuffle=True)
    loader.set_epoch(3)
    (third,) = loader.as_numpy_iterator()
    (first,) = ROWS.batches(10, shuffle=True)
    assert third["x"].tolist() != first["x"].tolist()
    assert loader.epoch == 4


def test_shuffling_batches_is_explained() -> None:
    with pytest.raises(AttributeError, match="shuffle=True"):
        ROWS.batches(4).shuffle(100)  # type: ignore[attr-defined]
