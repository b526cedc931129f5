"""Read Parquet and compare the rows with pyarrow's."""

import io
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


def parquet_file(table: pa.Table, **options: Any) -> bytes:
    """Return a table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def read(data: bytes, **columns: str) -> pa.Table:
    """Read all rows of a file."""
    reader = formats.create(FORMAT | ({"columns": columns} if columns else {}))
    return pa.Table.from_batches(reader.read({"d": [MemoryFile("some-file", data)]}))


class TestParquet(ReaderTests):
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
    """Hugging Face images, which are structs of bytes and path."""

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
    """Return a table of images as on the Hugging Face Hub, one of them missing."""
    images = [
        None if i == 1 else {"bytes": b"\xff\xd8\xff" + bytes([i]), "path": f"{i}.jpg"}
        for i in range(rows)
    ]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.table({"image": pa.array(images, kind), "label": pa.array(range(rows))})


def test_field_of_a_struct_is_a_column() -> None:
    data = parquet_file(hub_table(5), row_group_size=2)
    actual = read(data, image="image.bytes", label="label").to_pydict()
    assert actual["image"] == [None if i == 1 else b"\xff\xd8\xff" + bytes([i]) for i in range(5)]
    assert actual["label"] == [0, 1, 2, 3, 4]


def test_column_name_with_a_dot_takes_precedence() -> None:
    """`a.b` is looked up as a column first, and then as field `b` of column `a`."""
    data = parquet_file(pa.table({"a.b": [1, 2], "a": [{"b": 3}, {"b": 4}]}))
    assert read(data, x="a.b").column("x").to_pylist() == [1, 2]


def test_types_are_simplified() -> None:
    """Dictionaries are decoded and large types become their small versions, also within lists."""
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
    actual = read(parquet_file(table))
    assert actual.schema.types == [
        pa.string(),
        pa.string(),
        pa.binary(),
        pa.list_(pa.string()),
        pa.list_(pa.int8(), 2),
    ]
    assert actual.to_pydict() == table.to_pydict()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_rows_match_the_independent_reader(compression: str) -> None:
    rng = np.random.default_rng(0)
    table = pa.table({name: rng.integers(0, 1000, 5000) for name in "abc"})
    data = parquet_file(table, compression=compression, row_group_size=700)
    actual = read(data, z="c", x="a")
    assert actual.schema.names == ["z", "x"]
    assert actual.to_pydict() == parquet.read(
        {"d": [("", data)]}, {"columns": {"z": "c", "x": "a"}}
    )


def test_large_rows_are_split_into_batches() -> None:
    table = pa.table({"image": [bytes([i]) * (1 << 20) for i in range(60)]})
    reader = formats.create(FORMAT)
    batches = list(reader.read({"d": [MemoryFile("f", parquet_file(table, compression="none"))]}))
    assert max(batch.nbytes for batch in batches) <= 16 << 20
    assert pa.Table.from_batches(batches).equals(table)


def test_small_row_groups_are_merged() -> None:
    texts = [None if i % 7 == 0 else f"{i % 90} " + "word " * 20 for i in range(6000)]
    table = pa.table(
        {
            "text": texts,
            "n": range(6000),
            "image": [{"bytes": str(text).encode()} for text in texts],
        }
    )
    data = parquet_file(table, row_group_size=500)
    (batch,) = formats.create(
        FORMAT | {"columns": {"t": "text", "n": "n", "b": "image.bytes"}}
    ).read({"d": [MemoryFile("f", data)]})
    assert batch.to_pydict() == {
        "t": texts,
        "n": list(range(6000)),
        "b": [str(text).encode() for text in texts],
    }


def test_row_groups_that_repeat_a_long_text_are_not_merged() -> None:
    """A file of 300 kB can hold 100 MB of text."""
    table = pa.table({"text": pa.array(["x" * 100_000]).take([0] * 1000)})
    data = parquet_file(table, row_group_size=250)
    reader = formats.create(FORMAT)
    sizes = [batch.nbytes for batch in reader.read({"d": [MemoryFile("f", data)]})]
    assert sum(sizes) > 100_000_000
    assert max(sizes) <= 16 << 20


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": "y"}, "it has no column 'y'; it has: image, label"),
        (
            {"x": "image.file"},
            "column 'image' has no field 'file'; it has: bytes, path",
        ),
        ({"x": "label.x"}, "column 'label' has no field 'x'; it has: none"),
    ],
)
def test_unknown_column_is_rejected(columns: dict[str, str], message: str) -> None:
    with pytest.raises(ReadError, match="some-file: ") as caught:
        read(parquet_file(hub_table(2)), **columns)
    assert message in str(caught.value)


def test_text_that_is_not_utf_8_is_rejected() -> None:
    invalid = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")]
    )
    with pytest.raises(ReadError, match=r"some-file: it cannot be read: .*UTF8"):
        read(parquet_file(pa.table({"text": invalid})))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 8 + b"PAR1"])
def test_other_files_are_rejected(data: bytes) -> None:
    with pytest.raises(ReadError, match="some-file: it cannot be read"):
        read(data)


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(ManifestError, match="column"):
        formats.create(FORMAT | {"column": "x"})


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_page_with_a_wrong_checksum_is_rejected(version: str, dictionary: bool) -> None:
    values = np.arange(500_000, 501_000, dtype="<i4")
    options = {
        "write_page_checksum": True,
        "compression": "none",
        "use_dictionary": dictionary,
        "data_page_version": version,
    }
    data = parquet_file(pa.table({"a": values}), **options)
    assert read(data).column("a").to_pylist() == values.tolist()
    place = data.index(values[500:510].tobytes())
    damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    with pytest.raises(ReadError, match=r"some-file: .*CRC checksum verification failed"):
        read(damaged)


def test_checksums_of_nested_pages_and_later_row_groups_are_verified() -> None:
    lists = pa.array([[i, i + 1] for i in range(700_000, 701_000)], pa.list_(pa.int32()))
    table = pa.table({"a": range(1000), "l": lists})
    options = {"write_page_checksum": True, "compression": "none", "use_dictionary": False}
    data = parquet_file(table, row_group_size=100, **options)
    place = data.index(np.array([700_950, 700_951], "<i4").tobytes())
    damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    with pytest.raises(ReadError, match="CRC checksum verification failed"):
        read(damaged)
    with pytest.raises(ReadError, match="CRC checksum verification failed"):
        read(damaged, l="l")
    assert read(damaged, a="a").num_rows == 1000  # the damaged column is not read
