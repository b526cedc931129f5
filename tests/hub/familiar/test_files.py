"""Test reading and writing single files."""

from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset
from dshub.errors import DshubError


def test_unwritable_column_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = Dataset.from_arrays({"x": np.zeros((3, 2, 2))})
    with pytest.raises(DshubError, match="CSV"):
        rows.to_csv(tmp_path / "rows.csv")
    assert list(tmp_path.iterdir()) == []


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DshubError, match=r"missing\.parquet"):
        Dataset.from_parquet(tmp_path / "missing.parquet")


def test_several_files_are_one_dataset(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    for number, path in enumerate(paths):
        Dataset.from_arrays({"x": [number]}).to_parquet(path)
    assert Dataset.from_parquet(paths)["x"].tolist() == [0, 1]
