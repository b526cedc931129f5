from pathlib import Path

import pyarrow as pa
import pytest

from dshub.catalog.features import (
    Feature,
    TextFeature,
)
from dshub.datasets.inference import feature_of
from dshub.tables.conforming import conform
from dshub.tables.missing import is_valid
from dshub.tables.table import Table
from dshub.tables.writer import TableWriter
from tests.tables.example import FEATURES, MISSING, manifest, whole_batch


@pytest.mark.parametrize("largest", FEATURES)
@pytest.mark.parametrize("batch", [1, 7, 53])
def test_arrow_reads_a_shard(tmp_path: Path, largest: str, batch: int) -> None:
    """The writer handles the largest column of a shard differently from the others."""
    features = {name: FEATURES[name] for name in ["label", largest, "words"]}
    rows = whole_batch(53).select([*features])
    with TableWriter(tmp_path, manifest(53, features), "train") as writer:
        for first in range(0, 53, batch):
            piece = rows.slice(first, batch)
            writer.write(conform(piece, features, where="ds", first_row=first))
        writer.close({})
    with pa.memory_map(str(tmp_path / "train-00000-of-00001.arrow")) as file:
        table = pa.ipc.open_stream(file).read_all()
        table.validate(full=True)
        assert table.to_pydict() == rows.to_pydict()
        assert file.read() == b""


def test_column_of_empty_strings_is_read(tmp_path: Path) -> None:
    features: dict[str, Feature] = {"text": TextFeature()}
    batch = pa.RecordBatch.from_pydict({"text": pa.array([""] * 9)})
    with TableWriter(tmp_path, manifest(9, features), "train") as writer:
        writer.write(conform(batch, features, where="ds", first_row=0))
        writer.close({})
    assert Table(tmp_path).span("text", 0, 9) == [""] * 9


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("batch", [1, 5, 30])
def test_missing_values_are_written(tmp_path: Path, name: str, batch: int) -> None:
    """The first batches can have none."""
    first, *others = MISSING[name]
    values = [first] * 9 + [*others, first] * 7
    column = pa.array(values)
    features: dict[str, Feature] = {"x": feature_of(name, [column])}
    with TableWriter(tmp_path, manifest(30, features), "train") as writer:
        for start in range(0, 30, batch):
            piece = pa.RecordBatch.from_pydict({"x": column.slice(start, batch)})
            writer.write(conform(piece, features, where="ds", first_row=start))
        writer.close({})
    data = (tmp_path / "train-00000-of-00001.arrow").read_bytes()
    table = pa.ipc.open_stream(data).read_all()
    table.validate(full=True)
    assert table["x"].to_pylist() == values
    assert is_valid(Table(tmp_path).span("x", 0, 30)).tolist() == [
        value is not None for value in values
    ]
