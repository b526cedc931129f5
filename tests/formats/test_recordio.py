"""Read RecordIO files, and compare the records with an independent parser."""

import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import formats
from dshub.errors import ReadError
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import recordio as independent

MAGIC = independent.MAGIC


def packed(content: bytes, *labels: float, number: int = 0, flag: int = 0) -> bytes:
    """Return a record as `mxnet.recordio.pack` does."""
    header = struct.pack("<IfQQ", flag, 0.0 if flag else labels[0], number, 0)
    data = header + (np.array(labels, "<f4").tobytes() if flag else b"") + content
    return MAGIC + struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)


def read(*contents: bytes, **options: Any) -> dict[str, list[Any]]:
    file = MemoryFile("a.rec", b"".join(contents))
    reader = formats.create({"format": "recordio", **options})
    return pa.Table.from_batches(reader.read({"image": [file]})).to_pydict()


class TestClasses(ReaderTests):
    """Images with class numbers."""

    parts: ClassVar = {"image": ("",)}

    def reader(self) -> formats.Reader:
        return formats.create({"format": "recordio"})

    def rows(self, count: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                "image": pa.array([b"abc"[: i % 4] + MAGIC * (i % 3) for i in range(count)]),
                "label": pa.array(range(count), pa.int64()),
                "id": pa.array(range(count), pa.uint64()),
            }
        )


class TestTexts(TestClasses):
    """Texts with several labels."""

    parts: ClassVar = {"text": ("",)}

    def reader(self) -> formats.Reader:
        return formats.create({"format": "recordio", "text": True, "label": "list"})

    def rows(self, count: int) -> pa.RecordBatch:
        labels = [[0.5, 1.0, 2.0][: 1 + i % 3] for i in range(count)]
        return pa.RecordBatch.from_pydict(
            {
                "text": [f"pâté {i}" for i in range(count)],
                "label": pa.array(labels, pa.list_(pa.float32())),
                "id": pa.array(range(count), pa.uint64()),
            }
        )


def test_written_file_is_read_by_an_independent_parser(tmp_path: Path) -> None:
    suite = TestClasses()
    (content,) = suite.written(7)["image"].values()
    at, records = 0, []
    while at < len(content):
        label, number, data, at = independent.record(content, at)
        records.append({"image": data, "label": int(label), "id": number})
    assert records == suite.rows(7).to_pylist()


def test_records_of_im2rec_have_labels_and_identifiers() -> None:
    assert read(packed(b"a", 3, number=9), packed(b"b", 4, flag=1)) == {
        "image": [b"a", b"b"],
        "label": [3, 4],
        "id": [9, 0],
    }
    boxes = read(packed(b"a", 4, 5, 0.25, 0.5, flag=4), label="list")
    assert boxes["label"] == [[4, 5, 0.25, 0.5]]


def test_label_that_is_not_a_class_is_an_error() -> None:
    assert read(packed(b"", 0.5), label="number")["label"] == [0.5]
    with pytest.raises(ReadError, match=r"record 0 has the label 0.5") as caught:
        read(packed(b"", 0.5))
    assert 'label = "number"' in caught.value.hint
    with pytest.raises(ReadError, match=r"record 0 has 2 labels"):
        read(packed(b"", 1, 2, flag=2))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        MAGIC + struct.pack("<I", 3 << 29),
        MAGIC + struct.pack("<I", 1 << 29),
        MAGIC + struct.pack("<I", 5 << 29),
        MAGIC + struct.pack("<I", 4) + b"abcd",
        packed(b"", 1, flag=1 << 20),
        packed(b"a", 1)[:-1],
    ],
)
def test_malformed_record_is_an_error(data: bytes) -> None:
    with pytest.raises(ReadError):
        read(data)


def test_content_that_is_not_text_is_an_error() -> None:
    with pytest.raises(ReadError, match="not UTF-8"):
        read(packed(b"\xff", 0), text=True)
