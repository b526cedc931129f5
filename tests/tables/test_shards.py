from pathlib import Path

import pyarrow as pa
import pytest

from dshub.catalog.features import (
    Feature,
    TextFeature,
)
from dshub.tables.conforming import conform
from dshub.tables.table import Table
from dshub.tables.writer import TableWriter
from tests.tables.example import FEATURES, manifest, whole_batch


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
