"""Export CSV and read it with other programs."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.export import export
from tests.exporting import CLASSES, Rows, Some, written


def test_standard_library_reads_csv(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Quotes, line breaks and other alphabets survive, and numbers are exact."""
    files = written(some("label", "text", "count", "ratio", "exact"), "csv", tmp_path, 300)
    assert len(files) > 1
    cells = []
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            cells += list(csv.DictReader(file))
    for row, expected in zip(cells, rows, strict=True):
        assert row["label"] == CLASSES[expected["label"]]
        assert row["text"] == expected["text"]
        assert int(row["count"]) == expected["count"]
        assert np.float32(row["ratio"]) == expected["ratio"]
        assert float(row["exact"]) == expected["exact"]


def test_pandas_reads_csv(some: Some, rows: Rows, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    files = written(some("label", "text", "exact"), "csv", tmp_path, 300)
    frame = pandas.concat(pandas.read_csv(path, keep_default_na=False) for path in files)
    assert frame["text"].tolist() == [row["text"] for row in rows]
    assert np.allclose(frame["exact"], [row["exact"] for row in rows], rtol=1e-15, atol=0)


def test_missing_values_are_empty_fields(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "n": [2**53 + 1, None],
        "t": [None, "a"],
        "d": [None, dt.date(2020, 1, 2)],
    }
    label = LabelFeature(names=("cat", "dog"), optional=True)
    dataset = Dataset.from_arrays(columns | {"y": [None, 1]}, features={"y": label})
    export({"train": dataset}, "csv", tmp_path)
    (path,) = tmp_path.glob("*.csv")
    assert path.read_text().splitlines() == [
        "n,t,d,y",
        "9007199254740993,,,",
        ",a,2020-01-02,dog",
    ]
