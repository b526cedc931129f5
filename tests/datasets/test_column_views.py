"""Compare chains of methods that change columns with plain Python rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature, NumberFeature
from dshub.errors import SchemaError, UnknownNameError


def test_chained_changes_of_columns_match_plain_rows(tmp_path: Path) -> None:
    ds = Dataset.from_arrays({"a": np.arange(50), "b": [f"{i}" for i in range(50)]})
    view = (
        ds.shuffle(3)
        .rename({"a": "n"})
        .map(lambda row: {"square": row["n"] ** 2})
        .cast({"square": NumberFeature(dtype="float32")})
        .with_column("rank", range(50))
        .filter(lambda row: row["rank"] % 2 == 0)
        .add_index("row")
    )
    order = ds.shuffle(3)["a"].tolist()
    expected = [
        {"n": n, "b": f"{n}", "square": float(n**2), "rank": rank, "row": rank // 2}
        for rank, n in enumerate(order)
        if rank % 2 == 0
    ]
    assert list(view) == expected
    view.save(tmp_path / "view")
    assert list(Dataset.open(tmp_path / "view")) == expected


@pytest.mark.parametrize("on", [True, False])
def test_cached_images_stay_encoded(photos: Dataset, tmp_path: Path, on: bool) -> None:
    cached = photos.decode(on).cache("photos", folder=tmp_path)
    assert cached.decode(False)[0]["image"] == photos.decode(False)[0]["image"]


def test_missing_values_are_filled() -> None:
    columns: dict[str, Any] = {"age": [1, None], "text": [None, "a"], "score": [np.nan, 1.5]}
    ds = Dataset.from_arrays(columns)
    filled = ds.fill({"age": -1, "text": "", "score": 0})
    assert list(filled) == [
        {"age": 1, "text": "", "score": 0.0},
        {"age": -1, "text": "a", "score": 1.5},
    ]
    assert filled.features["age"] == NumberFeature(dtype="int64")
    assert filled.arrow()["age"].to_pylist() == [1, -1]
    assert filled.fingerprint != ds.fingerprint


def test_missing_classes_are_filled_by_name() -> None:
    labels = LabelFeature(names=("cat", "dog"), optional=True)
    ds = Dataset.from_arrays({"label": [0, None]}, features={"label": labels})
    assert ds.fill({"label": "dog"})["label"].tolist() == [0, 1]
    with pytest.raises(SchemaError, match="'bird'"):
        ds.fill({"label": "bird"})


def test_rows_with_missing_values_are_dropped() -> None:
    ds = Dataset.from_arrays({"a": [1, None, 3], "b": ["x", "y", None]})
    assert ds.valid("a").tolist() == [True, False, True]
    assert ds.drop_missing("a")["b"] == ["x", None]
    assert list(ds.drop_missing()) == [{"a": 1, "b": "x"}]
    with pytest.raises(UnknownNameError):
        ds.drop_missing("c")


def test_fields_of_a_struct_become_columns() -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "s": {"n": 2, "l": [1.5], "t": "a"}},
        {"id": 2, "s": None},
    ]
    ds = Dataset.from_rows(rows)
    flat = ds.flatten("s")
    assert list(flat.features) == ["id", "s.n", "s.l", "s.t"]
    assert [flat[0][name] for name in ("s.n", "s.t")] == [2, "a"]
    assert flat[0]["s.l"].tolist() == [1.5]
    assert [flat[1][name] for name in ("s.n", "s.l", "s.t")] == [None, None, None]
    assert flat.take(1).arrow().to_pylist() == [{"id": 1, "s.n": 2, "s.l": [1.5], "s.t": "a"}]
    assert flat.fingerprint != ds.fingerprint


def test_structs_in_structs_are_flattened_together() -> None:
    ds = Dataset.from_rows([{"a": {"b": {"c": 1}, "d": 2}, "e": 3}])
    assert ds.flatten()[0] == {"a.b.c": 1, "a.d": 2, "e": 3}
    assert ds.columns(["e"]).flatten()[0] == {"e": 3}


def test_only_structs_with_free_names_are_flattened() -> None:
    ds = Dataset.from_rows([{"s": {"n": 2}, "s.n": 1}])
    with pytest.raises(SchemaError, match=r"a column s\.n"):
        ds.flatten("s")
    with pytest.raises(SchemaError, match="number"):
        ds.flatten("s.n")
    with pytest.raises(UnknownNameError):
        ds.flatten("x")
