"""Read NumPy files and compare the rows with NumPy's."""

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import npz

NPY = {"format": "npz"}
NPZ = NPY | {"columns": {"image": "data", "label": "labels"}}
PLANAR = NPZ | {"shape": {"image": [3, 4, 5]}, "axes": {"image": [1, 2, 0]}}


def nested(array: np.ndarray) -> pa.Array:
    """Convert an array to rows of nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def npy(array: np.ndarray) -> bytes:
    """Save an array with NumPy."""
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def save_arrays(save: Callable[..., None] = np.savez, **arrays: np.ndarray) -> bytes:
    """Save several arrays with NumPy."""
    sink = io.BytesIO()
    save(sink, **arrays)
    return sink.getvalue()


def read(options: dict[str, Any], **parts: bytes) -> list[pa.RecordBatch]:
    """Read all batches of one file per part."""
    files = {name: [MemoryFile(f"{name}-file", data)] for name, data in parts.items()}
    return list(formats.create(options).read(files))


def column(batches: list[pa.RecordBatch], name: str) -> np.ndarray:
    """Convert a column of all batches to NumPy through Python values."""
    kind = batches[0].column(name).type
    while pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    values = [value for batch in batches for value in batch.column(name).to_pylist()]
    return np.array(values, kind.to_pandas_dtype())


class TestNpz(ReaderTests):
    """Several arrays per file, in several files, as in the downsampled versions of ImageNet."""

    parts: ClassVar = {"arrays": ("batch_1.npz", "batch_2.npz")}

    def reader(self) -> formats.Reader:
        return formats.create(PLANAR)

    def rows(self, count: int) -> pa.RecordBatch:
        image = np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), np.uint8)
        label = pa.array(np.arange(1, count + 1))
        return pa.RecordBatch.from_pydict({"image": nested(image), "label": label})


class TestNpy(TestNpz):
    """One array per file."""

    parts: ClassVar = {"image": ("x.npy",), "label": ("y.npy",)}

    def reader(self) -> formats.Reader:
        return formats.create(NPY)


class TestRowsLast(TestNpy):
    """Rows along the last axis are interleaved in the file."""

    def reader(self) -> formats.Reader:
        return formats.create(NPY | {"row_axis": {"image": 2}})


DTYPES = ["u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", ">f4", "<f8", "<f2", "?"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 2, 3), (2, 7, 3), (2, 3, 7), (1, 7, 4)])
def test_every_layout_matches_numpy(dtype: str, order: Any, shape: tuple[int, ...]) -> None:
    """Any axis can be the row axis, in C and Fortran order."""
    size = int(np.prod(shape))
    array = np.asarray(np.arange(size).reshape(shape) % 100, dtype, order=order)
    axis = shape.index(7)
    batches = read(NPY | {"row_axis": {"x": axis}}, x=npy(array))
    expected = npz.read({"x": [("", npy(array))]}, {"row_axis": {"x": axis}})["x"]
    actual = column(batches, "x")
    assert actual.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(actual, np.stack(expected))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_planar_images_are_transposed(save: Callable[..., None]) -> None:
    """Rows of planar RGB values become images of shape (n, n, 3), and labels still start at 1."""
    data = np.random.default_rng(0).integers(0, 256, (20, 60), np.uint8)
    content = save_arrays(save, data=data, labels=np.arange(1, 21), mean=np.zeros(60))
    batches = read(PLANAR, arrays=content)
    actual = column(batches, "image")
    assert all(
        actual[i, y, x, c] == data[i, 20 * c + 5 * y + x]
        for i in range(20)
        for y in range(4)
        for x in range(5)
        for c in range(3)
    )
    options = {name: value for name, value in PLANAR.items() if name != "format"}
    expected = npz.read({"arrays": [("", content)]}, options)
    np.testing.assert_array_equal(actual, np.stack(expected["image"]))
    assert column(batches, "label").tolist() == expected["label"]


def test_files_follow_one_another() -> None:
    contents = [save_arrays(data=np.full((n, 2), n), labels=np.arange(n)) for n in (3, 1, 2)]
    files = [MemoryFile(f"file-{i}", data) for i, data in enumerate(contents)]
    batches = list(formats.create(NPZ).read({"arrays": files}))
    assert column(batches, "label").tolist() == [0, 1, 2, 0, 0, 1]
    assert column(batches, "image")[:, 0].tolist() == [3, 3, 3, 1, 2, 2]


@pytest.mark.slow
def test_large_array_is_streamed() -> None:
    """Batches of a 100 MB array stay small."""
    content = save_arrays(data=np.zeros((100, 1 << 20), np.uint8), labels=np.arange(100))
    tracemalloc.start()
    try:
        for batch in formats.create(NPZ).read({"arrays": [MemoryFile("f", content)]}):
            assert batch.nbytes < 16 << 20
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()


def with_header(text: str, values: bytes = b"", version: int = 1) -> bytes:
    """Build an npy file with the given header."""
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1") + values


SANE = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"


@pytest.mark.parametrize(
    "header",
    [
        SANE,
        SANE.replace(", }", "}"),
        SANE.replace("2, 3", "2L, 3L"),
        SANE.replace("2, 3", "2,3,"),
        SANE.replace("'", '"'),
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '|u1'}   \n",
        "  " + SANE + " " * 100 + "\n",
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_header_variants_are_read(header: str, version: int) -> None:
    """Spaces, quotes, item order and the L suffix of Python 2 do not matter."""
    (batch,) = read(NPY, x=with_header(header, b"abcdef", version))
    assert batch.column("x").to_pylist() == [[97, 98, 99], [100, 101, 102]]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (SANE.replace("'|u1'", "'|O'"), "its dtype is '|O', but only numbers"),
        (SANE.replace("'|u1'", "'<c16'"), "its dtype is '<c16'"),
        (SANE.replace("'|u1'", "[('a', '|u1')]"), "its header is malformed"),
        (SANE.replace("'|u1'", "__import__('os').system('true')"), "its header is malformed"),
        (SANE.replace("2, 3", "2, -3"), "its header is malformed"),
        (SANE.replace("2, 3", "2 3"), "its header is malformed"),
        (SANE.replace("(2, 3)", "6"), "its header is malformed"),
        (SANE.replace("2, 3", "9" * 5000), "its header is malformed"),
        (SANE.replace("2, 3", "9" * 18 + ","), "unpacks to more than"),
        (SANE.replace("2, 3", "1, " + "9" * 18), "its shape 1x999999999999999999 has rows"),
        (SANE.replace("2, 3", "999999999999999999, 0"), "has rows of 0 bytes"),
        (SANE.replace("2, 3", ""), "has no axis 0"),
        (SANE.replace("2, 3", "1, " * 33), "has no axis 0"),
        (SANE.replace("2, 3", "2, 2"), "promises 4 bytes of data, but more follow"),
        (SANE.replace("2, 3", "2, 4"), "promises 8 bytes of data, but 6 follow"),
        (SANE.replace("'shape'", "'shapes'"), "its header is malformed"),
        ("(" * 60_000, "its header is malformed"),
        ("{" * 60_000 + "}", "its header is malformed"),
        ("", "its header is malformed"),
        ("{}", "its header is malformed"),
        ("\x93NUMPY", "its header is malformed"),
    ],
)
def test_false_npy_header_takes_little_memory(header: str, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((ReadError, UnsafeArchiveError), match="x-file: ") as caught:
            read(NPY, x=with_header(header, b"abcdef"))
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()
    assert message in str(caught.value)


def test_long_header_is_rejected() -> None:
    data = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{"
    with pytest.raises(ReadError, match="x-file: its header has 2,147,483,648 bytes"):
        read(NPY, x=data)


def test_objects_are_rejected() -> None:
    array = np.array([{"a": 1}, None], object)
    with pytest.raises(ReadError, match=r"x-file: its dtype is '\|O'"):
        read(NPY, x=npy(array))
    with pytest.raises(ReadError, match="arrays-file:data: its dtype is"):
        read(NPZ, arrays=save_arrays(data=array, labels=np.arange(2)))


def zipped(method: int = 0, **members: bytes) -> bytes:
    """Build a zip of npy members."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return sink.getvalue()


def test_damaged_npz_is_rejected() -> None:
    content = bytearray(save_arrays(data=np.arange(60).reshape(10, 6), labels=np.arange(10)))
    content[300] ^= 1
    with pytest.raises(
        ReadError, match=r"arrays-file: it cannot be read: Bad CRC-32 for file 'data\.npy'"
    ):
        read(NPZ, arrays=bytes(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            save_arrays(data=np.zeros((2, 1))),
            "arrays-file: it has 0 arrays named 'labels', not one; its arrays: data",
        ),
        (
            save_arrays(data=np.zeros((2, 1)), labels=np.arange(3)),
            "differ in length: .*data 2, .*labels 3",
        ),
        (zipped(data=b"", labels=npy(np.arange(2))), "arrays-file:data: it ends within its header"),
        (
            zipped(14, data=npy(np.arange(2)), labels=npy(np.arange(2))),
            "'data' uses a compression other than deflate",
        ),
        (npy(np.arange(3)), "arrays-file: it cannot be read: File is not a zip file"),
        (b"", "arrays-file: it cannot be read"),
        (b"PK\x05\x06" + bytes(18), "arrays-file: it has 0 arrays named 'data'"),
    ],
)
def test_invalid_npz_is_rejected(content: bytes, message: str) -> None:
    """The error names the file, the array and the existing arrays."""
    with pytest.raises(ReadError, match=message):
        read(NPZ, arrays=content)


def test_npz_without_columns_is_rejected() -> None:
    with pytest.raises(ReadError, match="the reader option `columns` must name its arrays"):
        read(NPY, x=save_arrays(data=np.arange(2)))


@pytest.mark.parametrize(
    "options",
    [
        {"shape": {"image": [3, 4, 4]}},
        {"axes": {"image": [1, 0]}},
        {"axes": {"image": [0, 0]}},
        {"axes": {"image": [7]}},
    ],
)
def test_mismatching_shape_is_rejected(options: dict[str, Any]) -> None:
    content = save_arrays(data=np.zeros((2, 60)), labels=np.arange(2))
    with pytest.raises(ReadError, match="arrays-file:data: its rows are 60, which the reader's"):
        read(NPZ | options, arrays=content)


@pytest.mark.parametrize("option", ["shape", "axes"])
def test_option_for_an_unknown_column_is_rejected(option: str) -> None:
    with pytest.raises(
        ReadError, match="a reader option names 'img', but there is only image, label"
    ):
        read(
            NPZ | {option: {"img": [1]}}, arrays=save_arrays(data=np.zeros(2), labels=np.arange(2))
        )


def test_parts_with_different_file_counts_are_rejected() -> None:
    """Files of images and files of labels are read in pairs."""
    one = MemoryFile("one", npy(np.arange(2)))
    with pytest.raises(
        ReadError, match=r"one, one, one: the parts have different numbers of files: x 2, y 1"
    ):
        list(formats.create(NPY).read({"x": [one, one], "y": [one]}))


def test_second_part_of_npz_files_is_rejected() -> None:
    content = save_arrays(data=np.zeros(2), labels=np.arange(2))
    with pytest.raises(ReadError, match="x, y: this format reads exactly one part, not 2"):
        read(NPZ, x=content, y=content)


def test_text_and_dates_are_read() -> None:
    """Exports of dshub have both."""
    dates = np.array(["2020-01-02", "NaT"], "M8[D]")
    sink = io.BytesIO()
    np.savez(sink, t=np.array(["pâté", ""]), d=dates)
    reader = formats.create({"format": "npz", "columns": {"t": "t", "d": "d"}})
    (batch,) = reader.read({"rows": [MemoryFile("x", sink.getvalue())]})
    assert batch["t"].to_pylist() == ["pâté", ""]
    assert batch["d"].to_pylist() == [dates[0].item(), None]
