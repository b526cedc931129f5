"""JSON lines, read by the standard library."""

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset, DshubError
from tests.exporting import CLASSES, Rows, Some, pixels, same, written


def test_json_lines(some: Some, rows: Rows, tmp_path: Path) -> None:
    """Classes are names, files base64, raw pixels a PNG, arrays and lists are lists."""
    found = [
        json.loads(line)
        for path in written(some(), "jsonl", tmp_path)
        for line in path.read_text("utf-8").splitlines()
    ]
    for row, made in zip(found, rows, strict=True):
        assert base64.b64decode(row.pop("photo")) == made["photo"]
        assert base64.b64decode(row.pop("sound")) == made["sound"]
        assert same(pixels(base64.b64decode(row.pop("pixels"))), made["pixels"][:, :, 0])
        assert row.pop("label") == CLASSES[made["label"]]
        assert row.pop("tags") == [CLASSES[tag] for tag in made["tags"]]
        assert np.array_equal(np.array(row.pop("box"), np.float32), made["box"])
        assert np.float32(row.pop("ratio")) == made["ratio"]
        assert all(same(value, made[name]) for name, value in row.items())


def test_nan_becomes_null_and_infinity_is_refused(tmp_path: Path) -> None:
    """NaN becomes null, as strict readers want it; an infinite number is an error with its row."""
    dataset = Dataset.from_arrays({"x": np.array([1.5, math.nan])})
    (path,) = written(dataset, "jsonl", tmp_path / "nan")
    assert path.read_text() == '{"x": 1.5}\n{"x": null}\n'
    dataset = Dataset.from_arrays({"x": np.array([1.5, math.inf])})
    with pytest.raises(DshubError, match="row 1: an infinite number"):
        written(dataset, "jsonl", tmp_path / "inf")
