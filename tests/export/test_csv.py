"""CSV files, read by others."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.exporting import CLASSES, Rows, Some, written


def test_csv_is_read_by_the_standard_library(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Quotes, lines and other alphabets come back; classes are names, numbers exact."""
    files = written(some("label", "text", "count", "ratio", "exact"), "csv", tmp_path, 300)
    assert len(files) > 1
    found = []
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file))
    for row, made in zip(found, rows, strict=True):
        assert row["label"] == CLASSES[made["label"]]
        assert row["text"] == made["text"]
        assert int(row["count"]) == made["count"]
        assert np.float32(row["ratio"]) == made["ratio"]
        assert float(row["exact"]) == made["exact"]


def test_csv_in_pandas(some: Some, rows: Rows, tmp_path: Path) -> None:
    """So does pandas, where it is told that an empty text is one."""
    pandas = pytest.importorskip("pandas")
    files = written(some("label", "text", "exact"), "csv", tmp_path, 300)
    frame = pandas.concat(pandas.read_csv(path, keep_default_na=False) for path in files)
    assert frame["text"].tolist() == [row["text"] for row in rows]
    assert np.allclose(frame["exact"], [row["exact"] for row in rows], rtol=1e-15, atol=0)
