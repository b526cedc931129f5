"""Parquet, against Arrow's reading of the whole file."""

import io
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import formats
from dshub.errors import ManifestError, ReadError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import parquet

FORMAT = {"format": "parquet"}


def saved(table: pa.Table, **options: Any) -> bytes:
    """A file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read(data: bytes, **columns: str) -> pa.Table:
    """All rows of a file."""
    reader = formats.create(FORMAT | ({"columns": columns} if columns else {}))
    return pa.Table.from_batches(reader.read({"d": [MemoryFile("some-file", data)]}))


class TestParquet(ReaderTests):
    """Numbers, text, files and lists."""

    parts: ClassVar = {"rows": ("train-0.parquet", "train-1.parquet")}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "label": pa.array(np.arange(count)),
                "score": pa.array(np.arange(count) / 8, pa.float32()),
                "text": pa.array([f"Straße {i}" for i in range(count)]),
                "image": pa.array([b"\x89PNG" + bytes([i % 256]) for i in range(count)]),
                "words": pa.array(
                    [["a", "b"][: i % 3] for i in range(count)], pa.list_(pa.string())
                ),
            }
        )


class TestFields(ReaderTests):
    """Hugging Face's pictures: a struct of bytes and path."""

    parts: ClassVar = {"rows": ("data/train-*.parquet",)}

    def reader(self) -> formats.Reader:
        columns = {"image": "image.bytes", "file": "image.path", "label": "label"}
        return formats.create(FORMAT | {"columns": columns | {"year": "meta.date.year"}})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "image": pa.array([bytes([i % 256]) * 3 for i in range(count)]),
                "file": pa.array([f"{i}.png" for i in range(count)]),
                "label": pa.array(np.arange(count)),
                "year": pa.array(np.arange(count, dtype=np.int16)),
            }
        )


def hub_table(rows: int) -> pa.Table:
    """Pictures as Hugging Face keeps them, one of which is not there."""
    pictures = [
        None if i == 1 else {"bytes": b"\xff\xd8\xff" + bytes([i]), "path": f"{i}.jpg"}
        for i in range(rows)
    ]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.table({"image": pa.array(pictures, kind), "label": pa.array(range(rows))})


def test_fields_of_structs() -> None:
    """`image.bytes` is a column; a struct that is missing misses its fields."""
    data = saved(hub_table(5), row_group_size=2)
    found = read(data, picture="image.bytes", label="label").to_pydict()
    assert found["picture"] == [None if i == 1 else b"\xff\xd8\xff" + bytes([i]) for i in range(5)]
    assert found["label"] == [0, 1, 2, 3, 4]


def test_names_with_dots() -> None:
    """A column whose own name has a dot is that column."""
    data = saved(pa.table({"a.b": [1, 2], "a": [{"b": 3}, {"b": 4}]}))
    assert read(data, x="a.b").column("x").to_pylist() == [1, 2]


def test_types_that_differ_only_in_packing() -> None:
    """Dictionaries are resolved, large types become plain ones, also within lists."""
    texts = pa.array(["x", "y", "x", None])
    table = pa.table(
        {
            "dictionary": texts.dictionary_encode(),
            "large": texts.cast(pa.large_string()),
            "bytes": pa.array([b"1", b"2", b"3", b""], pa.large_binary()),
            "lists": pa.array([["a"], [], ["b", "c"], ["d"]], pa.large_list(pa.large_string())),
            "fixed": pa.array([[1, 2]] * 4, pa.list_(pa.int8(), 2)),
        }
    )
    found = read(saved(table))
    assert found.schema.types == [
        pa.string(),
        pa.string(),
        pa.binary(),
        pa.list_(pa.string()),
        pa.list_(pa.int8(), 2),
    ]
    assert found.to_pydict() == table.to_pydict()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_against_an_independent_reading(compression: str) -> None:
    """Several row groups, some columns, in the order in which they are named."""
    rng = np.random.default_rng(0)
    table = pa.table({name: rng.integers(0, 1000, 5000) for name in "abc"})
    data = saved(table, compression=compression, row_group_size=700)
    found = read(data, z="c", x="a")
    assert found.schema.names == ["z", "x"]
    assert found.to_pydict() == parquet.read({"d": [("", data)]}, {"columns": {"z": "c", "x": "a"}})


def test_large_rows_come_a_few_at_a_time() -> None:
    """60 MB of pictures are batches of some MB."""
    table = pa.table({"image": [bytes([i]) * (1 << 20) for i in range(60)]})
    reader = formats.create(FORMAT)
    batches = list(reader.read({"d": [MemoryFile("f", saved(table, compression="none"))]}))
    assert max(batch.nbytes for batch in batches) <= 16 << 20
    assert pa.Table.from_batches(batches).equals(table)


def test_small_row_groups_are_read_together() -> None:
    """Their texts, each with a dictionary of its own, and fields of structs come in one batch."""
    texts = [None if i % 7 == 0 else f"{i % 90} " + "word " * 20 for i in range(6000)]
    table = pa.table(
        {
            "text": texts,
            "n": range(6000),
            "image": [{"bytes": str(text).encode()} for text in texts],
        }
    )
    data = saved(table, row_group_size=500)
    (batch,) = formats.create(
        FORMAT | {"columns": {"t": "text", "n": "n", "b": "image.bytes"}}
    ).read({"d": [MemoryFile("f", data)]})
    assert batch.to_pydict() == {
        "t": texts,
        "n": list(range(6000)),
        "b": [str(text).encode() for text in texts],
    }


def test_small_row_groups_that_repeat_a_long_text_are_not_read_together() -> None:
    """300 kB of a file may stand for 100 MB of text; a batch holds a few."""
    table = pa.table({"text": pa.array(["x" * 100_000]).take([0] * 1000)})
    data = saved(table, row_group_size=250)
    reader = formats.create(FORMAT)
    sizes = [batch.nbytes for batch in reader.read({"d": [MemoryFile("f", data)]})]
    assert sum(sizes) > 100_000_000
    assert max(sizes) <= 16 << 20


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"x": "y"}, "it has no column 'y'; there are: image, label"),
        (
            {"x": "image.file"},
            "column 'image' has no field 'file'; there are: bytes, path",
        ),
        ({"x": "label.x"}, "column 'label' has no field 'x'; there are: none"),
    ],
)
def test_columns_that_are_not_there(columns: dict[str, str], told: str) -> None:
    """The error names the file and what it has."""
    with pytest.raises(ReadError, match="some-file: ") as caught:
        read(saved(hub_table(2)), **columns)
    assert told in str(caught.value)


def test_text_that_is_not_utf_8() -> None:
    """It is an error, not a text with other characters."""
    wrong = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")]
    )
    with pytest.raises(ReadError, match=r"some-file: it cannot be read: .*UTF8"):
        read(saved(pa.table({"text": wrong})))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 8 + b"PAR1"])
def test_files_that_are_none(data: bytes) -> None:
    """The error names the file."""
    with pytest.raises(ReadError, match="some-file: it cannot be read"):
        read(data)


def test_no_copy_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is copied to the folder for temporary files, and is gone from it afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = formats.create(FORMAT).read({"d": [MemoryFile("f", saved(hub_table(3)))]})
    next(rows)
    del rows
    assert not list(tmp_path.iterdir())


def test_an_unknown_option() -> None:
    """It is a fault of the manifest."""
    with pytest.raises(ManifestError, match="column"):
        formats.create(FORMAT | {"column": "x"})
