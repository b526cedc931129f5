"""Test familiar functions, such as `load_dataset`."""

import numpy as np
import pytest

import dshub
from dshub import Dataset
from dshub.errors import ArgumentError
from dshub.hub.familiar import functions

ROWS = Dataset.from_arrays({"x": np.arange(10)})


def test_every_listed_function_exists() -> None:
    assert sorted(functions.__all__) == sorted(dshub._FAMILIAR)
    assert all(callable(getattr(dshub, name)) for name in dshub._FAMILIAR)


@pytest.mark.parametrize(
    ("lengths", "counts"), [([0.5, 0.5], [5, 5]), ([0.35, 0.65], [4, 6]), ([7, 3], [7, 3])]
)
def test_random_split_divides_all_rows(lengths: list[float], counts: list[int]) -> None:
    parts = functions.random_split(ROWS, lengths)
    assert [len(part) for part in parts] == counts
    assert sorted(np.concatenate([part["x"] for part in parts]).tolist()) == list(range(10))


def test_random_split_of_too_few_rows_is_refused() -> None:
    with pytest.raises(ArgumentError, match="10 rows"):
        functions.random_split(ROWS, [3, 3])


def test_interleaving_until_all_are_exhausted_repeats_the_shorter() -> None:
    parts = [ROWS.take(1), ROWS.skip(7)]
    mixed = functions.interleave_datasets(parts, stopping_strategy="all_exhausted")
    assert mixed["x"].tolist() == [0, 7, 0, 8, 0, 9]


def test_files_are_splits() -> None:
    with pytest.raises(dshub.DshubError, match=r"missing\.csv"):
        functions.load_dataset("csv", data_files="missing.csv")
