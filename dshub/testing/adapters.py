"""What every adapter must do: the same rows, in the same order, with the same pixels."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pytest

from dshub import plugins
from dshub.dataset import Dataset
from dshub.loader import Batch
from dshub.manifest import ImageFeature, LabelFeature

ROWS = 53  # a prime: no batch size divides it


def example() -> Dataset:
    """A dataset with a picture, a label, numbers and text."""
    values = np.arange(ROWS * 5 * 4 * 3, dtype=np.uint32) * 2654435761 >> 24
    return Dataset.from_arrays(
        {
            "image": values.astype(np.uint8).reshape(ROWS, 5, 4, 3),
            "label": np.arange(ROWS, dtype=np.int64) % 7,
            "size": np.linspace(0, 1, ROWS * 2, dtype=np.float32).reshape(ROWS, 2),
            "text": [f"row {i}: pâté" for i in range(ROWS)],
        },
        features={
            "image": ImageFeature(shape=(5, 4, 3)),
            "label": LabelFeature(names=tuple("abcdefg")),
        },
        supervised=("image", "label"),
    )


def assert_same(expected: Any, actual: Any) -> None:
    """Two columns, or pairs of them, hold the same values, dtypes and shapes."""
    if isinstance(expected, tuple):
        assert len(expected) == len(actual)
        for one, other in zip(expected, actual, strict=True):
            assert_same(one, other)
    elif isinstance(expected, list):
        assert expected == list(actual)
    else:
        assert expected.dtype == actual.dtype
        np.testing.assert_array_equal(expected, actual)


class AdapterTests(ABC):
    """Subclass it, and say how the framework's values become NumPy's.

    Attributes:
        name: of the adapter.
    """

    name: str

    @abstractmethod
    def to_numpy(self, value: Any) -> Any:
        """A tensor of the framework as an array; a batch of text as a list of `str`."""

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Every row that the adapter's `rows` gives, in order, each value through NumPy."""
        found = plugins.module("adapters", self.name).rows(dataset)
        return [
            {key: self.to_numpy(value) for key, value in found[i].items()}
            for i in range(len(dataset))
        ]

    def batches_of(self, dataset: Dataset, **options: Any) -> list[Any]:
        """The batches of two epochs."""
        found = plugins.module("adapters", self.name).batches(dataset.batches(**options))
        return [self._plain(batch) for _ in range(2) for batch in found]

    def _plain(self, batch: Any) -> Any:
        if isinstance(batch, tuple | list):
            return tuple(self.to_numpy(value) for value in batch)
        return {key: self.to_numpy(value) for key, value in batch.items()}

    def test_rows_are_those_of_the_dataset(self) -> None:
        """Every row, in order, value by value."""
        dataset = example().shuffle(seed=3)
        found = self.rows_of(dataset)
        assert len(found) == ROWS
        for expected, actual in zip(dataset, found, strict=True):
            assert list(expected) == list(actual)
            for key, value in expected.items():
                assert np.array_equal(np.asarray(value), np.asarray(actual[key])), key

    @pytest.mark.parametrize(
        "options",
        [
            {"size": 8},
            {"size": 8, "drop_last": True},
            {"size": 53},
            {"size": 100, "shuffle": True, "seed": 5},
            {"size": 8, "shuffle": True},
            {"size": 8, "shuffle": True, "layout": "chw"},
            {"size": 8, "supervised": True},
        ],
        ids=str,
    )
    def test_batches_are_those_of_the_loader(self, options: dict[str, Any]) -> None:
        """Two epochs: the same batches, with the same dtypes, shapes and values."""
        dataset = example()
        loader = dataset.batches(**options)
        expected = [batch for _ in range(2) for batch in loader]
        actual = self.batches_of(dataset, **options)
        assert len(actual) == len(expected)
        for one, other in zip(expected, actual, strict=True):
            if isinstance(one, tuple):
                assert_same(one, other)
                continue
            assert list(one) == list(other)
            for key, values in one.items():
                assert_same(values, other[key])

    def test_a_transform_is_applied(self) -> None:
        """What a transform returns is what arrives, with its dtype."""

        def scaled(batch: Batch) -> Batch:
            return batch | {"image": batch["image"].astype(np.float32) / 255}

        batch = self.batches_of(example().columns(["image"]), size=8, transform=scaled)[0]
        assert batch["image"].dtype == np.float32
        np.testing.assert_array_equal(batch["image"], example()[:8]["image"] / np.float32(255))
