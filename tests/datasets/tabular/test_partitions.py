"""Read tables in folders such as `year=2024`."""

import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import Dataset
from dshub.catalog.features import NumberFeature, TextFeature
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New

TABLE = pa.table(
    {"x": ["1", "2", "3"], "year": [2024, 2025, None], "city": ["S\u00e3o Paulo", "b/c", "x"]}
)


def test_folders_of_parquet_files_are_columns(new: New, tmp_path: Path) -> None:
    """The types are those of the values, and `dshub new` gives the same rows."""
    pq.write_to_dataset(TABLE, tmp_path / "data", partition_cols=["year", "city"])
    ds = Dataset.from_parquet(tmp_path / "data")
    assert ds.features == {
        "x": TextFeature(),
        "year": NumberFeature(dtype="int64", optional=True),
        "city": TextFeature(),
    }
    rows = sorted(ds, key=lambda row: row["x"])
    assert rows == TABLE.to_pylist()
    assert sorted(new(tmp_path / "data")["train"], key=lambda row: row["x"]) == rows


def test_folders_of_text_files_are_columns(tmp_path: Path) -> None:
    for name, text in (("csv", "x\n5\n"), ("jsonl", '{"x": 5}\n')):
        write_text(tmp_path / name / "lang=de" / f"a.{name}", text)
        write_text(tmp_path / name / "lang=en" / f"a.{name}", text)
    read = Dataset.from_csv(tmp_path / "csv"), Dataset.from_json(tmp_path / "jsonl")
    for ds in read:
        assert list(ds) == [{"x": 5, "lang": "de"}, {"x": 5, "lang": "en"}]


def test_column_in_the_file_wins(tmp_path: Path) -> None:
    write_text(tmp_path / "year=2024" / "a.csv", "x,year\n1,1999\n")
    assert list(Dataset.from_csv(tmp_path)) == [{"x": 1, "year": 1999}]


def test_folders_that_differ_are_a_warning(tmp_path: Path) -> None:
    write_text(tmp_path / "year=2024" / "a.csv", "x\n1\n")
    write_text(tmp_path / "b.csv", "x\n2\n")
    with pytest.warns(UserWarning, match="`key=value` are not columns"):
        ds = Dataset.from_csv(tmp_path)
    assert list(ds.features) == ["x"]


def test_files_that_are_named_have_no_columns_of_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "year=2024" / "a.csv", "x\n1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = Dataset.from_csv(tmp_path / "year=2024" / "a.csv", header=True)
    assert list(ds.features) == ["x"]
