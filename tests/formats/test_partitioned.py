import io
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from dshub import formats
from dshub.errors import ManifestError, ReadError
from dshub.testing.readers import MemoryFile, ReaderTests

FORMAT = {
    "format": "partitioned",
    "path": "year={year}/city={city}/{name:path}.parquet",
    "of": {"format": "parquet"},
}


class TestPartitioned(ReaderTests):
    parts: ClassVar = {"rows": ("*",)}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        cities = ["S\u00e3o Paulo", "a/b", "50%"]
        return pa.RecordBatch.from_pydict(
            {
                "x": pa.array(range(count)),
                "year": pa.array([str(2020 + i // 5) for i in range(count)], pa.string()),
                "city": pa.array([cities[i // 3 % 3] for i in range(count)], pa.string()),
            }
        )


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def read(*files: tuple[str, bytes], **options: object) -> list[dict[str, object]]:
    inputs = [MemoryFile(name, data, name) for name, data in files]
    batches = formats.create({**FORMAT, **options}).read({"rows": inputs})
    return [row for batch in batches for row in batch.to_pylist()]


def test_values_equal_those_of_pyarrow(tmp_path: Path) -> None:
    """pyarrow writes the folders, and pyarrow.dataset reads them."""
    cities = ["a/b", "S\u00e3o Paulo", None]
    table = pa.table({"x": [1, 2, 3], "year": [2024, 2025, 2024], "city": cities})
    pq.write_to_dataset(table, tmp_path / "data", partition_cols=["year", "city"])
    paths = sorted((tmp_path / "data").rglob("*.parquet"))
    names = [path.relative_to(tmp_path / "data").as_posix() for path in paths]
    rows = read(*((name, path.read_bytes()) for name, path in zip(names, paths, strict=True)))
    expected = pyarrow.dataset.dataset(tmp_path / "data", partitioning="hive").to_table()
    by_x = sorted(expected.to_pylist(), key=lambda row: row["x"])
    assert sorted(rows, key=lambda row: str(row["x"])) == [
        {**row, "year": str(row["year"])} for row in by_x
    ]


def test_column_in_the_files_keeps_its_values() -> None:
    rows = read(("year=1/city=a/0.parquet", parquet(x=[1], year=[2024])))
    assert rows == [{"x": 1, "year": 2024, "city": "a"}]


def test_name_that_does_not_match_is_an_error() -> None:
    with pytest.raises(ReadError, match="does not match"):
        read(("city=a/0.parquet", parquet(x=[1])))


def test_pattern_must_end_with_the_rest_of_the_name() -> None:
    with pytest.raises(ManifestError, match="rest of the name"):
        formats.create({**FORMAT, "path": "year={year}/0.parquet"})
