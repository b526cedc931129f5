"""Test familiar names of datasets in cases that are easy to get wrong."""

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.errors import ArgumentError, SchemaError, UnknownNameError

ROWS = Dataset.from_arrays({"x": np.arange(10), "t": list("abcabcabca")})


def test_own_data_has_no_description() -> None:
    assert [ROWS.description, ROWS.citation, ROWS.homepage, ROWS.license, ROWS.version] == [""] * 5
    assert ROWS.info is None


def test_classes_need_labels() -> None:
    with pytest.raises(UnknownNameError):
        _ = ROWS.classes
    with pytest.raises(ArgumentError, match="supervised"):
        _ = ROWS.targets


def test_numbers_and_text_become_classes() -> None:
    encoded = ROWS.add_column("big", np.arange(10) * 10 % 30).class_encode_column("big")
    assert encoded.features["big"] == LabelFeature(names=("0", "10", "20"))
    assert encoded["big"].tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert encoded.class_encode_column("big") is encoded


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ({}, (8, 2)),
        ({"test_size": 0.3}, (7, 3)),
        ({"train_size": 4}, (4, 6)),
        ({"train_size": 0.5, "test_size": 2}, (5, 2)),
    ],
)
def test_sizes_of_train_and_test(sizes: dict[str, float], counts: tuple[int, int]) -> None:
    parts = ROWS.train_test_split(**sizes, seed=1)  # type: ignore[arg-type]
    assert (len(parts["train"]), len(parts["test"])) == counts
    both = [*parts["train"]["x"].tolist(), *parts["test"]["x"].tolist()]
    assert len(set(both)) == sum(counts)


@pytest.mark.parametrize("sizes", [{"test_size": 1.0}, {"test_size": 0}, {"train_size": 11}])
def test_empty_part_is_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match="10 rows"):
        ROWS.train_test_split(**sizes)  # type: ignore[arg-type]


def test_other_rows_cannot_be_added() -> None:
    with pytest.raises(SchemaError):
        ROWS.add_item({"x": 1})


def test_transform_is_a_lazy_map() -> None:
    changed = ROWS.with_transform(lambda batch: {"x": np.asarray(batch["x"]) * 2})
    assert changed["x"].tolist() == list(range(0, 20, 2))
    assert changed.column_names == ["x"]
