"""Compare renamed, added, converted and concatenated columns with Python lists."""

import pickle
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature, NumberFeature
from dshub.errors import ArgumentError, SchemaError, UnknownNameError

WORDS = ["cow", "ant", "bee", "ant", "doe"]


@pytest.fixture
def ds() -> Dataset:
    """Return five rows with a list column and a label column."""
    return Dataset.from_arrays(
        {"text": WORDS, "ids": [[1], [2, 2], [], [4], [5]], "n": np.arange(5)},
        supervised=("text", "n"),
    )


def rows(dataset: Dataset) -> list[dict[str, Any]]:
    return [{name: np.asarray(value).tolist() for name, value in row.items()} for row in dataset]


def test_renamed_columns_keep_rows_order_and_the_supervised_pair(ds: Dataset) -> None:
    renamed = ds.shuffle(3).rename({"n": "y", "text": "x"})
    assert list(renamed.features) == ["x", "ids", "y"]
    assert renamed.supervised == ("x", "y")
    expected = [{"x": row["text"], "ids": row["ids"], "y": row["n"]} for row in rows(ds.shuffle(3))]
    assert rows(renamed) == expected
    assert rows(pickle.loads(pickle.dumps(renamed))) == expected


@pytest.mark.parametrize(
    ("names", "error"), [({"x": "y"}, UnknownNameError), ({"n": "text"}, ArgumentError)], ids=str
)
def test_unknown_and_clashing_names_are_rejected(
    ds: Dataset, names: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ds.rename(names)


def test_added_column_belongs_to_the_rows_of_the_view(ds: Dataset) -> None:
    view = ds.select([4, 0, 2]).with_column("rank", [7, 8, 9]).with_column("n", ["a", "b", "c"])
    assert list(view.features) == ["text", "ids", "n", "rank"]
    expected = [("doe", "a", 7), ("cow", "b", 8), ("bee", "c", 9)]
    assert [(row["text"], row["n"], row["rank"]) for row in view] == expected
    assert view[[2, 0]]["rank"].tolist() == [9, 7]
    assert view.filter(lambda row: row["rank"] > 7)["text"] == ["cow", "bee"]


def test_added_column_of_another_length_is_rejected(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="got 3, expected 5 values, one for each row"):
        ds.with_column("x", [1, 2, 3])


def test_index_numbers_the_rows(ds: Dataset) -> None:
    assert ds.skip(2).add_index()["index"].tolist() == [0, 1, 2]


def test_text_is_cast_to_classes_and_numbers_to_float(ds: Dataset) -> None:
    label = LabelFeature(names=("ant", "bee", "cow", "doe"))
    cast = ds.cast({"text": label, "n": NumberFeature(dtype="float32")})
    assert cast.features["text"] == label
    assert cast["text"].tolist() == [2, 0, 1, 0, 3]
    assert cast["n"].dtype == np.float32
    assert cast.shuffle(1)["text"].tolist() == cast["text"][ds.shuffle(1)["n"]].tolist()


def test_cast_that_does_not_fit_is_rejected_at_once(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="column text"):
        ds.cast({"text": NumberFeature(dtype="int64")})


def test_concatenated_rows_follow_each_other(ds: Dataset) -> None:
    both = ds.take(2) + ds.select([4, 3])
    assert rows(both) == [rows(ds)[row] for row in (0, 1, 4, 3)]
    assert both[[3, 0, 2]]["text"] == ["ant", "cow", "doe"]
    assert both[1:3]["n"].tolist() == [1, 4]
    assert both.arrow().column("text").to_pylist() == both["text"]
    assert rows(pickle.loads(pickle.dumps(both))) == rows(both)


def test_concatenation_needs_equal_columns(ds: Dataset) -> None:
    with pytest.raises(SchemaError, match="column n of dataset 1: got no such column"):
        Dataset.concat([ds, ds.without(["n"])])
    with pytest.raises(ArgumentError, match="at least one dataset"):
        Dataset.concat([])


def test_views_of_derived_columns_have_their_own_fingerprints(ds: Dataset) -> None:
    views = [
        ds,
        ds.rename({"n": "m"}),
        ds.with_column("m", [1, 2, 3, 4, 5]),
        ds.with_column("m", [1, 2, 3, 4, 6]),
        ds.cast({"n": NumberFeature(dtype="int8")}),
        ds + ds,
        ds.take(3) + ds,
    ]
    assert len({view.fingerprint for view in views}) == len(views)
    assert ds.rename({"n": "m"}).fingerprint == views[1].fingerprint


def test_images_stay_encoded_until_rows_are_read(photos: Dataset) -> None:
    view = photos.rename({"image": "photo"}).with_column("n", range(len(photos)))
    assert view[0]["photo"].tolist() == photos[0]["image"].tolist()
    assert view.decode(False)[0]["photo"] == photos.decode(False)[0]["image"]
