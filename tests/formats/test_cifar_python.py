"""Test reading CIFAR's pickles without running code from them."""

import collections
import os
import pickle
import pickletools
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import cifar_python

FORMAT = {"format": "cifar_python"}
CIFAR_100 = FORMAT | {
    "columns": {"fine_label": "fine_labels", "coarse_label": "coarse_labels", "file": "filenames"}
}


def nested(array: np.ndarray) -> pa.Array:
    """Convert an array to rows of nested fixed-size lists."""
    column = pa.array(array.reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def images(batches: list[pa.RecordBatch]) -> np.ndarray:
    """Return the column `image` of all batches, of shape (rows, 32, 32, 3)."""
    values = [batch.column("image").flatten().flatten().flatten() for batch in batches]
    return np.concatenate([part.to_numpy() for part in values]).reshape(-1, 32, 32, 3)


def read(data: bytes, options: dict[str, Any] | None = None) -> list[pa.RecordBatch]:
    """Read all batches of a file."""
    files = {"records": [MemoryFile("some-file", data)]}
    return list(formats.create(options or FORMAT).read(files))


def pickled_string(value: bytes) -> bytes:
    """Pickle a string as Python 2 does."""
    return b"T" + struct.pack("<i", len(value)) + value


def python_2_pickle(rows: int, dtype: bytes = b"u1", order: bytes = b"|") -> bytes:
    """Build a file as Python 2's cPickle writes it, with memoized values."""
    pixels = np.random.default_rng(0).bytes(rows * 3072)
    shape = b"K\x01M" + struct.pack("<H", rows) + b"M\x00\x0c\x86q\x07"
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87"
    array += b"Rq\x06(" + shape + b"cnumpy\ndtype\nq\x08U\x02" + dtype + b"q\x09K\x00K\x01\x87R"
    array += b"q\x0a(K\x03U\x01" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    array += pickled_string(pixels) + b"tb"
    labels = b"]q\x0e(" + b"".join(bytes([0x4B, i % 10]) for i in range(rows)) + b"e"
    begin = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x0fU\x04data"
    return begin + array + b"U\x06labelsq\x0d" + labels + b"u."


class TestCifar10Python(ReaderTests):
    parts: ClassVar = {"records": tuple(f"data_batch_{i}" for i in range(1, 6))}

    def reader(self) -> formats.Reader:
        return formats.create(FORMAT)

    def rows(self, count: int) -> pa.RecordBatch:
        image = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
        return pa.RecordBatch.from_pydict(
            {"image": nested(image), "label": pa.array(np.arange(count) % 10)}
        )


class TestCifar100Python(TestCifar10Python):
    parts: ClassVar = {"records": ("train",)}

    def reader(self) -> formats.Reader:
        return formats.create(CIFAR_100)

    def rows(self, count: int) -> pa.RecordBatch:
        rows = super().rows(count).rename_columns(["image", "fine_label"])
        rows = rows.append_column("coarse_label", pa.array(np.arange(count) * -1000))
        names = [f"bos_taurus_s_{i:06}.png" for i in range(count - 1)] + ["x" * 300]
        return rows.append_column("file", pa.array(names))


def test_pickle_of_python_2_matches_unpickling() -> None:
    data = python_2_pickle(700)
    expected = cifar_python.read({"records": [("", data)]}, {})
    batches = read(data)
    np.testing.assert_array_equal(images(batches), np.stack(expected["image"]))
    table = pa.Table.from_batches(batches)
    assert table.column("label").to_pylist() == expected["label"]


def test_pixels_have_the_order_of_the_format() -> None:
    """Value (y, x, c) of an image is value 1024 c + 32 y + x of its array row."""
    (image,) = images(read(python_2_pickle(1)))
    pixels = np.random.default_rng(0).bytes(3072)
    assert all(
        image[y, x, c] == pixels[1024 * c + 32 * y + x]
        for y in range(32)
        for x in range(32)
        for c in range(3)
    )


HOSTILE = {
    "a command": b"cos\nsystem\n(S'echo >{path}'\ntR.",
    "a command, protocol 2": b"\x80\x02cposix\nsystem\nU\x10touch {path}\x85R.",
    "a command within the dictionary": b"\x80\x02}(U\x04datacos\nsystem\nU\x10touch {path}\x85Ru.",
    "builtins": b'cbuiltins\nexec\n(S\'open("{path}", "w")\'\ntR.',
    "a name that looks like NumPy's": b"cnumpy.core.multiarray\nfromfile\n(S'{path}'\ntR.",
    "NumPy's own functions": b"cnumpy\nload\n(S'{path}'\ntR.",
    "an attribute of NumPy's": b"cnumpy\nos.system\n(S'{path}'\ntR.",
    "an object": b"(ios\nsystem\n(S'touch {path}'\n.",
    "an object of a class": b"\x80\x02cpathlib\nPath\n)\x81.",
    "an array by hand": b"\x80\x02cnumpy\nndarray\nK\x01\x85R.",
    "a stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent object": b"Pid\n.",
    "an array of objects": b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|tb.",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickle_runs_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("the pickle ran code"))
    monkeypatch.setattr(np, "load", lambda *_: pytest.fail("the pickle ran code"))
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("the file was unpickled"))
    with pytest.raises(ReadError, match="some-file: it is not a pickle of arrays: "):
        read(HOSTILE[kind].replace(b"{path}", str(trap).encode()))
    assert not trap.exists()


def test_pickled_objects_are_rejected() -> None:
    for value in (collections.OrderedDict(a=1), Path("x"), {1, 2}, complex(1, 2), range(3)):
        with pytest.raises(ReadError, match="some-file"):
            read(pickle.dumps({b"data": value}, 2))


DTYPE = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
STATE = b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02" + STATE + b"q\x000" + DTYPE + b"q\x01" + b"h\x00b" * 100_000 + b".",
        b"\x80\x02]"
        + b"".join(b"r" + struct.pack("<I", i) for i in range(40_000))
        + b"0"
        + DTYPE
        + (STATE + b"b") * 5_000
        + b".",
        b"\x80\x02}K\x01q\x00" + b"h\x00\x86q\x00" * 60 + b"K\x01s.",
        b"\x80\x02}K\x01q\x00"
        + b"".join(b"h\x00h\x00h\x00\x87q\x00" for _ in range(60))
        + b"K\x01s.",
        b"\x80\x02}K\x01" + b"\x85" * 500_000 + b"K\x01s.",
        b"\x80\x02" + b"(" * 500_000 + b"t" * 500_000 + b".",
        b"\x80\x02]" + b"]a" * 1_000 + b".",
        b"(" + b"l" * 500_000 + b".",
        b"\x80\x02\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20) + b".",
    ],
    ids=range(9),
)
def test_small_hostile_pickle_is_rejected_fast(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ReadError, match="some-file"):
        read(data)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02T\xff\xff\xff\x7f" + b"x" * 100,
        b"\x80\x02X\xff\xff\xff\xff" + b"x" * 100,
        b"\x80\x02T\xff\xff\xff\xff" + b"x" * 100,
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02]p999999999999\n.",
        b"]" * 10_000_000,
        b"}q\x00" * 10_000_000,
        b"I" + b"9" * 40_000_000 + b"\n.",
        b"c" + b"n" * 40_000_000,
        b"\x80\x02]q\x00" + b"h\x00a" * 10_000_000 + b".",
    ],
    ids=range(10),
)
def test_hostile_pickle_takes_little_memory(data: bytes) -> None:
    """False lengths, large memo indices and millions of small values are rejected early."""
    tracemalloc.start()
    try:
        with pytest.raises(ReadError, match="some-file"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 400 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickle.dumps([1, 2], 2), "no uint8 array 'data'"),
        (pickle.dumps({b"data": [1]}, 0).replace(b"\x80\x00", b""), "some-file"),
        (python_2_pickle(3, b"i1"), "an array is not uint8"),
        (python_2_pickle(3).replace(b"M\x00\x0c\x86", b"M\x00\x06\x86"), "cannot reshape"),
        (python_2_pickle(3, b"O8"), "an array is not uint8"),
        (python_2_pickle(3)[:-1], "exhausted"),
        (python_2_pickle(3) + b"x", "bytes follow its end"),
        (python_2_pickle(3).replace(b"]q\x0e(K\x00", b"]q\x0e("), "has 2 values for 3 images"),
        (
            python_2_pickle(3).replace(b"K\x00K\x01K\x02e", b"K\x00K\x01Ne"),
            "does not contain only integers",
        ),
        (
            python_2_pickle(3).replace(b"U\x06labels", b"U\x06lebals"),
            "no list 'labels', only batch_label",
        ),
        (python_2_pickle(3).replace(b"labelsq\x0d]", b"labelsq\x0d}"), "some-file"),
    ],
    ids=range(11),
)
def test_pickle_with_other_content_is_rejected(data: bytes, message: str) -> None:
    with pytest.raises(ReadError, match="some-file: ") as caught:
        read(data)
    assert message in str(caught.value)


def test_file_name_that_is_not_utf_8_is_rejected() -> None:
    data = python_2_pickle(1).replace(b"K\x00e", pickled_string(b"\xff") + b"e")
    with pytest.raises(ReadError, match=r"some-file: its list 'labels': .*utf-8"):
        read(data)


def test_writer_uses_protocol_2() -> None:
    written = TestCifar100Python().written(3)["records"]["train"]
    assert max(code.proto for code, _, _ in pickletools.genops(written)) <= 2
    assert set(pickle.loads(written, encoding="bytes")) == {
        b"data",
        b"fine_labels",
        b"coarse_labels",
        b"filenames",
    }
