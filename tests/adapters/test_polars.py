from typing import Any

import numpy as np
import pytest

from dshub import Dataset, Hub
from dshub.testing.adapters import RowsTests, assert_same, example, varied

pl = pytest.importorskip("polars")


class TestPolars(RowsTests):
    name = "polars"
    files = True

    def to_numpy(self, value: Any) -> Any:
        return value.to_numpy() if isinstance(value, pl.Series) else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        frame = dataset.to("polars")
        return [
            {name: self.value(frame.schema[name], frame[name][i]) for name in frame.columns}
            for i in range(len(frame))
        ]

    def value(self, kind: Any, value: Any) -> Any:
        """Convert list and array values to NumPy arrays, except lists of text."""
        if kind == pl.List(pl.String):
            return value.to_list()
        if not isinstance(kind, pl.List | pl.Array):
            return value
        item = kind
        while isinstance(item, pl.List | pl.Array):
            item = item.inner
        dtype = {"UInt8": "uint8", "Int64": "int64", "Float32": "float32"}[str(item)]
        inner = kind.inner.shape if isinstance(kind.inner, pl.Array) else ()
        shape = (-1, *inner) if isinstance(kind, pl.List) else kind.shape
        return np.array(value.to_list(), dtype).reshape(shape)


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
