"""Read MATLAB files and compare the rows with SciPy's."""

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import scipy.io

from dshub import formats
from dshub.errors import ManifestError, ReadError, UnsafeArchiveError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import mat

SVHN = {"format": "mat", "columns": {"image": "X", "label": "y"}, "row_axis": {"image": 3}}


def nested(array: np.ndarray) -> pa.Array:
    """Convert an array to rows of nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def save(variables: dict[str, Any], **options: Any) -> bytes:
    """Save variables with SciPy."""
    sink = io.BytesIO()
    scipy.io.savemat(sink, variables, **options)
    return sink.getvalue()


def read(columns: dict[str, Any], data: bytes, **options: Any) -> pa.Table:
    """Read all rows of a file."""
    reader = formats.create({"format": "mat", "columns": columns} | options)
    return pa.Table.from_batches(reader.read({"d": [MemoryFile("some-file", data)]}))


def element(kind: int, data: bytes, order: str = "<") -> bytes:
    """Build a data element of the MAT 5 format."""
    return struct.pack(f"{order}2I", kind, len(data)) + data + bytes(-len(data) % 8)


def variable(
    name: str, kind: int, shape: tuple[int, ...], values: bytes, order: str = "<"
) -> bytes:
    """Build a variable from its flags, shape, name and values."""
    inside = element(6, struct.pack(f"{order}2I", kind, 0), order)
    inside += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    inside += element(1, name.encode(), order) + values
    return struct.pack(f"{order}2I", 14, len(inside)) + inside


def compress(inside: bytes, order: str = "<") -> bytes:
    """Compress a variable."""
    data = zlib.compress(inside)
    return struct.pack(f"{order}2I", 15, len(data)) + data


def file(*variables: bytes, order: str = "<") -> bytes:
    """Build a file from variables."""
    head = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124)
    return head + struct.pack(f"{order}2H", 0x0100, 0x4D49) + b"".join(variables)


class TestSvhn(ReaderTests):
    """Images along the last axis, and labels in a matrix with one column."""

    parts: ClassVar = {"arrays": ("train_32x32.mat",)}

    def reader(self) -> formats.Reader:
        return formats.create(SVHN)

    def rows(self, count: int) -> pa.RecordBatch:
        image = np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), np.uint8)
        label = pa.array((np.arange(count) % 10 + 1).astype(np.uint8))
        return pa.RecordBatch.from_pydict({"image": nested(image), "label": label})


class TestTexts(ReaderTests):
    """Cells and structs of strings and numbers, in two files."""

    parts: ClassVar = {"lists": ("a.mat", "b.mat")}

    def reader(self) -> formats.Reader:
        columns = {"file": "files", "fname": "annotations.fname", "class": "annotations.class"}
        return formats.create({"format": "mat", "columns": columns | {"score": "score"}})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "file": pa.array([f"Ärmel/{i}.jpg" for i in range(count)]),
                "fname": pa.array(["" if i % 2 else "x" * (i % 9) for i in range(count)]),
                "class": pa.array(np.arange(count)),
                "score": pa.array(np.arange(count) / 8),
            }
        )


class TestSeveralVariables(ReaderTests):
    """A variable per split, as in Flowers-102."""

    parts: ClassVar = {"sets": ("setid.mat",)}

    def reader(self) -> formats.Reader:
        columns = {"id": ["trnid", "valid", "tstid"]}
        return formats.create({"format": "mat", "columns": columns, "variable": "set"})

    def rows(self, count: int) -> pa.RecordBatch:
        names = sorted(("trnid", "valid", "tstid")[i % 3] for i in range(count))
        names.sort(key=["trnid", "valid", "tstid"].index)
        ids = pa.array(np.arange(1, count + 1, dtype=np.uint16))
        return pa.RecordBatch.from_pydict({"id": ids, "set": pa.array(names)})


@pytest.mark.parametrize("compressed", [False, True])
def test_rows_on_the_last_axis_match_scipy(*, compressed: bool) -> None:
    """SVHN has images X of shape 32x32x3xN and labels y of shape Nx1."""
    x = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 3000), np.uint8)
    y = np.random.default_rng(1).integers(1, 11, (3000, 1)).astype(np.uint8)
    data = save({"X": x, "y": y}, do_compression=compressed)
    batches = list(formats.create(SVHN).read({"d": [MemoryFile("f", data)]}))
    assert len(batches) > 1
    options = {name: value for name, value in SVHN.items() if name != "format"}
    expected = mat.read({"d": [("", data)]}, options)
    values = [batch.column("image").flatten().flatten().flatten() for batch in batches]
    actual = np.concatenate([part.to_numpy() for part in values]).reshape(-1, 32, 32, 3)
    np.testing.assert_array_equal(actual, np.stack(expected["image"]))
    np.testing.assert_array_equal(actual, np.moveaxis(x, 3, 0))
    labels = [label for batch in batches for label in batch.column("label").to_pylist()]
    assert labels == expected["label"] == y[:, 0].tolist()


DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 1), (1, 7), (1, 1), (7, 2), (7, 2, 3), (1, 1, 7)])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_type_and_shape_is_read(
    dtype: str, shape: tuple[int, ...], *, compressed: bool
) -> None:
    """An array with a single row or column has one value per row."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    actual = read({"x": "x"}, save({"x": array}, do_compression=compressed)).column("x")
    expected = array.reshape(-1) if max(shape) == np.prod(shape) else array
    assert actual.to_pylist() == expected.tolist()
    kind = actual.type
    while pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    assert kind == pa.from_numpy_dtype(np.dtype(dtype))


def test_numbers_keep_the_type_of_the_file() -> None:
    """MATLAB stores small whole numbers of type double as bytes."""
    short = struct.pack("<2H", 2, 3) + b"\1\2\3\0"
    table = read({"x": "x"}, file(variable("x", 6, (1, 3), short)))
    assert table.column("x").to_pylist() == [1, 2, 3]
    assert table.column("x").type == pa.uint8()
    assert scipy.io.loadmat(io.BytesIO(file(variable("x", 6, (1, 3), short))))["x"].tolist() == [
        [1, 2, 3]
    ]


def test_big_endian_file_is_read() -> None:
    """Two letters in the header show the byte order."""
    values = element(3, struct.pack(">3h", 1, -2, 300), ">")
    data = file(compress(variable("x", 10, (3, 1), values, ">"), ">"), order=">")
    assert read({"x": "x"}, data).column("x").to_pylist() == [1, -2, 300]
    assert scipy.io.loadmat(io.BytesIO(data))["x"].tolist() == [[1], [-2], [300]]


@pytest.mark.parametrize("compressed", [False, True])
def test_cells_and_structs_match_scipy(*, compressed: bool) -> None:
    """Stanford Dogs has cells of file names, and Stanford Cars has structs of annotations."""
    names = np.empty((3, 1), object)
    names[:, 0] = ["n02085620-Chihuahua/n02085620_5927.jpg", "é", ""]
    kind = [("bbox_x1", object), ("class", object), ("fname", object)]
    cars = np.array([[(30, 14, "00001.jpg"), (-1, 3, "00002.jpg"), (1.5, 2, "x")]], kind)
    labels = np.array([[1.0], [1.0], [120.0]])
    data = save(
        {"file_list": names, "labels": labels, "annotations": cars}, do_compression=compressed
    )
    columns = {
        "file": "file_list",
        "label": "labels",
        "left": "annotations.bbox_x1",
        "name": "annotations.fname",
    }
    actual = read(columns, data).to_pydict()
    assert actual == mat.read({"d": [("", data)]}, {"columns": columns})
    assert actual["file"] == names[:, 0].tolist()
    assert actual["left"] == [30, -1, 1.5]


def test_matrix_of_characters_is_read_by_row() -> None:
    data = save({"x": np.array(["abc", "déf"])})
    assert read({"x": "x"}, data).column("x").to_pylist() == ["abc", "déf"]


def test_several_variables_become_one_column() -> None:
    ids = {"trnid": [6765, 6755], "valid": [6773], "tstid": [6734, 6735, 6737]}
    data = save({name: np.array([values], np.uint16) for name, values in ids.items()})
    options: dict[str, Any] = {"columns": {"id": list(ids)}, "variable": "set"}
    actual = read(options["columns"], data, variable="set").to_pydict()
    assert actual == mat.read({"d": [("", data)]}, options)
    assert actual["id"] == [6765, 6755, 6773, 6734, 6735, 6737]
    assert actual["set"] == ["trnid"] * 2 + ["valid"] + ["tstid"] * 3


@pytest.mark.parametrize("begin", [b"MATLAB 7.3 MAT-file, Platform: GLNXA64", b"\x89HDF\r\n\x1a\n"])
def test_level_7_3_is_rejected(begin: bytes) -> None:
    """The error names HDF5 instead of reporting damage."""
    with pytest.raises(ReadError, match=r"some-file: it is a MATLAB 7\.3 file \(HDF5\)"):
        read({"x": "x"}, begin.ljust(600, b"\0"))


BYTES = element(2, b"\1\2\3")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MATLAB 5.0 MAT-file".ljust(128), "it is not a MATLAB level 5 file"),
        (file(), "it has no variable 'x'; its variables are: none"),
        (save({"y": 1, "z": 2}), "it has no variable 'x'; its variables are: y, z"),
        (file(variable("x", 9, (3, 1), BYTES), b"\1"), "it is truncated"),
        (file(variable("x", 9, (3, 1), BYTES) * 2), "it has two variables named 'x'"),
        (file(variable("x", 9, (3, 1), BYTES) + element(2, b"12345678")), "an element has type 2"),
        (file(variable("x", 9, (4, 1), BYTES)), "x has shape 4x1, but 3 bytes"),
        (file(variable("x", 9, (3,), BYTES)), "1 int32, not at least 2 integers"),
        (file(variable("x", 9, (-3, 1), BYTES)), "lengths from -3"),
        (file(variable("x", 9, (1,) * 40, element(2, b"1"))), "a variable has 40 dimensions"),
        (file(variable("x", 9 | 0x0800, (3, 1), BYTES * 2)), "neither real numbers nor text"),
        (save({"x": scipy.sparse.eye(3, format="csc")}), "x has neither real numbers nor text"),
        (save({"x": np.array([[1 + 2j]])}), "x has neither real numbers nor text"),
        (save({"x": np.zeros((0, 0))}), "its shape 0x0 has rows of 0 bytes"),
        (save({"x": [["a", [1, 2]]]}), "a cell or field contains something other"),
        (
            file(compress(variable("x", 9, (3, 1), BYTES) + b"more")),
            "more bytes follow the compressed variable",
        ),
        (file(compress(variable("x", 9, (3, 1), BYTES))[:-2] + b"\0\0"), "incorrect data check"),
        (file(struct.pack("<2I", 15, 4) + b"1234"), "compressed data is damaged"),
        (file(compress(element(2, b"12345678"))), "a compressed element has type 2"),
        (
            file(variable("x", 4, (1, 3), element(16, b"\xff\xfe\xfd"))),
            "a string cannot be decoded",
        ),
        (file(variable("x", 4, (1, 9), element(16, b"abc"))), "shape 1x9 has 3 characters"),
        (file(variable("x", 1, (2**30, 2**30), b"")), "x has fewer than"),
        (
            file(variable("x", 1, (1 << 21, 1), bytes(8 << 21))),
            "x has more than 1,048,576 values",
        ),
        (file(variable("x", 1, (2, 1), variable("", 4, (1, 1), element(16, b"a")))), "truncated"),
    ],
    ids=range(24),
)
def test_invalid_file_is_rejected(data: bytes, message: str) -> None:
    with pytest.raises(ReadError, match="some-file") as caught:
        read({"x": "x"}, data)
    assert message in str(caught.value)


def test_many_cells_are_read_fast() -> None:
    cell = variable("n" * 100, 4, (1, 2), element(16, b"ab"))
    cells = variable("x", 1, (20_000, 1), cell * 20_000)
    began = time.process_time()
    for data in (file(cells), file(compress(cells))):
        assert read({"x": "x"}, data)["x"].to_pylist() == ["ab"] * 20_000
    assert time.process_time() - began < 1.5


def test_unknown_field_is_rejected() -> None:
    """The error lists the existing fields."""
    data = save({"s": {"a": 1, "b": "x"}, "n": 3})
    with pytest.raises(ReadError, match="s has no field 'c', only: a, b"):
        read({"x": "s.c"}, data)
    with pytest.raises(ReadError, match="s has no field '', only: a, b"):
        read({"x": "s"}, data)
    with pytest.raises(ReadError, match="n is not a struct with a field 'a'"):
        read({"x": "n.a"}, data)


def test_columns_with_different_row_counts_are_rejected() -> None:
    data = save({"x": np.arange(3), "y": np.arange(4)})
    with pytest.raises(ReadError, match="differ in length: some-file:x 3, some-file:y 4"):
        read({"x": "x", "y": "y"}, data)


def test_unknown_axis_is_rejected() -> None:
    data = save({"x": np.zeros((2, 3))})
    with pytest.raises(ReadError, match="some-file:x: its shape 2x3 has no axis 3"):
        read({"x": "x"}, data, row_axis={"x": 3})


def deep_cells(levels: int) -> bytes:
    """Build cells that are nested too deeply for a recursive parser."""
    begin = element(6, struct.pack("<2I", 1, 0)) + element(5, struct.pack("<2i", 1, 1))
    begin += element(1, b"x")
    inside = b""
    heads = []
    size = 0
    for _ in range(levels):
        size += len(begin)
        heads.append(struct.pack("<2I", 14, size) + begin)
        size += 8
    return file(compress(b"".join(reversed(heads)) + inside))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "cells a hundred thousand deep": lambda: deep_cells(100_000),
    "an element of 4 GB": lambda: file(struct.pack("<2I", 14, 2**32 - 1) + bytes(100)),
    "4 GB of numbers": lambda: file(
        variable("x", 9, (2**31 - 1, 2), struct.pack("<2I", 2, 2**32 - 2))
    ),
    "4 GB of text": lambda: file(
        variable("x", 4, (1, 2**31 - 1), struct.pack("<2I", 16, 2**32 - 1))
    ),
    "a name of 4 GB": lambda: file(
        struct.pack("<2I", 14, 100)
        + element(6, bytes([9] + [0] * 7))
        + element(5, struct.pack("<2i", 1, 1))
        + struct.pack("<2I", 1, 2**32 - 1)
    ),
    "a bomb": lambda: file(
        compress(variable("x", 4, (1, 300 << 20), element(16, bytes(300 << 20))))
    ),
    "a bomb of fields": lambda: file(
        compress(
            variable(
                "x",
                2,
                (2**15, 2**15),
                struct.pack("<HHi", 5, 4, 1) + element(1, b"abcdefgh") + bytes(20 << 20),
            )
        )
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_mat_file_takes_little_memory(kind: str) -> None:
    data = HOSTILE[kind]()
    tracemalloc.start()
    try:
        with pytest.raises((ReadError, UnsafeArchiveError), match="some-file"):
            read({"x": "x"}, data)
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_large_variable_is_streamed() -> None:
    """Batches stay small for compressed and uncompressed files of 100 MB."""
    for compressed in (False, True):
        data = save({"x": np.zeros((100, 1 << 20), np.uint8).T}, do_compression=compressed)
        reader = formats.create({"format": "mat", "columns": {"x": "x"}, "row_axis": {"x": 1}})
        tracemalloc.start()
        try:
            for batch in reader.read({"d": [MemoryFile("f", data)]}):
                assert batch.nbytes < 16 << 20
            assert tracemalloc.get_traced_memory()[1] < 60 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("options", [{"row_axis": {"y": 0}}, {"columns": {"x": []}}])
def test_invalid_options_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match=r"`columns` must name|`row_axis` has names"):
        formats.create({"format": "mat", "columns": {"x": "x"}} | options)
