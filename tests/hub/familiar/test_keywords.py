"""Test keyword arguments of other libraries."""

from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Hub
from dshub.datasets.splits import Splits
from dshub.errors import ArgumentError, UnknownNameError
from dshub.hub.familiar import keywords
from dshub.hub.familiar.keywords import Function

ROWS: Any = Dataset.from_arrays({"x": np.arange(6), "y": np.arange(6) % 2})


def test_no_keyword_has_two_meanings() -> None:
    for table in {*keywords.IGNORED, *keywords.RENAMED, *keywords.LESSONS}:
        names = [
            set(kind.get(table, ()))
            for kind in (keywords.IGNORED, keywords.RENAMED, keywords.LESSONS)
        ]
        assert sum(map(len, names)) == len(set().union(*names)), table


def test_unused_keyword_is_ignored() -> None:
    assert len(ROWS.batches(2, sampler=None, collate_fn=None, pin_memory=False)) == 3


def test_function_gets_columns_numbers_and_keywords() -> None:
    function = Function(lambda a, row, by: {"z": a + row * by}, ["x"], "row", {"by": 10})
    assert function({"x": 1, "row": 2}) == {"z": 21}
    assert function.returned == {"z"}


def test_removed_column_that_the_function_returns_is_kept() -> None:
    mapped = ROWS.map(lambda row: {"x": -row["x"]}, remove_columns=["x", "y"])
    assert list(mapped.features) == ["x"]
    assert mapped["x"].tolist() == [0, -1, -2, -3, -4, -5]


def test_batches_of_a_map_have_row_numbers() -> None:
    mapped = ROWS.skip(2).map(
        lambda batch, rows: {"z": batch["x"] - rows}, batched=True, with_indices=True
    )
    assert mapped["z"].tolist() == [2, 2, 2, 2]
    assert list(mapped.features) == ["x", "y", "z"]


def test_unknown_removed_column_is_an_error() -> None:
    with pytest.raises(UnknownNameError):
        ROWS.map(len, remove_columns=["z"])


def test_rows_are_sorted_by_one_column() -> None:
    assert ROWS.sort(column_names=["y"])["x"].tolist() == [0, 2, 4, 1, 3, 5]
    with pytest.raises(ArgumentError, match="one column"):
        ROWS.sort(column_names=["y", "x"])


def test_unused_arguments_of_load_change_nothing(hub: Hub) -> None:
    load: Any = hub.load
    splits, manifest = load(
        "mnist", as_supervised=False, shuffle_files=False, with_info=True, synthetic=5
    )
    assert isinstance(splits, Splits)
    assert manifest == splits.manifest


def test_version_is_part_of_the_name(hub: Hub) -> None:
    load: Any = hub.load
    assert len(load("mnist", split="train", revision="1.0.0", synthetic=5)) == 5
    with pytest.raises(UnknownNameError):
        load("mnist", split="train", revision="7.0.0", synthetic=5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'color'"):
        load("mnist", color="red")
