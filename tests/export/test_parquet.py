"""Export Parquet and Arrow files and read them with other programs."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.exporting import CLASSES, Rows, Some, pixels, same, written


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_pyarrow_reads_every_column(some: Some, rows: Rows, tmp_path: Path, to: str) -> None:
    files = written(some(), to, tmp_path)
    assert len(files) > 1
    read = pq.read_table if to == "parquet" else lambda path: pa.ipc.open_stream(path).read_all()
    exported = [row for path in files for row in read(path).to_pylist()]
    assert len(exported) == len(rows)
    for row, expected in zip(exported, rows, strict=True):
        for name in ("photo", "sound"):
            assert row.pop(name) == {"bytes": expected[name], "path": None}
        assert all(same(value, expected[name]) for name, value in row.items())


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_hugging_face_reads_its_own_features(
    some: Some, rows: Rows, tmp_path: Path, to: str
) -> None:
    pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets
    datasets: Any = importlib.import_module("datasets")
    files = written(some(), to, tmp_path / "exported")
    loaded = (
        datasets.Dataset.from_parquet(
            [str(path) for path in files], cache_dir=str(tmp_path / "cache")
        )
        if to == "parquet"
        else datasets.concatenate_datasets(
            [datasets.Dataset.from_file(str(path)) for path in files]
        )
    )
    assert loaded.features["label"].names == list(CLASSES)
    assert loaded.features["sound"].sampling_rate == 8000
    assert isinstance(loaded.features["photo"], datasets.Image)
    assert [row["text"] for row in loaded.remove_columns("sound")] == [row["text"] for row in rows]
    for image, expected in zip(loaded["photo"], rows, strict=True):
        assert np.array_equal(np.asarray(image), pixels(expected["photo"]))


def test_pandas_reads_parquet(some: Some, rows: Rows, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    files = written(some("label", "text", "exact", "ratio"), "parquet", tmp_path)
    frame = pandas.concat(map(pandas.read_parquet, files))
    for name in frame:
        assert frame[name].tolist() == [row[name] for row in rows]
    assert frame["ratio"].dtype == np.float32
