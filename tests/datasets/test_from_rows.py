"""Read generators of rows."""

import gc
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature, TextFeature
from dshub.errors import ArgumentError, SchemaError


def test_generator_is_read_in_chunks() -> None:
    alive = []

    class Row(dict[str, Any]):
        pass

    def rows(count: int) -> Any:
        for i in range(count):
            if i == 2_500:
                gc.collect()
                alive.append(sum(type(item) is Row for item in gc.get_objects()))
            optional = None if i < 1_500 else f"text {i}"
            yield Row(i=i, x=np.full((2, 3), i, np.float32), s=optional, w=[i] * (i % 3))

    ds = Dataset.from_generator(rows, gen_kwargs={"count": 3_000})
    assert len(ds) == 3_000
    assert alive[0] <= 1_100
    assert ds["i"].tolist() == list(range(3_000))
    assert ds["x"].dtype == np.float32
    np.testing.assert_array_equal(ds[2_999]["x"], np.full((2, 3), 2_999))
    assert ds[0]["s"] is None
    assert ds[2_000]["s"] == "text 2000"
    assert [len(values) for values in ds["w"]] == [i % 3 for i in range(3_000)]
    assert Dataset.from_generator({"a": i} for i in range(5))["a"].tolist() == list(range(5))


def test_features_of_generators_can_be_stated() -> None:
    features = {"y": LabelFeature(names=("a", "b"), codes=("10", "20"))}
    ds = Dataset.from_generator(({"y": i % 2} for i in range(2_000)), features=features)
    assert ds["y"].tolist() == [i % 2 for i in range(2_000)]
    texts = Dataset.from_generator(({"y": "20"} for _ in range(2)), features=features)
    assert texts["y"].tolist() == [1, 1]
    with pytest.raises(SchemaError, match="column z"):
        Dataset.from_generator(({"y": 0} for _ in range(2)), features={"z": TextFeature()})


def test_chunks_of_a_generator_share_a_type() -> None:
    mixed = Dataset.from_generator({"a": i if i < 1_500 else i + 0.5} for i in range(2_000))
    assert mixed["a"].dtype == np.float64
    ragged = Dataset.from_generator({"a": [1.5] * (2 if i < 1_500 else 3)} for i in range(2_000))
    assert len(ragged[1_999]["a"]) == 3
    with pytest.raises(SchemaError, match="column a"):
        Dataset.from_generator({"a": i if i < 1_500 else "x"} for i in range(2_000))
    with pytest.raises(ArgumentError, match="dicts of values"):
        Dataset.from_generator(range(3))  # type: ignore[arg-type]
