import re
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import ArgumentError
from dshub.metrics.rows import find_column, keys_of, numbers_of

COLUMNS = {"idx": [4, 2], "idx_paragraph": [7, 8], "idx_question": [0, 1]}


@pytest.mark.parametrize("kind", ["dict", "dataset"])
def test_columns_come_from_datasets_and_dicts(kind: str) -> None:
    arrays = {name: np.array(values) for name, values in COLUMNS.items()}
    rows: Any = Dataset.from_arrays(arrays) if kind == "dataset" else COLUMNS
    assert numbers_of(rows, "idx", 2) == [4, 2]
    assert keys_of(rows, ("paragraph", "question"), 2) == [(7, 0), (8, 1)]
    assert find_column(rows, "entities") is None


def test_columns_come_from_data_frames() -> None:
    frame = pytest.importorskip("pandas").DataFrame(COLUMNS)
    assert numbers_of(frame, "idx", 2) == [4, 2]
    assert numbers_of(frame.drop(columns="idx"), "idx", 2) == [0, 1]


def test_rows_without_an_index_are_numbered() -> None:
    assert numbers_of(None, "idx", 3) == [0, 1, 2]
    assert numbers_of({"premise": ["a", "b"]}, "idx", 2) == [0, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"idx": [1, 2, 3]}, "rows['idx'] is '3 rows'; it must be 2 rows, like predictions"),
        ([0, 1], "rows is <class 'list'>; it must be a dataset or a dict of columns"),
        (np.array([0, 1]), "rows is <class 'numpy.ndarray'>; it must be a dataset or a dict"),
    ],
    ids=["other-length", "list", "array"],
)
def test_other_rows_are_errors(rows: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        numbers_of(rows, "idx", 2)
