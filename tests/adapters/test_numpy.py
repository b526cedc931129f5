from typing import Any

import numpy as np
import pytest

from dshub import Dataset, plugins
from dshub.errors import ArgumentError
from dshub.testing.adapters import AdapterTests


class TestNumpy(AdapterTests):
    name = "numpy"

    def to_numpy(self, value: Any) -> Any:
        return value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        columns = plugins.module("adapters", self.name).rows(dataset)
        return [{name: values[i] for name, values in columns.items()} for i in range(len(dataset))]


FLOWERS = {"width": [1.0, 2.0, 3.0], "length": [4.0, 5.0, 6.0], "species": [0, 1, 0]}


def flowers(*, supervised: Any = None) -> Dataset:
    columns = {name: np.array(values) for name, values in FLOWERS.items()}
    return Dataset.from_arrays(columns, supervised=supervised)


def test_supervised_columns_are_x_and_y() -> None:
    dataset = flowers(supervised=(["width", "length"], "species"))
    for x, y in (dataset.numpy(supervised=True), dataset.to("numpy", supervised=True)):
        np.testing.assert_array_equal(x, [[1, 4], [2, 5], [3, 6]])
        np.testing.assert_array_equal(y, [0, 1, 0])


def test_supervised_names_other_columns() -> None:
    x, y = flowers().select([2, 0]).numpy(supervised=("length", "width"))
    np.testing.assert_array_equal(x, [6, 4])
    np.testing.assert_array_equal(y, [3, 1])


def test_supervised_needs_a_pair() -> None:
    with pytest.raises(ArgumentError, match=r"does not define \(x, y\)"):
        flowers().numpy(supervised=True)
