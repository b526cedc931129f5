"""Read TFRecord files, and compare the rows with an independent parser."""

import gzip
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from dshub import archives, formats
from dshub.errors import ManifestError, ReadError
from dshub.formats.tfrecord.examples import encode
from dshub.formats.tfrecord.records import is_tfrecord
from dshub.testing.readers import MemoryFile, ReaderTests
from tests.independent import tfrecord as independent

FORMAT = {"format": "tfrecord"}


def record(data: bytes) -> bytes:
    """Return a record with its checksums."""
    length = struct.pack("<Q", len(data))
    sums = [struct.pack("<I", independent.masked(part)) for part in (length, data)]
    return length + sums[0] + data + sums[1]


def read(columns: dict[str, str], *examples: bytes, **options: Any) -> dict[str, list[Any]]:
    """Read records of one file."""
    file = MemoryFile("a.tfrecord", b"".join(map(record, examples)))
    reader = formats.create({**FORMAT, "columns": columns, **options})
    return pa.Table.from_batches(reader.read({"rows": [file]})).to_pydict()


class TestSuite(ReaderTests):
    """Features of every type."""

    parts: ClassVar = {"rows": ("",)}

    def reader(self) -> formats.Reader:
        names = ["image", "label", "text", "ratio", "exact", "box", "tokens", "words"]
        return formats.create(
            {
                **FORMAT,
                "columns": {name: f"x/{name}" for name in names},
                "types": {"text": "text", "words": "text", "exact": "float64"},
                "lists": ["tokens", "words"],
                "shape": {"box": [2, 2]},
            }
        )

    def rows(self, count: int) -> pa.RecordBatch:
        boxes = formats.nested(np.arange(4 * count, dtype=np.float32).reshape(count, 2, 2))
        return pa.RecordBatch.from_pydict(
            {
                "image": pa.array([b"\xff\xd8\xff" + bytes(i % 9) for i in range(count)]),
                "label": [(-1) ** i * 2 ** (i % 63) for i in range(count)],
                "text": [f"pâté {i}\n" for i in range(count)],
                "ratio": pa.array([i / 3 for i in range(count)], pa.float32()),
                "exact": [i / 3 for i in range(count)],
                "box": boxes,
                "tokens": pa.array([[1, 300, -3][: i % 4] for i in range(1, count + 1)]),
                "words": pa.array([["a", "é"][: i % 3] for i in range(1, count + 1)]),
            }
        )


def test_written_file_holds_the_values_for_an_independent_parser(tmp_path: Path) -> None:
    (content,) = TestSuite().written(3)["rows"].values()
    path = tmp_path / "a.tfrecord"
    path.write_bytes(content)
    rows = [independent.example(data) for data in independent.records(path)]
    assert [row["x/label"] for row in rows] == [[1], [-2], [4]]
    assert rows[2]["x/tokens"] == [1, 300, -3]
    assert rows[1]["x/words"] == [b"a", "é".encode()]


def test_integers_and_floats_in_fields_of_their_own_are_read() -> None:
    """Writers of protobuf version 2 do not pack lists."""
    ints = b"\x1a\x04" + b"\x08\x05\x08\x07"
    floats = b"\x12\x05" + b"\x0d" + struct.pack("<f", 1.5)

    def entry(name: bytes, feature: bytes) -> bytes:
        body = b"\x0a\x01" + name + b"\x12" + bytes([len(feature)]) + feature
        return b"\x0a" + bytes([len(body)]) + body

    features = entry(b"i", ints) + entry(b"f", floats)
    example = b"\x0a" + bytes([len(features)]) + features
    assert read({"i": "i", "f": "f"}, example, lists=["i"]) == {"i": [[5, 7]], "f": [1.5]}


def test_absent_and_empty_features_are_missing() -> None:
    examples = [encode({"a": b"x"}), encode({}), encode({"a": []})]
    assert read({"a": "a", "b": "b"}, *examples) == {"a": [b"x", None, None], "b": [None] * 3}
    lists = read({"a": "a"}, *examples, lists=["a"])
    assert lists == {"a": [[b"x"], None, []]}


def test_empty_list_fits_any_type() -> None:
    """Writers that do not know the type of an empty list write another one."""
    examples = [encode({"a": np.empty(0, np.int64)}), encode({"a": [b"x"]})]
    assert read({"a": "a"}, *examples, lists=["a"]) == {"a": [[], [b"x"]]}
    assert read({"a": "a"}, *examples, lists=["a"], types={"a": "text"}) == {"a": [[], ["x"]]}
    numbers = [encode({"a": []}), encode({"a": np.array([0.5])})]
    assert read({"a": "a"}, *numbers, lists=["a"]) == {"a": [[], [0.5]]}


def test_several_values_in_a_column_of_one_value_are_an_error() -> None:
    for value in (np.array([1, 2]), [b"a", b"b"]):
        with pytest.raises(ReadError, match=r"record 0: feature 'a'"):
            read({"a": "a"}, encode({"a": value}))


def test_types_that_differ_between_records_are_an_error() -> None:
    with pytest.raises(ReadError, match="column a"):
        read({"a": "a"}, encode({"a": b"x"}), encode({"a": np.array([1])}))


def test_text_that_is_not_utf_8_is_an_error() -> None:
    with pytest.raises(ReadError, match="not UTF-8"):
        read({"a": "a"}, encode({"a": b"\xff"}), types={"a": "text"})


def test_numbers_in_a_column_of_text_are_an_error() -> None:
    with pytest.raises(ReadError, match="holds numbers"):
        read({"a": "a"}, encode({"a": np.array([1])}), types={"a": "text"})


def test_sequence_example_is_named() -> None:
    with pytest.raises(ReadError, match="SequenceExample"):
        read({"a": "a"}, b"\x12\x00")


@pytest.mark.parametrize("place", [0, 9, 14, -1])
def test_wrong_checksum_is_an_error(place: int) -> None:
    data = bytearray(record(encode({"a": b"x"})))
    data[place] ^= 1
    reader = formats.create({**FORMAT, "columns": {"a": "a"}})
    with pytest.raises(ReadError, match="record 0, at byte 0"):
        list(reader.read({"rows": [MemoryFile("f", bytes(data))]}))


def test_compressed_file_is_read(tmp_path: Path) -> None:
    """TFRecordOptions("GZIP") compresses the whole file."""
    path = tmp_path / "a.tfrecord.gz"
    path.write_bytes(gzip.compress(record(encode({"a": b"x"}))))
    reader = formats.create({**FORMAT, "columns": {"a": "a"}})
    with archives.open_files(path, title="a") as files:
        (batch,) = reader.read({"rows": files})
    assert batch.to_pydict() == {"a": [b"x"]}


def test_tfrecord_is_recognized_by_its_first_checksum() -> None:
    data = record(b"abc")
    assert is_tfrecord(data)
    assert not is_tfrecord(b"\3" + bytes(30))
    assert not is_tfrecord(data[:11])


def test_lists_can_hold_arrays() -> None:
    examples = [encode({"a": np.arange(4)}), encode({"a": np.arange(2)}), encode({"a": []})]
    expected = {"a": [[[0, 1], [2, 3]], [[0, 1]], []]}
    assert read({"a": "a"}, *examples, lists=["a"], shape={"a": [2]}) == expected
    with pytest.raises(ReadError, match="has the shape 3, not 1x2"):
        read({"a": "a"}, encode({"a": np.arange(3)}), lists=["a"], shape={"a": [2]})


def test_shape_without_values_is_refused() -> None:
    with pytest.raises(ManifestError, match="positive lengths"):
        formats.create({**FORMAT, "columns": {"a": "a"}, "shape": {"a": [0]}})


def test_values_equal_those_of_tensorflow(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    feature = {
        "i": tf.train.Feature(int64_list=tf.train.Int64List(value=[-(2**63), 2**63 - 1, 0, 127])),
        "f": tf.train.Feature(float_list=tf.train.FloatList(value=[0.1, float("inf")])),
        "b": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"\0", b""])),
        "none": tf.train.Feature(),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(example.SerializeToString())
    reader = formats.create(
        {**FORMAT, "columns": dict(zip(*[feature] * 2, strict=True)), "lists": ["i", "f", "b"]}
    )
    with archives.open_files(Path(path), title="a") as files:
        (batch,) = reader.read({"rows": files})
    assert batch.to_pydict() == {
        "i": [[-(2**63), 2**63 - 1, 0, 127]],
        "f": [[float(np.float32(0.1)), float("inf")]],
        "b": [[b"\0", b""]],
        "none": [None],
    }
