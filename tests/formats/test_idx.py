"""Read IDX and compare the rows with those of an independent reader."""

import gzip
import struct
import tracemalloc
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import archives, formats
from dshub.errors import ManifestError, ReadError, SchemaError, UnknownNameError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests

FORMAT = {"format": "idx"}
CODES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def idx(code: int, shape: Sequence[int], values: bytes) -> bytes:
    """Build a file from the description on the MNIST page."""
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + values


def parse_idx(data: bytes) -> np.ndarray:
    """Parse a valid file with struct and NumPy."""
    code, dimensions = data[2], data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data[4 + 4 * dimensions :], f">{CODES[code]}").reshape(shape)


def is_valid(data: bytes) -> bool:
    """Return True if the bytes are a valid file and no row is empty."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in CODES or not 0 < data[3] <= 32:
        return False
    if len(data) < 4 + 4 * data[3]:
        return False
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    size = np.dtype(CODES[data[2]]).itemsize
    return 0 not in shape[1:] and prod(shape) * size == len(data) - 4 - 4 * data[3]


def array_of(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Convert a column to NumPy through Python values."""
    kind = column.type
    while pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return np.array(column.to_pylist(), kind.to_pandas_dtype())


def read(reader: formats.Reader, **parts: bytes) -> list[pa.RecordBatch]:
    """Read all batches of one file per part."""
    return list(
        reader.read({name: [MemoryFile(f"{name}-file", data)] for name, data in parts.items()})
    )


def nested(array: np.ndarray) -> pa.Array:
    """Convert an array to rows of nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


class IdxTests(ReaderTests):
    """Images and numbers of one dtype."""

    parts: ClassVar = {"image": ("",), "number": ("",)}
    dtype = "uint8"

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        values = np.arange(count * 12).astype(self.dtype).reshape(count, 4, 3)
        columns = {"image": nested(values), "number": pa.array(values[:, 0, 0])}
        return pa.RecordBatch.from_pydict(columns)


class TestUint8(IdxTests):
    """The dtype of MNIST."""


class TestInt8(IdxTests):
    dtype = "int8"


class TestInt16(IdxTests):
    dtype = "int16"


class TestInt32(IdxTests):
    dtype = "int32"


class TestFloat32(IdxTests):
    dtype = "float32"


class TestFloat64(IdxTests):
    dtype = "float64"


class TestTransposed(IdxTests):
    """EMNIST stores images column by column."""

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | {"transpose": ["image"]})


class TestColumns(ReaderTests):
    """QMNIST has a part with several columns per row."""

    parts: ClassVar = {"image": ("",), "numbers": ("",)}
    names = ("label", "writer", "unused")

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT | {"columns": {"numbers": list(self.names)}})

    def rows(self, count: int) -> pa.RecordBatch:
        numbers = np.arange(count * 3, dtype=np.int32).reshape(count, 3) * 1000
        columns = {name: pa.array(numbers[:, i]) for i, name in enumerate(self.names)}
        return pa.RecordBatch.from_pydict(
            {"image": nested(numbers.reshape(count, 3, 1)), **columns}
        )


class TestFloatColumns(TestColumns):
    """Columns of floating-point numbers keep their dtype."""

    def rows(self, count: int) -> pa.RecordBatch:
        numbers = np.arange(count * 3).reshape(count, 3) / 8
        columns = {name: pa.array(numbers[:, i]) for i, name in enumerate(self.names)}
        return pa.RecordBatch.from_pydict({"image": nested(numbers), **columns})


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (2, 3, 4)])
def test_every_type_matches_numpy(code: int, shape: tuple[int, ...]) -> None:
    rows = 7
    size = np.dtype(CODES[code]).itemsize
    values = bytes((i * 37 + 11) % 120 for i in range(rows * prod(shape) * size))
    data = idx(code, (rows, *shape), values)
    (batch,) = read(formats.create(FORMAT), x=data)
    actual = array_of(batch.column("x"))
    assert actual.dtype == np.dtype(CODES[code])
    np.testing.assert_array_equal(actual, parse_idx(data))


def test_transposed_images_are_restored() -> None:
    stored = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    data = idx(0x08, stored.shape, stored.tobytes())
    labels = idx(0x08, (2,), b"\1\2")
    reader = formats.create(FORMAT | {"transpose": ["image"]})
    (batch,) = read(reader, image=data, label=labels)
    actual = array_of(batch.column("image"))
    assert actual.shape == (2, 4, 3)
    assert all(
        actual[i, y, x] == stored[i, x, y] for i in range(2) for y in range(4) for x in range(3)
    )
    assert batch.column("label").to_pylist() == [1, 2]


def test_columns_of_a_part_are_split() -> None:
    names = [f"c{i}" for i in range(8)]
    numbers = [i * 1000 - 9000 for i in range(24)]
    data = idx(0x0C, (3, 8), struct.pack(">24i", *numbers))
    (batch,) = read(formats.create(FORMAT | {"columns": {"numbers": names}}), numbers=data)
    assert {name: batch.column(name).to_pylist() for name in batch.schema.names} == {
        name: numbers[i::8] for i, name in enumerate(names)
    }


@pytest.mark.parametrize("shape", [(3,), (3, 7), (3, 9), (3, 8, 1)])
def test_wrong_number_of_columns_is_rejected(shape: tuple[int, ...]) -> None:
    reader = formats.create(FORMAT | {"columns": {"numbers": [f"c{i}" for i in range(8)]}})
    with pytest.raises(ReadError, match=r"numbers-file: .*`columns` has 8 names"):
        read(reader, numbers=idx(0x08, shape, bytes(prod(shape))))


@pytest.mark.parametrize("options", [{"transpose": ["images"]}, {"columns": {"nmbers": ["a"]}}])
def test_option_for_an_unknown_part_is_rejected(options: dict[str, object]) -> None:
    with pytest.raises(ReadError, match="a reader option names"):
        read(formats.create(FORMAT | options), image=idx(8, (1, 1), b"1"))


def test_rows_are_split_into_batches_in_order() -> None:
    values = np.arange(10_000_000, dtype=">i4")
    data = idx(0x0C, (10_000, 1000), values.tobytes())
    batches = read(formats.create(FORMAT), x=data)
    assert len(batches) > 1
    flat = [batch.column("x").flatten().to_numpy() for batch in batches]
    np.testing.assert_array_equal(np.concatenate(flat), values)


def test_files_with_different_row_counts_are_rejected() -> None:
    with pytest.raises(ReadError, match=r"image-file 2, label-file 3") as caught:
        read(formats.create(FORMAT), image=idx(8, (2, 1), b"12"), label=idx(8, (3,), b"123"))
    assert caught.value.exit_code == 9


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_trailing_bytes_are_rejected(rows: int) -> None:
    with pytest.raises(ReadError, match=r"x-file: .* more follow"):
        read(formats.create(FORMAT), x=idx(8, (rows, 2), bytes(2 * rows + 1)))


def test_file_without_rows_is_valid() -> None:
    assert read(formats.create(FORMAT), x=idx(8, (0, 28, 28), b"")) == []


def test_two_files_for_one_part_are_rejected() -> None:
    files = [MemoryFile("one", idx(8, (1,), b"1")), MemoryFile("two", idx(8, (1,), b"2"))]
    with pytest.raises(ReadError, match="one, two"):
        list(formats.create(FORMAT).read({"x": files}))


LYING = {
    "four billion rows": idx(8, (2**32 - 1, 28, 28), bytes(100)),
    "four billion numbers": idx(14, (2**32 - 1,), bytes(100)),
    "a row of 200 MB": idx(8, (2**32 - 1, 200_000_000), bytes(100)),
    "a gigantic row": idx(8, (1, 2**32 - 1, 2**32 - 1, 2**32 - 1), bytes(100)),
    "rows without values": idx(8, (2**32 - 1, 0), b""),
    "a dimension without length": idx(8, (2, 2**32 - 1, 0, 5), b""),
    "255 dimensions": idx(8, (1,) * 255, b"\1"),
    "33 dimensions": idx(8, (1,) * 33, b"\1"),
    "no dimension": idx(8, (), b"\1"),
    "half a header": idx(8, (1, 2, 3), b"")[:9],
    "an unknown type": idx(0x0A, (1,), b"\1"),
}


@pytest.mark.parametrize("kind", LYING)
def test_false_idx_header_takes_little_memory(kind: str) -> None:
    reader = formats.create(FORMAT)
    tracemalloc.start()
    try:
        with pytest.raises(ReadError, match="x-file"):
            read(reader, x=LYING[kind])
        assert tracemalloc.get_traced_memory()[1] < 256 << 20
    finally:
        tracemalloc.stop()


valid_files = st.builds(
    lambda code, shape, seed: idx(
        code,
        shape,
        np.random.default_rng(seed).bytes(prod(shape) * np.dtype(CODES[code]).itemsize),
    ),
    st.sampled_from(list(CODES)),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(0, 99),
)


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """Draw a valid file and change a few bytes, mostly in its header."""
    data = bytearray(draw(valid_files))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.one_of(st.integers(0, 20), st.integers(0, 700))) % len(data)
        match draw(st.sampled_from(["change", "drop", "insert", "cut", "append"])):
            case "change":
                data[at] = draw(st.integers(0, 255))
            case "drop" if len(data) > 1:
                del data[at]
            case "insert":
                data.insert(at, draw(st.integers(0, 3)))
            case "cut" if at:
                del data[at:]
            case _:
                data += draw(st.binary(min_size=1, max_size=9))
    return bytes(data)


@given(data=st.one_of(mutated_files(), st.binary(max_size=60)))
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    try:
        batches = read(formats.create(FORMAT), x=data)
    except ReadError as error:
        message = str(error)
    else:
        message = ""
    assert is_valid(data) == (not message)
    if message:
        assert message.startswith("x-file: ")
        return
    expected = parse_idx(data)
    assert sum(batch.num_rows for batch in batches) == len(expected)
    if batches:
        actual = array_of(pa.Table.from_batches(batches).column("x"))
        np.testing.assert_array_equal(actual, expected)


def test_compressed_file_is_read_and_verified(tmp_path: Path) -> None:
    """The checksum at the end of a gzip file is verified."""
    data = idx(8, (100, 2), bytes(range(200)))
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(data))
    with archives.open_files(path, title="images.gz") as files:
        (batch,) = formats.create(FORMAT).read({"x": files})
    np.testing.assert_array_equal(array_of(batch.column("x")), parse_idx(data))
    damaged = bytearray(gzip.compress(data))
    damaged[-8] ^= 1  # first byte of the CRC
    path.write_bytes(damaged)
    with (
        archives.open_files(path, title="images.gz") as files,
        pytest.raises(ReadError, match=r"images\.gz: it is damaged: "),
    ):
        list(formats.create(FORMAT).read({"x": files}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transpoes": ["image"]}, "transpoes"),
        ({"transpose": "image"}, "transpose"),
        ({"columns": ["a"]}, "columns"),
        ({"columns": {"x": [1]}}, "columns"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, object], message: str) -> None:
    with pytest.raises(ManifestError, match=r"splits\.train\.reader: format 'idx'") as caught:
        formats.create(FORMAT | options, place="splits.train.reader")
    assert message in str(caught.value)


def test_unknown_format_is_rejected() -> None:
    with pytest.raises(UnknownNameError, match="no format named 'idxx'") as caught:
        formats.create({"format": "idxx"})
    assert "idx" in caught.value.hint


@pytest.mark.parametrize(
    "column", [pa.array(["text"]), pa.array([2**40]), pa.array([1], pa.uint16())]
)
def test_unsupported_types_are_not_written(column: pa.Array) -> None:
    rows = pa.RecordBatch.from_pydict({"x": column})
    with pytest.raises(SchemaError, match="IDX"):
        formats.create(FORMAT).write(rows, {"x": MemoryOutput()})
