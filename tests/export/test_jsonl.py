"""Export JSON lines and read them with the standard library."""

import base64
import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.export import export
from tests.exporting import CLASSES, Rows, Some, pixels, same, written


def test_standard_library_reads_json_lines(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Labels are names, files are base64 and raw pixels are PNG files in base64."""
    exported = [
        json.loads(line)
        for path in written(some(), "jsonl", tmp_path)
        for line in path.read_text("utf-8").splitlines()
    ]
    for row, expected in zip(exported, rows, strict=True):
        assert base64.b64decode(row.pop("photo")) == expected["photo"]
        assert base64.b64decode(row.pop("sound")) == expected["sound"]
        assert same(pixels(base64.b64decode(row.pop("pixels"))), expected["pixels"][:, :, 0])
        assert row.pop("label") == CLASSES[expected["label"]]
        assert row.pop("tags") == [CLASSES[tag] for tag in expected["tags"]]
        assert np.array_equal(np.array(row.pop("box"), np.float32), expected["box"])
        assert np.float32(row.pop("ratio")) == expected["ratio"]
        assert all(same(value, expected[name]) for name, value in row.items())


def test_nan_becomes_null_and_infinity_is_refused(tmp_path: Path) -> None:
    """JSON has no NaN and no infinity."""
    dataset = Dataset.from_arrays({"x": np.array([1.5, math.nan])})
    (path,) = written(dataset, "jsonl", tmp_path / "nan")
    assert path.read_text() == '{"x": 1.5}\n{"x": null}\n'
    dataset = Dataset.from_arrays({"x": np.array([1.5, math.inf])})
    with pytest.raises(
        DshubError, match="row 1, column x: JSON cannot represent an infinite number"
    ):
        written(dataset, "jsonl", tmp_path / "inf")


def test_missing_and_nested_values(tmp_path: Path) -> None:
    """The rows come back from JSON."""
    rows: list[dict[str, Any]] = [
        {"n": 1, "chat": [{"role": "user", "at": "2020-01-02"}], "m": [[1], []], "b": True},
        {"n": None, "chat": None, "m": [], "b": None},
    ]
    day = dt.date(2020, 1, 2)
    chat = [{"role": "user", "at": day}]
    dataset = Dataset.from_rows([{**rows[0], "chat": chat}, rows[1]])
    export({"train": dataset}, "jsonl", tmp_path)
    (path,) = tmp_path.glob("*.jsonl")
    assert list(map(json.loads, path.read_text().splitlines())) == rows
