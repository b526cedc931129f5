"""Test selecting rows with integers, slices, lists and masks."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature


@pytest.mark.parametrize("row", [40, -41, 10**9, 2**63 - 1])
def test_row_out_of_range_is_an_index_error(prepared: Any, row: int) -> None:
    dataset = prepared.dataset()
    for key in (row, [0, row], np.array([row])):
        with pytest.raises(IndexError, match=f"row {row} is out of range for 40 rows"):
            dataset[key]
    with pytest.raises(IndexError, match=f"row {row} is out of range for 40 rows"):
        dataset.select([row])


def test_large_unsigned_number_does_not_count_from_the_end(prepared: Any) -> None:
    with pytest.raises(IndexError, match="row 18446744073709551615 is out of range"):
        prepared.dataset()[np.array([2**64 - 1], np.uint64)]


def test_empty_view_has_neither_first_nor_last_row(prepared: Any) -> None:
    for row in (0, -1):
        with pytest.raises(IndexError, match="out of range for 0 rows"):
            prepared.dataset().take(0)[row]


def test_mask_selects_rows(prepared: Any) -> None:
    dataset = prepared.dataset()
    mask = dataset["label"] == 1
    assert set(dataset[mask]["label"].tolist()) == {1}
    expected = [row["text"] for row in prepared.rows["train"] if row["label"] == 1]
    assert dataset[mask.tolist()]["text"] == expected
    with pytest.raises(IndexError, match="mask of 2 values does not fit 40 rows"):
        dataset[[True, False]]


@pytest.mark.parametrize(
    "key", [1.5, None, [0.5], ["a"], [1, [2, 3]], np.zeros((2, 2), int), b"label"], ids=repr
)
def test_key_of_other_type_is_a_type_error(prepared: Any, key: Any) -> None:
    with pytest.raises(TypeError, match="integers, slices, lists or masks"):
        prepared.dataset()[key]


@pytest.mark.parametrize("key", [True, False, np.True_])
def test_single_bool_is_rejected_as_row(prepared: Any, key: Any) -> None:
    for dataset in (prepared.dataset(), prepared.dataset().take(1)):
        with pytest.raises(TypeError, match="a row is selected by an integer, not"):
            dataset[key]


def test_list_of_column_names_gets_a_hint(prepared: Any) -> None:
    """pandas selects columns with a list of names, so the hint suggests `ds.columns`."""
    with pytest.raises(TypeError, match=r"ds\.columns\(\['label', 'text'\]\) selects"):
        prepared.dataset()[["label", "text"]]


def test_own_data_keeps_its_fingerprint_after_pickling(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "1.png")
    images, labels = np.zeros((3, 4, 4, 3), np.uint8), np.zeros(3, np.int64)
    features = {"image": ImageFeature(shape=(4, 4, 3))}
    for dataset in (
        Dataset.from_arrays({"image": images, "label": labels}, features=features),
        Dataset.from_folder(tmp_path),
        Dataset.from_folder(tmp_path).align_labels(["b", "a"]),
    ):
        copy = pickle.loads(pickle.dumps(dataset))
        assert copy.fingerprint == dataset.fingerprint
