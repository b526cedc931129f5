import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub.catalog.features import NumberFeature, TextFeature
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New

TABLE = pa.table(
    {
        "x": [1, 2, 3, 4],
        "year": [2024, 2025, 2024, 2024],
        "city": ["S\u00e3o Paulo", "b/c", "x", "x"],
        "split": ["train", "test", "train", "train"],
    }
)


def test_folders_of_parquet_files_are_splits(new: New, data: Path) -> None:
    pq.write_to_dataset(TABLE.select(["x", "split"]), data, partition_cols=["split"])
    result = new(data)
    assert sorted(result["train"]["x"][:].tolist()) == [1, 3, 4]
    assert result["test"]["x"][:].tolist() == [2]


def test_folders_of_parquet_files_are_columns(new: New, data: Path) -> None:
    pq.write_to_dataset(TABLE, data, partition_cols=["split", "year", "city"])
    result = new(data)
    assert result.manifest.features["year"] == NumberFeature(dtype="int64")
    assert result.manifest.features["city"] == TextFeature()
    rows = sorted(result["train"], key=lambda row: row["x"])
    assert [(row["x"], row["year"], row["city"]) for row in rows] == [
        (1, 2024, "S\u00e3o Paulo"),
        (3, 2024, "x"),
        (4, 2024, "x"),
    ]
    assert result["test"][0] == {"x": 2, "year": 2025, "city": "b/c"}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_folders_of_text_files_are_columns(new: New, data: Path, kind: str) -> None:
    rows = {"csv": "x\n{}\n", "jsonl": '{{"x": {}}}\n'}[kind]
    for number, language in enumerate(["de", "en"]):
        write_text(data / f"lang={language}" / f"a.{kind}", rows.format(number))
    assert list(new(data)["train"]) == [{"x": 0, "lang": "de"}, {"x": 1, "lang": "en"}]


def test_folders_in_an_archive_are_columns(new: New, data: Path) -> None:
    path = data / "tables.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for year in (2024, 2025):
            archive.writestr(f"tables/year={year}/a.csv", f"x\n{year % 10}\n")
    result = new(path)
    assert result.answer["packed"] is None
    assert list(result["train"]) == [{"x": 4, "year": 2024}, {"x": 5, "year": 2025}]


def test_files_of_the_same_name_are_packed(new: New, data: Path) -> None:
    write_text(data / "train" / "data.csv", "a,b\n1,2\n")
    write_text(data / "test" / "data.csv", "a,b\n3,4\n")
    result = new(data)
    assert result["train"][0] == {"a": 1, "b": 2}
    assert result["test"][0] == {"a": 3, "b": 4}
