import numpy as np
import pytest

from dshub import Dataset
from dshub.adapters import convert, each_array, numbers
from dshub.errors import DshubError


def test_missing_integer_has_no_tensor() -> None:
    with pytest.raises(DshubError, match="column age has missing values") as caught:
        numbers(Dataset.from_arrays({"age": [1, None]})["age"], "age")
    assert 'ds.fill({"age": 0})' in caught.value.hint


def test_missing_date_has_no_tensor() -> None:
    with pytest.raises(DshubError, match="column day has missing values"):
        numbers(np.array(["2020-01-01", "NaT"], "M8[D]"), "day")


def test_dates_are_counts_of_their_unit() -> None:
    days = np.array(["1970-01-02", "1969-12-31"], "M8[D]")
    assert numbers(days, "day").tolist() == [1, -1]
    assert numbers(days.astype("M8[s]"), "day").tolist() == [86_400, -86_400]
    assert convert({"day": days[0]}, lambda value, _: value) == {"day": 1}


def test_optional_column_without_missing_values_is_an_array() -> None:
    values = Dataset.from_arrays({"x": [1, None]}).drop_missing("x")["x"]
    assert type(numbers(values, "x")) is np.ndarray


def test_arrays_in_nested_lists_are_converted() -> None:
    nested = [[], [None, np.arange(2)], [np.arange(3)]]
    assert each_array(nested, len) == [[], [None, 2], [3]]
    assert each_array([["a"], []], len) == [["a"], []]
