"""Test the record of rows that could not be decoded."""

import pickle
import warnings

import pytest

from dshub.loading.bad_rows import SHOWN, BadRows


def test_each_row_counts_once_per_epoch() -> None:
    rows = BadRows("skip")
    for row in (5, 5, 9):
        rows.add(0, row, f"row {row}: damaged")
    assert (rows.counts, len(rows)) == ({0: 2}, 2)
    assert rows.first == {5: "row 5: damaged", 9: "row 9: damaged"}
    assert repr(rows) == "<BadRows: 2 in epoch 0>"


def test_an_epoch_warns_once_when_it_ends() -> None:
    rows = BadRows("substitute")
    rows.add(0, 5, "row 5: damaged")
    with pytest.warns(UserWarning, match="epoch 0: substituted 1 row that .* row 5: damaged"):
        rows.add(1, 5, "row 5: damaged")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows.warn(before=1)
    with pytest.warns(UserWarning, match="epoch 1"):
        rows.warn(before=2)


def test_only_the_first_messages_are_kept() -> None:
    rows = BadRows("skip")
    for row in range(100):
        rows.add(0, row, str(row))
    assert rows.counts == {0: 100}
    assert list(rows.first) == list(range(SHOWN))


def test_a_child_process_hands_over_its_rows() -> None:
    rows = BadRows("skip", warns=False)
    rows.add(0, 5, "damaged")
    assert pickle.loads(pickle.dumps(rows)).counts == {0: 1}
    assert rows.take() == ((0, 5, "damaged"),)
    assert rows.take() == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows.warn(before=9)
