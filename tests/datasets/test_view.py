"""Test reading rows and columns by any key."""

import numpy as np
import pytest

from dshub import Dataset
from dshub.testing.adapters import assert_same, example, varied


@pytest.fixture
def ds() -> Dataset:
    return Dataset.from_arrays({"n": np.arange(10) * 2}).skip(3)


@pytest.mark.parametrize(
    ("key", "positions"),
    [
        (2, [2]),
        (-1, [6]),
        (slice(1, 5, 2), [1, 3]),
        ([5, 0], [5, 0]),
        (np.arange(7) > 4, [5, 6]),
        (np.int64(3), [3]),
    ],
    ids=str,
)
def test_keys_select_the_positions_that_they_read(
    ds: Dataset, key: object, positions: list[int]
) -> None:
    assert ds.positions(key).tolist() == positions
    expected = [(position + 3) * 2 for position in positions]
    assert np.ravel(ds[key]["n"]).tolist() == expected  # type: ignore[call-overload]


def test_rows_are_described_by_their_place_in_the_source(ds: Dataset) -> None:
    assert ds.where(0) == "own data, row 3"
    assert ds.shuffle(1).where(0) == f"own data, row {ds.shuffle(1)[0]['n'] // 2}"


def test_keys_complete_to_columns(ds: Dataset) -> None:
    assert ds._ipython_key_completions_() == ["n"]


def test_dir_has_what_users_call_and_no_plumbing(ds: Dataset) -> None:
    names = dir(ds)
    assert {"batches", "features", "show", "torch", "_repr_html_", "__len__"} <= set(names)
    assert not {"gather", "lengths", "pixels", "row_range", "_selection", "_base"} & set(names)
    assert ds.gather(np.array([0]))["n"].tolist() == [6]


@pytest.mark.parametrize("rows", [example(), varied()], ids=["example", "varied"])
def test_rows_of_a_batch_are_the_same_as_single_rows(rows: Dataset) -> None:
    """Torch's `DataLoader` requests all rows of a batch in one call."""
    for row, i in zip(rows.__getitems__([5, 1, 8]), (5, 1, 8), strict=True):
        assert_same(rows[i], row)
        assert list(map(type, row.values())) == list(map(type, rows[i].values()))


def test_function_of_map_gets_the_rows_of_a_batch_at_once() -> None:
    sizes: list[int] = []

    def double(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes.append(len(batch["x"]))
        return {"x": batch["x"] * 2}

    mapped = Dataset.from_arrays({"x": np.arange(10)}).map(double, batched=True)
    mapped.features  # noqa: B018  # infers the features from the first rows
    sizes.clear()
    assert mapped.__getitems__([7, 2, 9]) == [{"x": 14}, {"x": 4}, {"x": 18}]
    assert sizes == [3]
