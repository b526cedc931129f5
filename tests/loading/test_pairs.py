"""Test supervised pairs of one or several columns."""

from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError, UnknownNameError
from dshub.loading.pairs import Row


@pytest.fixture
def ds() -> Dataset:
    columns: dict[str, Any] = {
        "a": np.arange(4.0),
        "b": np.arange(4),
        "text": list("wxyz"),
        "y": np.arange(4),
    }
    return Dataset.from_arrays(columns, supervised=(["a", "b"], "y"))


def test_several_numbers_become_one_array(ds: Dataset) -> None:
    (x, y), _ = ds.batches(2, supervised=True)
    assert x.tolist() == [[0, 0], [1, 1]]
    assert y.tolist() == [0, 1]


def test_pair_can_be_given_for_batches(ds: Dataset) -> None:
    (x, y), _ = ds.batches(2, supervised=("text", "b"))
    assert (x, y.tolist()) == (["w", "x"], [0, 1])


def test_columns_of_other_kinds_become_a_dict(ds: Dataset) -> None:
    (x, y), _ = ds.batches(2, supervised=(["text", "a"], ["b", "y"]))
    assert (x["text"], x["a"].tolist()) == (["w", "x"], [0, 1])
    assert y.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("pair", "error"),
    [
        (("a", "z"), UnknownNameError),
        (("a",), ArgumentError),
        (("a", 5), ArgumentError),
        (("a", []), ArgumentError),
        ("ay", ArgumentError),
        (5, ArgumentError),
    ],
    ids=str,
)
def test_other_pairs_are_rejected_at_once(ds: Dataset, pair: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ds.batches(2, supervised=pair)


def test_row_cannot_be_unpacked_into_x_and_y() -> None:
    row = Row(image=1, label=2)
    with pytest.raises(ArgumentError, match="True to unpack") as caught:
        _x, _y = row
    assert 'supervised=("image", "label")' in caught.value.hint
    with pytest.raises(ArgumentError, match="True to unpack"):
        for _x, _y in [row]:
            pass


def test_row_is_a_dict_otherwise() -> None:
    row = Row(image=1, label=2)
    assert [*row] == list(row) == ["image", "label"]
    assert {**row} == dict(row.items()) == {"image": 1, "label": 2}
    assert {name for name in row if row[name] == 2} == {"label"}
