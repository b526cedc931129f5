"""Read LIBSVM text and compare the rows with those of an independent reader."""

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub import formats
from dshub.errors import ManifestError, ReadError, SchemaError
from dshub.testing.readers import MemoryFile, MemoryOutput, ReaderTests
from tests.independent import libsvm

SMALL = {"format": "libsvm", "shape": [2, 2]}


def read(options: dict[str, Any], data: bytes) -> tuple[list[int], list[list[float]]]:
    """Read labels and flattened rows of values."""
    batches = list(formats.create(options).read({"rows": [MemoryFile("file", data)]}))
    labels = [label for batch in batches for label in batch.column("label").to_pylist()]
    values = [row for batch in batches for row in batch.column("values").to_pylist()]
    return labels, [np.array(row).reshape(-1).tolist() for row in values]


class TestNumbers(ReaderTests):
    """Values without scaling."""

    parts: ClassVar = {"rows": ("",)}
    detects_damage = False
    options: ClassVar[dict[str, Any]] = {}

    def reader(self) -> formats.Reader:
        return formats.create(SMALL | self.options)

    def values(self, count: int) -> np.ndarray:
        return np.random.default_rng(0).normal(size=count * 4)

    def rows(self, count: int) -> pa.RecordBatch:
        values = pa.array(self.values(count))
        for length in (2, 2):
            values = pa.FixedSizeListArray.from_arrays(values, length)
        return pa.RecordBatch.from_pydict(
            {"label": pa.array(range(-3, count - 3)), "values": values}
        )


class TestPixels(TestNumbers):
    """USPS stores the 256 values of a pixel as scaled floats."""

    options: ClassVar = {"scale": "uint8"}

    def values(self, count: int) -> np.ndarray:
        return np.arange(count * 4).astype(np.uint8)


class TestSeveralFiles(TestNumbers):
    parts: ClassVar = {"rows": ("one", "two", "three")}


LINES = {
    "spaces at the end": (b"3 1:0.5 2:-1 3:0 4:1 \n", [3], [[0.5, -1, 0, 1]]),
    "tabs, CRLF, empty lines": (b"\n1\t1:1\t2:2 3:3 4:4\r\n\r\n", [1], [[1, 2, 3, 4]]),
    "signs and powers": (b"-1 1:+1. 2:.5 3:-2e3 4:1E-2", [-1], [[1, 0.5, -2000, 0.01]]),
}


@pytest.mark.parametrize("kind", LINES)
def test_valid_lines_are_parsed(kind: str) -> None:
    data, labels, values = LINES[kind]
    assert read(SMALL, data) == (labels, values)
    columns = libsvm.read({"rows": [("", data)]}, SMALL)
    assert columns["label"] == labels
    np.testing.assert_array_equal(np.array(columns["values"]).reshape(-1, 4), values)


def test_missing_features_are_zero_only_if_sparse() -> None:
    data = b"1 2:5\n2\n"
    assert read(SMALL | {"sparse": True}, data) == ([1, 2], [[0, 5, 0, 0], [0, 0, 0, 0]])
    with pytest.raises(ReadError, match="file: line 1 does not have 4 features"):
        read(SMALL, data)


def test_pixels_are_truncated_as_torchvision_does() -> None:
    texts = [f"{i / 1000:.3f}" for i in range(-1000, 1001)]
    options = {"format": "libsvm", "shape": [len(texts)], "scale": "uint8"}
    line = " ".join(f"{i}:{text}" for i, text in enumerate(texts, 1))
    _, ((*actual,),) = read(options, f"7 {line}\n".encode())
    expected = ((np.asarray(texts, dtype=np.float32) + 1) / 2 * 255).astype(dtype=np.uint8)
    assert actual == expected.tolist()
    assert (actual[0], actual[1000], actual[2000]) == (0, 127, 255)


INVALID = {
    "an index twice": (b"1 1:1 1:2 2:1 3:1", "indices that do not ascend"),
    "indices that descend": (b"1 2:1 1:2 3:1 4:1", "indices that do not ascend"),
    "an index of 0": (b"1 0:1 1:1 2:1 3:1", "indices that do not ascend"),
    "an index too large": (b"1 1:1 2:1 3:1 5:1", "indices that do not ascend"),
    "a gigantic index": (b"1 99999999999999999999999:1", "is not"),
    "no label": (b"1:1 2:1 3:1 4:1", "is not"),
    "a fraction as label": (b"0.5 1:1 2:1 3:1 4:1", "is not"),
    "a word": (b"1 1:x 2:1 3:1 4:1", "is not"),
    "not a number": (b"1 1:nan 2:1 3:1 4:1", "is not"),
    "an underscore": (b"1 1:1_0 2:1 3:1 4:1", "is not"),
    "other digits": ("1 1:٣ 2:1 3:1 4:1".encode(), "is not"),
    "a comment": (b"1 1:1 2:1 3:1 4:1 # no", "is not"),
    "a number too large": (b"1 1:1e999 2:1 3:1 4:1", "too large"),
    "a page": (b"<!DOCTYPE html>", "is not"),
    "a long number": (b"1 1:" + b"1" * 1_000_000 + b"x", "is not"),
    "many spaces": (b"1 " + b" " * 1_000_000 + b"x", "is not"),
    "invalid UTF-8": (b"1 1:\xff", "byte 5, 0xff"),
}


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_line_is_rejected(kind: str) -> None:
    """The error names the file, the line and the problem."""
    data, message = INVALID[kind]
    with pytest.raises(ReadError, match=rf"^file: line 2\b.*{message}"):
        read(SMALL, b"1 1:1 2:1 3:1 4:1\n" + data + b"\n")


@pytest.mark.parametrize("value", ["1.001", "-1.5", "200"])
def test_values_out_of_range_are_rejected(value: str) -> None:
    data = f"1 1:0 2:0 3:0 4:{value}\n".encode()
    with pytest.raises(ReadError, match="file: line 1 has a number that is not between"):
        read(SMALL | {"scale": "uint8"}, data)


@given(
    data=st.lists(
        st.sampled_from(
            [b"1", b"2", b"3", b"4", b":", b" ", b"-", b".", b"e", b"\n", b"\0", b"\xff"]
        )
    ).map(b"".join)
)
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    options = SMALL | {"sparse": True}
    try:
        labels, values = read(options, data)
    except ReadError as error:
        assert str(error).startswith("file: line ")  # noqa: PT017  # or else rows
        return
    columns = libsvm.read({"rows": [("", data)]}, options)
    assert columns["label"] == labels
    assert [row.reshape(-1).tolist() for row in columns["values"]] == values


def test_rows_are_split_into_batches_in_order() -> None:
    line = " ".join(f"{i}:0" for i in range(1, 257))
    data = "".join(f"{i} {line}\n" for i in range(5000)).encode()
    options = {"format": "libsvm", "shape": [16, 16]}
    batches = list(formats.create(options).read({"rows": [MemoryFile("file", data)]}))
    assert len(batches) > 1
    assert pa.Table.from_batches(batches).column("label").to_pylist() == list(range(5000))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "shape"),
        ({"shape": []}, "shape"),
        ({"shape": [0]}, "shape"),
        ({"shape": [1 << 20, 1 << 20]}, "`shape` has more than"),
        ({"shape": [4], "scale": "int8"}, "scale"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        formats.create({"format": "libsvm"} | options)
    assert message in str(caught.value)


def test_second_part_is_rejected() -> None:
    files = {"a": [MemoryFile("one", b"")], "b": [MemoryFile("two", b"")]}
    with pytest.raises(ReadError, match="a, b"):
        list(formats.create(SMALL).read(files))


def test_rows_of_another_size_are_not_written() -> None:
    """The error states the number of values in a row."""
    rows = pa.RecordBatch.from_pydict({"label": [1], "values": [1.0]})
    with pytest.raises(SchemaError, match="4 values per row"):
        formats.create(SMALL).write(rows, {"rows": MemoryOutput()})
