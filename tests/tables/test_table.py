import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.errors import StoreError
from dshub.tables.table import Table
from tests.tables.example import (
    FEATURES,
    LISTS,
    SINGLE,
    expected,
    plain,
    write,
)


def test_every_row_comes_back(table: Table) -> None:
    assert table.rows == 53
    assert {name: plain(table.span(name, 0, 53)) for name in FEATURES} == expected(53)
    assert all(plain(table.gather(name, np.arange(53))) == expected(53)[name] for name in FEATURES)
    result = [table.span(name, 0, 53) for name in ("image", "label", "vector")]
    assert [(part.dtype, part.shape) for part in result if isinstance(part, np.ndarray)] == [
        (np.dtype(np.uint8), (53, 2, 3, 1)),
        (np.dtype(np.int64), (53,)),
        (np.dtype(np.float64), (53, 2)),
    ]


def _gone(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html>" * 50)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other(path: Path) -> None:
    batch = pa.RecordBatch.from_pydict({"image": pa.array([1]), "text": pa.array(["a"])})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _no_batch(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, pa.schema([])):
        pass


@pytest.mark.parametrize("damage", [_gone, _short, _page, _empty, _other, _no_batch])
@pytest.mark.parametrize("file", ["table.json", "train-00000-of-00001.arrow"])
def test_damaged_table_is_rejected(tmp_path: Path, file: str, damage: Any) -> None:
    """The error names the file, and the hint says how to repair the table."""
    write(tmp_path / "t", 5, batch=5, shard_bytes=1 << 30)
    damage(tmp_path / "t" / file)
    with pytest.raises(StoreError) as caught:
        Table(tmp_path / "t").span("text", 0, 5)
    assert file in str(caught.value)
    assert "dshub" in caught.value.hint
    assert caught.value.exit_code == 8


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_changed_byte_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, place: float, flip: int
) -> None:
    """A changed byte gives rows of the right shapes or a StoreError."""
    folder = tmp_path_factory.mktemp("flipped") / "t"
    record = write(folder, 5, batch=5, shard_bytes=1 << 30)
    path = folder / record.shards[0].file
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data)
    table = Table(folder)
    for name in FEATURES:
        message, result = path.name, []
        try:
            result = [table.span(name, 0, 5), table.gather(name, np.arange(5))]
        except StoreError as error:
            message = str(error)
        assert path.name in message
        wanted = expected(5)[name]
        for values in result:
            assert len(values) == 5
            assert name not in SINGLE or np.shape(values) == np.shape(wanted)
            assert name in SINGLE or {type(value) for value in values} <= {str, bytes, LISTS[name]}


def test_hugging_face_opens_a_shard(tmp_path: Path) -> None:
    pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets
    datasets: Any = importlib.import_module("datasets")
    record = write(tmp_path / "t", 20, batch=20, shard_bytes=1 << 30)
    result = datasets.Dataset.from_file(str(tmp_path / "t" / record.shards[0].file))
    assert result.features["label"].names == ["a", "b", "c"]
    assert {name: list(result[name]) for name in FEATURES} == expected(20)
