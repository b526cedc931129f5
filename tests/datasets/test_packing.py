"""Compare windows of tokens with slices of one list."""

import pickle

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import SchemaError

LISTS = [[1, 2, 3], [], [4, 5], [6, 7, 8, 9], [10]]


def test_windows_and_targets_are_slices_of_all_tokens() -> None:
    packed = Dataset.from_arrays({"ids": LISTS, "n": np.arange(5)}).pack("ids", 4)
    tokens = [token for row in LISTS for token in row]
    assert packed.supervised == ("ids", "target")
    assert packed["ids"].tolist() == [tokens[0:4], tokens[4:8]]
    assert packed["target"].tolist() == [tokens[1:5], tokens[5:9]]
    (batch,) = packed.batches(8, supervised=True)
    assert [part.shape for part in batch] == [(2, 4), (2, 4)]
    assert pickle.loads(pickle.dumps(packed)).shuffle(0)[0]["ids"].shape == (4,)


def test_order_of_the_view_is_kept() -> None:
    packed = Dataset.from_arrays({"ids": LISTS}).select([4, 0]).pack("ids", 3, target="next")
    assert packed[0]["ids"].tolist() == [10, 1, 2]
    assert packed[0]["next"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("column", "length", "message"),
    [("ids", 10, "more than 10 tokens"), ("text", 2, "expected lists of numbers")],
)
def test_columns_that_cannot_be_packed_are_rejected(column: str, length: int, message: str) -> None:
    ds = Dataset.from_arrays({"ids": LISTS, "text": list("abcde")})
    with pytest.raises(SchemaError, match=message):
        ds.pack(column, length)


def test_rows_of_one_length_are_packed_too() -> None:
    ds = Dataset.from_arrays({"ids": np.arange(12).reshape(4, 3)}).pack("ids", 5)
    assert ds["ids"].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert ds["target"].tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
