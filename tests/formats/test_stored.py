"""Test reading arrays from streams, and temporary copies of files."""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import formats
from dshub.errors import ReadError, StoreError
from dshub.formats._stored import Stored, seekable, together
from dshub.testing.readers import MemoryFile


def npz() -> bytes:
    """Return an npz file with one array."""
    sink = io.BytesIO()
    np.savez(sink, data=np.zeros((3, 2)))
    return sink.getvalue()


def parquet() -> bytes:
    """Return a Parquet file with one column."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"data": [1, 2, 3]}), sink)
    return sink.getvalue()


def stored(array: np.ndarray, order: Any, axis: int, name: str = "array") -> Stored:
    """Store an array in memory."""
    stream = io.BytesIO(array.tobytes(order=order))
    return Stored(stream, name, array.dtype, array.shape, fortran=order == "F", axis=axis)


def test_copy_has_the_content_of_the_file() -> None:
    data = bytes(range(256)) * 10_000
    with seekable(MemoryFile("file", data)) as copy:
        copy.seek(-3, io.SEEK_END)
        assert copy.read() == data[-3:]
        copy.seek(0)
        assert copy.read() == data


@pytest.mark.parametrize("data", [npz(), parquet()], ids=["npz", "parquet"])
def test_copy_is_deleted_with_the_reader(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that is dropped early leaves no temporary file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    options = {"format": "npz" if data.startswith(b"PK") else "parquet"}
    reader = formats.create(options | {"columns": {"data": "data"}})
    rows = reader.read({"d": [MemoryFile("f", data)]})
    next(rows)
    del rows
    assert not list(tmp_path.iterdir())


def test_missing_folder_for_the_copy_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint shows how to choose another folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with (
        pytest.raises(StoreError, match=r"cannot write .*gone") as caught,
        seekable(MemoryFile("file", b"data")),
    ):
        pass
    assert "TMPDIR" in caught.value.hint


@pytest.mark.skipif(sys.platform != "linux", reason="uses /dev/full")
def test_full_disk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is not reported as damage of the file."""
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: io.FileIO("/dev/full", "r+"))
    with pytest.raises(StoreError, match="No space left"), seekable(MemoryFile("file", b"data")):
        pass


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", [">i2", "<f8", "|u1"])
def test_rows_match_the_array(order: str, axis: int, dtype: str) -> None:
    """Any axis can be the row axis, and values get the native byte order."""
    array = np.arange(5 * 4 * 3).reshape(5, 4, 3).astype(dtype)
    rows = stored(array, order, axis)
    pieces = [rows.read(count) for count in (1, rows.rows - 2, 1)]
    assert pieces[0].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(np.concatenate(pieces), np.moveaxis(array, axis, 0))
    rows.finish()


def test_trailing_bytes_are_rejected() -> None:
    rows = Stored(io.BytesIO(b"1234x"), "array", np.dtype("u1"), (2, 2))
    rows.read(2)
    with pytest.raises(ReadError, match="array: its header promises 4 bytes of data, but more"):
        rows.finish()


def test_missing_bytes_are_rejected_with_their_number() -> None:
    rows = Stored(io.BytesIO(b"123"), "array", np.dtype("u1"), (2, 2))
    rows.read(1)
    with pytest.raises(ReadError, match="array: its header promises 4 bytes of data, but 3 follow"):
        rows.read(1)


def test_columns_are_read_side_by_side() -> None:
    """Each piece has as many rows as fit into a batch."""
    arrays = {name: np.arange(4 << 20).reshape(4, -1).astype(np.uint8) for name in "ab"}
    pieces = list(together({name: stored(array, "C", 0) for name, array in arrays.items()}))
    assert [len(piece["a"]) for piece in pieces] == [4]
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.concatenate([piece[name] for piece in pieces]), array)


def test_columns_with_different_row_counts_are_rejected() -> None:
    columns = {name: stored(np.zeros(rows), "C", 0, name) for name, rows in [("a", 2), ("b", 3)]}
    with pytest.raises(ReadError, match="a: its arrays differ in length: a 2, b 3"):
        next(together(columns))
