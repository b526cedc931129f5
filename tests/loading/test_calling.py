import pickle

import numpy as np
import pytest

from dshub.errors import ArgumentError, FunctionError
from dshub.loading.calling import calling, describe_values, name_of


class Doubled:
    """A callable object without a `__qualname__`."""

    def __call__(self, value: int) -> int:
        return value * 2


def test_failure_names_function_place_and_shapes() -> None:
    batch = {"image": np.zeros((2, 8, 8, 3), np.uint8), "text": ["a", "b"]}
    with (
        pytest.raises(FunctionError) as caught,
        calling("batches", Doubled(), lambda: "a batch of 2 rows", batch),
    ):
        raise KeyError("txt")
    message = str(caught.value)
    assert message.startswith("batches: Doubled failed at a batch of 2 rows: KeyError: 'txt'")
    assert "'image': uint8 (2, 8, 8, 3), 'text': a list of 2: 'a', …" in message
    assert isinstance(caught.value.__cause__, KeyError)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (str(copied), copied.function) == (message, "Doubled")


def test_errors_of_dshub_are_not_wrapped() -> None:
    error = ArgumentError(name="size", value=0, expected="above 0")
    with pytest.raises(ArgumentError) as caught, calling("map", len, lambda: "row 3", {}):
        raise error
    assert caught.value is error


def test_names_and_values_fit_on_a_line() -> None:
    assert [name_of(len), name_of(Doubled())] == ["len", "Doubled"]
    assert describe_values([]) == "a list of 0: nothing"
    assert len(describe_values("x" * 10_000)) < 100
