"""Test familiar names that apply to every split."""

import pytest

from dshub import Dataset
from dshub.catalog.features import NumberFeature
from dshub.datasets.splits import Splits
from dshub.errors import UnknownNameError

PARTS = {
    "train": Dataset.from_arrays({"x": [1, 2, 2], "t": ["a", "b", "c"]}),
    "test": Dataset.from_arrays({"x": [4], "t": ["d"]}),
}


@pytest.fixture
def splits() -> Splits:
    """Return two splits."""
    return Splits("own data", {"train": 3, "test": 1}, PARTS.__getitem__)


def test_facts_are_by_split(splits: Splits) -> None:
    assert splits.num_rows == {"train": 3, "test": 1}
    assert splits.num_columns == {"train": 2, "test": 2}
    assert splits.shape == {"train": (3, 2), "test": (1, 2)}
    assert splits.unique("x") == {"train": [1, 2], "test": [4]}
    assert list(splits.features) == ["x", "t"]


def test_columns_change_in_every_split(splits: Splits) -> None:
    changed = splits.rename_columns({"t": "text"}).cast_column("x", NumberFeature(dtype="int8"))
    assert changed["test"][0] == {"x": 4, "text": "d"}
    assert changed["train"]["x"].dtype == "int8"
    assert splits.select_columns("t")["test"][0] == {"t": "d"}
    assert splits.flatten_indices() is splits


def test_unknown_column_is_an_error_of_the_split(splits: Splits) -> None:
    with pytest.raises(UnknownNameError):
        splits.remove_columns("y")["train"]


def test_hidden_labels_do_not_matter() -> None:
    parts = {"train": PARTS["train"].with_column("label", [1, 2, 3]), "test": PARTS["test"]}
    splits = Splits("own data", dict.fromkeys(parts), parts.__getitem__)
    renamed = splits.rename_column("label", "labels")
    assert renamed.column_names == {"train": ["x", "t", "labels"], "test": ["x", "t"]}
    assert renamed.remove_columns(["t", "labels"]).num_columns == {"train": 1, "test": 1}
    assert splits.select_columns(["label", "x"])["test"].column_names == ["x"]
    assert splits.cast_column("label", NumberFeature(dtype="int8"))["test"].num_rows == 1


def test_hugging_face_keywords_apply_to_every_split(splits: Splits) -> None:
    function = {"function": lambda row, by: {"y": row["x"] * by}, "fn_kwargs": {"by": 3}}
    mapped = splits.map(**function, num_proc=2)  # type: ignore[arg-type,call-arg]
    assert mapped["train"]["y"].tolist() == [3, 6, 6]
    kept = splits.filter(lambda x: x > 1, input_columns="x")  # type: ignore[call-arg]
    assert {name: len(part) for name, part in kept.items()} == {"train": 2, "test": 1}
