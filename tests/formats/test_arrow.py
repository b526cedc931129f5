"""Read Arrow IPC and compare the rows with pyarrow's."""

import io
import struct
import tracemalloc
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import arrow

FORMAT = {"format": "arrow"}


def stream(table: pa.Table, **options: Any) -> bytes:
    """Return a table in the stream format."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as to:
        to.write_table(table, 3)
    return sink.getvalue()


def file(table: pa.Table, **options: Any) -> bytes:
    """Return a table in the file format."""
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as to:
        to.write_table(table, 3)
    return sink.getvalue()


def feather(table: pa.Table, **options: Any) -> bytes:
    """Return a table as Feather version 2, which is the Arrow file format."""
    sink = io.BytesIO()
    pyarrow.feather.write_feather(table, sink, **options)
    return sink.getvalue()


def read(data: bytes, **columns: str) -> pa.Table:
    """Read all rows of a file."""
    reader = formats.create(FORMAT | ({"columns": columns} if columns else {}))
    return pa.Table.from_batches(reader.read({"d": [MemoryFile("some-file", data)]}))


class TestArrow(ReaderTests):
    parts: ClassVar = {"rows": ("train-0.arrow", "train-1.arrow")}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "label": pa.array(np.arange(count)),
                "text": pa.array([f"Straße {i}" for i in range(count)]),
                "image": pa.array([b"\x89PNG" + bytes([i % 256]) for i in range(count)]),
                "words": pa.array(
                    [["a", "b"][: i % 3] for i in range(count)], pa.list_(pa.string())
                ),
                "array": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2 * count)), 2),
            }
        )


class TestFields(ReaderTests):
    """Hugging Face images, which are structs of bytes and path."""

    parts: ClassVar = {"rows": ("data-*.arrow",)}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | {"columns": {"image": "image.bytes", "label": "label"}})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "image": pa.array([bytes([i % 256]) * 3 for i in range(count)]),
                "label": pa.array(np.arange(count)),
            }
        )


TABLE = pa.table(
    {
        "a": range(10),
        "d": pa.array(["x", "y"] * 5).dictionary_encode(),
        "s": pa.array([{"bytes": bytes([i]), "path": "p"} for i in range(10)]),
        "l": pa.array(["t"] * 10, pa.large_string()),
        "v": pa.array(["a text that is longer than twelve"] * 10, pa.string_view()),
    }
)
WRITERS = {"stream": stream, "file": file, "feather": feather}


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("kind", WRITERS)
def test_rows_match_the_independent_reader(kind: str, compression: str | None) -> None:
    none = "uncompressed" if kind == "feather" else None
    data = WRITERS[kind](TABLE, compression=compression or none)
    actual = read(data)
    assert actual.to_pydict() == arrow.read({"d": [("", data)]}, {}) == TABLE.to_pydict()
    plain = [actual.schema.field(name).type for name in "dlv"]
    assert plain == [pa.string()] * 3
    columns = {"image": "s.bytes", "n": "a"}
    named = read(data, **columns)
    assert named.schema.names == ["image", "n"]
    assert named.to_pydict() == arrow.read({"d": [("", data)]}, {"columns": columns})


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_truncated_file_is_rejected(kind: str) -> None:
    data = WRITERS[kind](TABLE.select(["a"]))
    for length in range(len(data)):
        with pytest.raises(ReadError, match="some-file: "):
            read(data[:length])
    assert read(data).num_rows == 10


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_trailing_bytes_are_rejected(kind: str) -> None:
    data = WRITERS[kind](TABLE.select(["a"]))
    with pytest.raises(ReadError, match=r"some-file: (more bytes follow|its footer)"):
        read(data + data)


def test_feather_version_1_is_rejected() -> None:
    with pytest.raises(ReadError, match="some-file: it is a Feather version 1 file"):
        read(b"FEA1" + bytes(100) + b"FEA1")


def test_damaged_offsets_and_text_are_rejected() -> None:
    """Invalid offsets and invalid UTF-8 never become rows."""
    data = stream(pa.table({"t": ["abcdefgh", "ijklmnop"] * 3}))
    place = data.index(b"abcdefgh")
    with pytest.raises(ReadError, match=r"some-file: it cannot be read: .*UTF8"):
        read(data[:place] + b"\xff" + data[place + 1 :])
    offsets = data.index(struct.pack("<4i", 0, 8, 16, 24))
    damaged = data[:offsets] + struct.pack("<4i", 0, 8, 2**30, 24) + data[offsets + 16 :]
    with pytest.raises(ReadError, match="some-file: it cannot be read"):
        read(damaged)


@pytest.mark.parametrize("size", [2**31 - 8, 2**40, 2**62])
def test_false_length_takes_little_memory(size: int) -> None:
    """A huge declared length does not allocate memory."""
    data = stream(pa.table({"a": np.arange(3)}))
    # the size of three int64 values, in the message and in the description of its buffer
    body = struct.pack("<q", 24)
    assert data.count(body) == 2
    damaged = data.replace(body, struct.pack("<q", size))
    tracemalloc.start()
    try:
        with pytest.raises(ReadError, match="some-file"):
            read(damaged)
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()


def test_large_batch_is_split() -> None:
    table = pa.table({"image": [bytes([i]) * (1 << 20) for i in range(60)]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as to:
        to.write_table(table)
    batches = list(formats.create(FORMAT).read({"d": [MemoryFile("f", sink.getvalue())]}))
    assert max(batch.nbytes for batch in batches) <= 16 << 20
    assert pa.Table.from_batches(batches).equals(table)


def test_repeated_column_name_is_rejected() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ReadError, match="some-file: it has two columns named 'a'"):
        read(stream(table))
    with pytest.raises(ReadError, match="some-file: it has more than one column 'a'"):
        read(stream(table), x="a")
