import copy
import json
import pickle
from collections.abc import Callable
from operator import add
from typing import Any

import numpy as np
import pytest

from dshub.loading.fetched import FetchedRows

LIST_USES: list[Callable[[Any], Any]] = [
    list,
    tuple,
    repr,
    bool,
    copy.copy,
    json.dumps,
    lambda rows: [0, *rows],
    lambda rows: add([0], rows),
    lambda rows: add(rows, [0]),
    lambda rows: rows * 2,
    lambda rows: rows[-1],
    lambda rows: rows[1:],
    lambda rows: [rows.pop(), len(rows), rows],
    lambda rows: [rows.append({}), rows],
    lambda rows: [{"label": 1} in rows, rows.index({"label": 2})],
    lambda rows: list(reversed(rows)),
    lambda rows: rows == [{"label": 5}, {"label": 1}, {"label": 2}],
    lambda rows: pickle.loads(pickle.dumps(rows)),
    lambda rows: [dict(zip(*pair, strict=True)) for pair in zip(rows, [[1]] * 3, strict=True)],
]


@pytest.mark.parametrize("use", LIST_USES)
def test_fetched_rows_behave_like_a_list(use: Callable[[Any], Any]) -> None:
    fetched = FetchedRows({"label": np.array([5, 1, 2])}, 3)
    assert len(fetched) == 3
    assert use(fetched) == use([{"label": 5}, {"label": 1}, {"label": 2}])


def test_pairs_are_split_into_rows() -> None:
    x = {"image": np.arange(6).reshape(2, 3), "text": ["a", "b"]}
    fetched = FetchedRows((x, np.array([1, 0])), 2)
    image, label = fetched[1]
    assert label == 0
    assert image["image"].tolist() == [3, 4, 5]
    assert image["text"] == "b"
    assert fetched.batch is None
