from pathlib import Path

import msgspec
import pytest

from dshub.errors import StoreError
from dshub.tables.record import Shard, TableRecord
from tests.tables.example import manifest

SHARD = Shard(file="train-00000-of-00001.arrow", rows=3, size=1, sha256="0" * 64)
RECORD = TableRecord(
    name="ds",
    version="1.0.0",
    split="train",
    rows=3,
    recipe={},
    shards=(SHARD,),
    manifest=manifest(3),
)


def test_record_survives_a_round_trip(tmp_path: Path) -> None:
    path = RECORD.write(tmp_path)
    assert path == tmp_path / "table.json"
    assert TableRecord.read(path) == RECORD


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "other"}, "manifest is for a different dataset"),
        ({"split": "test"}, "manifest has no split test"),
        ({"rows": 4}, "shards have 3 rows, not 4"),
        ({"shards": (SHARD, SHARD), "rows": 6}, "lists a shard twice"),
    ],
)
def test_contradictory_record_is_rejected(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = msgspec.structs.replace(RECORD, **changes).write(tmp_path)
    with pytest.raises(StoreError, match=message) as caught:
        TableRecord.read(path)
    assert "dshub prepare" in caught.value.hint
