from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.datasets.splitting import balanced, evenly
from dshub.errors import SchemaError, UnknownNameError

seeds = st.none() | st.integers(0, 5)


def labeled_rows(labels: list[int]) -> Dataset:
    """Return rows with their number and a class."""
    return Dataset.from_arrays(
        {"id": np.arange(len(labels)), "label": np.array(labels, np.int64)},
        features={"label": LabelFeature(names=tuple("abcdefgh"))},
    )


def ids(dataset: Dataset) -> list[int]:
    return list(map(int, np.asarray(dataset["id"])))


@given(st.lists(st.integers(0, 7), min_size=2, max_size=60), st.data(), seeds, st.booleans())
def test_every_row_is_held_out_once(
    labels: list[int], data: st.DataObject, seed: int | None, stratify: bool
) -> None:
    """The sizes of folds differ by at most one row, in total and per class."""
    count = data.draw(st.integers(2, len(labels)))
    dataset = labeled_rows(labels)
    folds = dataset.folds(count, seed=seed, stratify="label" if stratify else None)
    assert len(folds) == count
    assert sorted(row for _, held_out in folds for row in ids(held_out)) == list(range(len(labels)))
    for train, held_out in folds:
        assert sorted(ids(train) + ids(held_out)) == list(range(len(labels)))
        assert ids(held_out) == sorted(ids(held_out))
    sizes = [len(held_out) for _, held_out in folds]
    assert max(sizes) - min(sizes) <= 1
    if stratify:
        counts = [Counter(np.asarray(held_out["label"]).tolist()) for _, held_out in folds]
        for number in set(labels):
            of_class = [count[number] for count in counts]
            assert max(of_class) - min(of_class) <= 1


def test_folds_are_consecutive_unless_shuffled() -> None:
    dataset = labeled_rows([0] * 10)
    assert [ids(held_out) for _, held_out in dataset.folds(3)] == [
        [0, 1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
    ]
    first, second = dataset.folds(3, seed=1), dataset.folds(3, seed=1)
    assert [ids(held_out) for _, held_out in first] == [ids(held_out) for _, held_out in second]
    assert ids(first[0][1]) != [0, 1, 2, 3]


@given(st.lists(st.integers(0, 3), min_size=40, max_size=200), st.floats(0.1, 0.9), seeds)
def test_stratified_split_keeps_proportions(
    labels: list[int], share: float, seed: int | None
) -> None:
    """Stratifying does not change the sizes of the parts."""
    dataset = labeled_rows(labels)
    train, test = dataset.split(share, seed=seed, stratify="label")
    assert len(train) == len(dataset.split(share)[0])
    assert sorted(ids(train) + ids(test)) == list(range(len(labels)))
    counts = Counter(np.asarray(train["label"]).tolist())
    for number, count in Counter(labels).items():
        assert abs(counts[number] - count * share) <= 2
    if seed is None:
        assert ids(train) == sorted(ids(train))


def test_equal_classes_are_divided_equally() -> None:
    parts = labeled_rows([0, 1, 2, 3] * 10).split(0.5, 0.3, seed=2, stratify="label")
    assert [Counter(np.asarray(part["label"]).tolist()) for part in parts] == [
        dict.fromkeys(range(4), count) for count in (5, 3, 2)
    ]


def test_stratify_accepts_any_column_of_single_values() -> None:
    """Text and number columns work, but arrays do not."""
    dataset = Dataset.from_arrays(
        {"id": np.arange(8), "kind": ["x", "y"] * 4, "point": np.zeros((8, 2))}
    )
    half, _ = dataset.split(0.5, stratify="kind")
    assert Counter(half["kind"]) == {"x": 2, "y": 2}
    with pytest.raises(SchemaError, match="column point: got numbers, expected a class"):
        dataset.folds(2, stratify="point")
    with pytest.raises(UnknownNameError):
        dataset.split(0.5, stratify="label")


@pytest.mark.parametrize("count", [0, 1, 9])
def test_invalid_number_of_folds_is_rejected(count: int) -> None:
    with pytest.raises(
        ValueError, match=f"count is {count}; it must be a whole number from 2 to 8"
    ):
        labeled_rows([0] * 8).folds(count)


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 50))
def test_balanced_rows_have_all_classes_equally_often(labels: list[int], count: int) -> None:
    rows = balanced(np.array(labels, np.int64), count)
    assert len(set(rows.tolist())) == len(rows) == min(count, len(labels))
    assert rows.tolist() == sorted(rows.tolist())
    taken, available = Counter(labels[row] for row in rows), Counter(labels)
    for label in available:
        others = [taken[other] for other in available if taken[other] < available[other]]
        assert taken[label] <= min(others, default=len(rows)) + 1


def test_rows_are_chosen_evenly() -> None:
    assert evenly(np.arange(100, 110), 4).tolist() == [100, 102, 105, 107]
    assert evenly(np.arange(3), 5).tolist() == [0, 1, 2]
    assert evenly(np.arange(0), 5).tolist() == []
