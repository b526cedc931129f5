from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Hub
from dshub.testing.adapters import RowsTests, assert_same, example, varied

pl = pytest.importorskip("polars")


class TestPolars(RowsTests):
    name = "polars"
    files = True
    typed = False

    def to_numpy(self, value: Any) -> Any:
        return value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = dataset.to("polars").to_dicts()
        return rows

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        frame = dataset.to("polars").with_row_index("number")
        names = pl.all().exclude("group")
        groups = frame.with_columns(group=pl.col("number") % 7).group_by("group").agg(names)
        rows: list[dict[str, Any]] = (
            groups.explode(names).sort("number").drop("group", "number").to_dicts()
        )
        return rows


def test_columns_have_polars_types() -> None:
    schema = example().to("polars").schema
    assert schema["image"] == pl.Array(pl.UInt8, (5, 4, 3))
    assert schema["label"] == pl.Int64
    assert schema["text"] == pl.String
    schema = varied().to("polars").schema
    assert schema["photo"] == pl.Binary
    assert schema["tokens"] == pl.List(pl.Int64)


def test_polars_groups_rows(hub: Hub) -> None:
    dataset = hub.load("mnist", "train", synthetic=200)
    frame = dataset.to("polars")
    counts = frame.group_by("label").len().sort("label")["len"].to_list()
    assert counts == np.unique(np.asarray(dataset["label"]), return_counts=True)[1].tolist()


def test_frame_converts_back_to_a_dataset() -> None:
    dataset = Dataset.from_arrays(
        {
            "text": ["a", "a text of more than twelve bytes", ""],
            "words": [["one"], [], ["two", "three"]],
            "vector": np.arange(6, dtype=np.float32).reshape(3, 2),
        }
    )
    converted = Dataset.from_arrow(dataset.to("polars"))
    assert converted.features == dataset.features
    for one, other in zip(converted, dataset, strict=True):
        assert_same(list(one.values()), list(other.values()))
