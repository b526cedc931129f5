"""Read WebDataset shards, and compare the samples with those of a loop over the tar."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import archives, formats
from dshub.catalog.features import ListFeature, NumberFeature
from dshub.errors import ManifestError, ReadError
from dshub.tables.conforming import conform
from dshub.testing.readers import MemoryFile, ReaderTests

FORMAT = {"format": "webdataset"}


def read(
    columns: Mapping[str, Any], files: Mapping[str, bytes], **options: Any
) -> dict[str, list[Any]]:
    """Read members of one shard."""
    members = [MemoryFile(f"a.tar:{name}", data, name) for name, data in files.items()]
    reader = formats.create({**FORMAT, "columns": columns, **options})
    return pa.Table.from_batches(reader.read({"samples": members})).to_pydict()


def npy(values: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, values)
    return sink.getvalue()


class TestSuite(ReaderTests):
    """Any bytes can be an image, so damage cannot be detected."""

    parts: ClassVar = {"samples": ("*",)}
    detects_damage = False

    def reader(self) -> formats.Reader:
        columns = {
            "key": "__key__",
            "image": ["jpg", "png"],
            "label": "cls",
            "text": "txt",
            "box": "box.npy",
            "tokens": "tokens.npy",
            "score": "json:score",
            "people": "json:people",
        }
        return formats.create({**FORMAT, "columns": columns, "shape": {"box": [2, 2]}})

    def rows(self, count: int) -> pa.RecordBatch:
        boxes = formats.nested(np.arange(4 * count, dtype=np.float32).reshape(count, 2, 2))
        return pa.RecordBatch.from_pydict(
            {
                "key": [f"{i:05d}" for i in range(count)],
                "image": pa.array([b"\xff\xd8\xff" + bytes(i % 9) for i in range(count)]),
                "label": list(range(count)),
                "text": [f"pâté {i}\n" for i in range(count)],
                "box": boxes,
                "tokens": pa.array([[1, 2, 3][: i % 4] for i in range(1, count + 1)]),
                "score": [i / 3 for i in range(count)],
                "people": [[{"name": "Bo", "age": i}] for i in range(count)],
            }
        )


def test_sample_lacking_a_file_has_a_missing_value() -> None:
    files = {"1.jpg": b"a", "1.txt": b"one", "2.jpg": b"b", "3.txt": b"three", "3.json": b"{}"}
    assert read({"image": "jpg", "text": "txt", "n": "json:n"}, files) == {
        "image": [b"a", b"b", None],
        "text": ["one", None, "three"],
        "n": [None, None, None],
    }


def test_ending_begins_at_the_first_dot_of_the_name() -> None:
    """Keys can have folders with dots, as the package webdataset allows."""
    files = {"v1.0/a/7.jpg": b"a", "v1.0/a/7.seg.png": b"s", "v1.0/a/7.SEG2.PNG": b"t"}
    columns = {"key": "__key__", "image": "jpg", "mask": "seg.png", "second": "seg2.png"}
    expected = {"key": ["v1.0/a/7"], "image": [b"a"], "mask": [b"s"], "second": [b"t"]}
    assert read(columns, files) == expected


def test_files_without_a_sample_are_ignored() -> None:
    files = {
        "README": b"",
        ".DS_Store": b"",
        "._1.jpg": b"",
        "__info__/1.json": b"{}",
        "x/.hidden.jpg": b"",
        "1.jpg": b"a",
    }
    assert read({"key": "__key__", "image": "jpg"}, files) == {"key": ["1"], "image": [b"a"]}


def test_equal_keys_of_two_shards_are_two_samples() -> None:
    members = [
        MemoryFile(f"{tar}.tar:1.{end}", tar.encode(), f"1.{end}")
        for tar in "ab"
        for end in ("jpg", "png")
    ]
    reader = formats.create({**FORMAT, "columns": {"x": "jpg"}})
    table = pa.Table.from_batches(reader.read({"samples": members}))
    assert table["x"].to_pylist() == [b"a", b"b"]


def test_two_files_with_one_ending_are_an_error() -> None:
    members = [MemoryFile("a.tar:1.jpg", b"", "1.jpg"), MemoryFile("a.tar:1.JPG", b"", "1.JPG")]
    reader = formats.create({**FORMAT, "columns": {"x": "jpg"}})
    with pytest.raises(ReadError, match=r"sample '1' has two files .jpg"):
        list(reader.read({"samples": members}))


@pytest.mark.parametrize("text", [b"3", b" 3\n", b"+3"])
def test_class_file_holds_a_number(text: bytes) -> None:
    assert read({"label": "cls"}, {"1.cls": text}) == {"label": [3]}


@pytest.mark.parametrize("text", [b"", b"cat", b"3.5", b"1 2", b"9" * 19, b"9" * 30, b"0x1"])
def test_class_file_with_other_text_is_an_error(text: bytes) -> None:
    with pytest.raises(ReadError, match=r"a.tar:1.cls"):
        read({"label": "cls"}, {"1.cls": text})


def test_stated_type_replaces_that_of_the_ending() -> None:
    files = {"1.cls": b"cat", "1.label": b"7"}
    types = {"name": "text", "n": "integer"}
    assert read({"name": "cls", "n": "label"}, files, types=types) == {"name": ["cat"], "n": [7]}


def test_json_file_is_a_struct_or_a_column_for_each_key() -> None:
    value = {"caption": "é", "size": [1, 2], "nested": {"a": None}}
    files = {"1.json": json.dumps(value).encode(), "2.json": b'{"caption": NaN}'}
    whole = read({"meta": "json"}, files)["meta"]
    assert whole[0] == value
    assert read({"c": "json:caption", "s": "json:size"}, files) == {
        "c": ["é", None],
        "s": [[1, 2], None],
    }


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": Infinity}',
        b"[1]",
        b'{"a": ' + b"9" * 30 + b"}",
        b"[" * 10**5,
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
    ],
)
def test_malformed_json_is_an_error(text: bytes) -> None:
    with pytest.raises(ReadError):
        read({"a": "json:a"}, {"1.json": text})


def test_arrays_of_different_lengths_are_lists() -> None:
    """Big-endian and Fortran-ordered arrays have the same values."""
    arrays = [np.array([[1, 2], [3, 4]], ">i2"), np.asfortranarray(np.arange(6).reshape(3, 2))]
    files = {f"{i}.npy": npy(array) for i, array in enumerate(arrays)}
    assert read({"x": "npy"}, files) == {"x": [array.tolist() for array in arrays]}


def test_arrays_conform_to_any_feature_of_their_values() -> None:
    files = {f"{i}.npy": npy(np.arange(4).reshape(2, 2)) for i in range(3)}
    members = [MemoryFile(f"a.tar:{name}", data, name) for name, data in files.items()]
    lists = formats.create({**FORMAT, "columns": {"x": "npy"}})
    fixed = formats.create({**FORMAT, "columns": {"x": "npy"}, "shape": {"x": [2, 2]}})
    number = NumberFeature(dtype="int64")
    for reader in (lists, fixed):
        (batch,) = reader.read({"samples": members})
        for feature in (
            NumberFeature(dtype="int32", shape=(2, 2)),
            ListFeature(of=ListFeature(of=number)),
        ):
            rows = conform(batch, {"x": feature}, where="x", first_row=0)
            assert rows["x"].to_pylist() == [[[0, 1], [2, 3]]] * 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        npy(np.arange(3))[:-1],
        npy(np.arange(3)) + b"x",
        npy(np.array(["a"])),
        npy(np.zeros(10)).replace(b"(10,), }", b"(10**13,)}"),
        npy(np.zeros(10)).replace(b"(10,), }      ", b"(9000000000,)}"),
    ],
)
def test_malformed_array_is_an_error(data: bytes) -> None:
    with pytest.raises(ReadError, match=r"a.tar:1.npy"):
        read({"x": "npy"}, {"1.npy": data})


def test_pickled_array_is_refused() -> None:
    sink = io.BytesIO()
    np.save(sink, np.array([{}, None]), allow_pickle=True)
    with pytest.raises(ReadError, match="only numbers"):
        read({"x": "npy"}, {"1.npy": sink.getvalue()})


def test_array_of_another_shape_is_an_error() -> None:
    with pytest.raises(ReadError, match="has the shape 3, not 2x2"):
        read({"x": "npy"}, {"1.npy": npy(np.arange(3))}, shape={"x": [2, 2]})


def test_shards_without_samples_are_an_error() -> None:
    with pytest.raises(ReadError, match="no file has a key"):
        read({"x": "jpg"}, {"README": b""})


def test_column_without_an_ending_is_refused() -> None:
    with pytest.raises(ManifestError, match="no ending"):
        formats.create({**FORMAT, "columns": {"x": ""}})


def test_compressed_members_of_a_tar_are_read(tmp_path: Path) -> None:
    """`.txt.gz` is common in shards."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in {"1.txt.gz": gzip.compress(b"one"), "1.cls": b"4"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    reader = formats.create({**FORMAT, "columns": {"text": "txt.gz", "label": "cls"}})
    with archives.open_files(path, title="a", member="*") as files:
        (batch,) = reader.read({"samples": files})
    assert batch.to_pydict() == {"text": ["one"], "label": [4]}
