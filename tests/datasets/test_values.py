"""Compare sorting, distinct values, counts and joins with plain Python."""

from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.errors import ArgumentError, SchemaError, UnknownNameError

WORDS = ["cow", "ant", "bee", "ant", "doe"]
LABEL = LabelFeature(names=("a", "b", "c"))


@pytest.fixture
def ds() -> Dataset:
    columns: dict[str, Any] = {
        "text": WORDS,
        "label": np.array([1, 1, 0, 1, 0]),
        "v": np.zeros((5, 2)),
    }
    return Dataset.from_arrays({**columns, "n": np.arange(5)}, features={"label": LABEL})


@pytest.mark.parametrize("column", ["text", "label"])
@pytest.mark.parametrize("reverse", [False, True])
def test_rows_are_sorted_as_python_sorts_them(ds: Dataset, column: str, reverse: bool) -> None:
    rows = sorted(ds, key=lambda row: row[column], reverse=reverse)
    assert [row["n"] for row in ds.sort(column, reverse=reverse)] == [row["n"] for row in rows]


def test_distinct_values_are_sorted(ds: Dataset) -> None:
    assert ds.unique("text") == sorted(set(WORDS))
    assert ds.unique("label") == [0, 1]


def test_classes_are_counted_by_name_and_values_by_value(ds: Dataset) -> None:
    assert ds.counts("label") == {"a": 2, "b": 3, "c": 0}
    assert ds.counts("text") == {"ant": 2, "bee": 1, "cow": 1, "doe": 1}


def test_sample_has_distinct_rows_that_a_seed_decides(ds: Dataset) -> None:
    chosen = ds.sample(3, seed=1)["n"].tolist()
    assert len(set(chosen)) == 3
    assert ds.sample(3, seed=1)["n"].tolist() == chosen
    assert len(ds.sample(100)) == 5


def test_join_adds_the_columns_of_matching_rows(ds: Dataset) -> None:
    other = Dataset.from_arrays({"text": ["bee", "ant", "elk"], "legs": np.array([6, 7, 4])})
    joined = ds.join(other, on="text")
    assert [(row["n"], row["text"], row["legs"]) for row in joined] == [
        (1, "ant", 7),
        (2, "bee", 6),
        (3, "ant", 7),
    ]


def test_join_with_ambiguous_rows_or_columns_is_rejected(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="got 'ant' 2 times, expected each value once"):
        ds.join(ds.columns(["text", "n"]).rename({"n": "m"}), on="text")
    with pytest.raises(ArgumentError, match="without column 'label', which both datasets have"):
        ds.take(2).join(ds.take(2), on="text")


@pytest.mark.parametrize("method", ["sort", "unique", "counts"])
def test_columns_without_single_values_are_rejected(ds: Dataset, method: str) -> None:
    with pytest.raises(SchemaError, match="expected a class, number, date or text in each row"):
        getattr(ds, method)("v")
    with pytest.raises(UnknownNameError):
        getattr(ds, method)("x")


def test_values_that_mean_something_else_are_not_joined(ds: Dataset) -> None:
    numbers = Dataset.from_arrays({"text": np.arange(3), "legs": np.arange(3)})
    with pytest.raises(SchemaError, match="got numbers, expected text"):
        ds.join(numbers, on="text")
    classes = {"label": LabelFeature(names=("other", "names"))}
    others = Dataset.from_arrays({"label": np.arange(2), "m": np.arange(2)}, features=classes)
    with pytest.raises(SchemaError, match="got other classes, expected the same classes"):
        ds.join(others, on="label")


def test_nan_is_one_value() -> None:
    ds = Dataset.from_arrays({"x": np.array([np.nan, 1.0, np.nan])})
    assert list(ds.counts("x").values()) == [1, 2]
    assert len(ds.unique("x")) == 2


def test_missing_values_come_last_and_are_counted() -> None:
    ds = Dataset.from_arrays({"n": [3, None, 1], "t": ["b", None, "a"]})
    for name, values in (("n", [1, 3, None]), ("t", ["a", "b", None])):
        assert [row[name] for row in ds.sort(name)] == values
        assert [row[name] for row in ds.sort(name, reverse=True)] == [values[1], values[0], None]
        assert ds.unique(name) == values
        assert ds.counts(name) == dict.fromkeys(values, 1)
        assert len(ds.join(ds.rename({"t": "u"} if name == "n" else {"n": "u"}), on=name)) == 2
