"""Export TFRecord and read it with an independent reader and TensorFlow."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import NumberFeature
from dshub.errors import MissingExtraError
from dshub.export import export
from tests.exporting import Rows, Some, pixels, same, written
from tests.independent import tfrecord


def test_independent_reader_reads_tfrecord(some: Some, rows: Rows, tmp_path: Path) -> None:
    files = written(some(), "tfrecord", tmp_path)
    exported = [tfrecord.example(record) for path in files for record in tfrecord.records(path)]
    for row, expected in zip(exported, rows, strict=True):
        assert row["photo"] == [expected["photo"]]
        assert row["sound"] == [expected["sound"]]
        assert same(pixels(row["pixels"][0]), expected["pixels"][:, :, 0])
        assert row["text"] == [expected["text"].encode()]
        assert row["words"] == [text.encode() for text in expected["words"]]
        assert row["exact"] == [struct.pack("<d", expected["exact"])]
        assert np.array_equal(np.array(row["box"], np.float32), expected["box"].reshape(-1))
        for name in ("label", "count", "ratio"):
            assert row[name] == [expected[name]]
        for name in ("tokens", "tags"):
            assert row[name] == expected[name].tolist()


def test_tensorflow_reads_tfrecord(some: Some, rows: Rows, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    files = written(some(), "tfrecord", tmp_path)
    one = {
        name: tf.io.FixedLenFeature((), kind)
        for name, kind in {
            "photo": tf.string,
            "pixels": tf.string,
            "exact": tf.string,
            "text": tf.string,
            "label": tf.int64,
            "count": tf.int64,
            "ratio": tf.float32,
        }.items()
    }
    lists = {"tokens": tf.int64, "tags": tf.int64, "words": tf.string}
    features = one | {"box": tf.io.FixedLenFeature((2, 2), tf.float32)}
    features |= {name: tf.io.RaggedFeature(kind) for name, kind in lists.items()}
    batches = tf.data.TFRecordDataset([str(path) for path in files]).batch(100)
    (columns,) = (tf.io.parse_example(batch, features) for batch in batches)
    for i, row in enumerate(rows):
        assert np.array_equal(tf.io.decode_image(columns["photo"][i]), pixels(row["photo"]))
        assert np.array_equal(tf.io.decode_png(columns["pixels"][i]), row["pixels"])
        assert tf.io.decode_raw(columns["exact"][i], tf.float64)[0] == row["exact"]
        assert columns["text"][i].numpy().decode() == row["text"]
        assert np.array_equal(columns["box"][i], row["box"])
        assert [text.decode() for text in columns["words"][i].numpy()] == row["words"]
        for name in ("label", "count", "ratio"):
            assert columns[name][i].numpy() == row[name]
        for name in ("tokens", "tags"):
            assert np.array_equal(columns[name][i], row[name])


def test_long_records_have_right_checksums(tmp_path: Path) -> None:
    texts = ["x" * length for length in (0, 1, 3, 1000, 1023, 1024, 1025, 5000, 70001)]
    (path,) = written(Dataset.from_arrays({"t": texts}), "tfrecord", tmp_path, 1 << 30)
    exported = [tfrecord.example(record)["t"] for record in tfrecord.records(path)]
    assert exported == [[text.encode()] for text in texts]


def test_numbers_above_63_bits_are_refused(tmp_path: Path) -> None:
    numbers = np.array([0, 2**63 - 1], np.uint64)
    feature = {"n": NumberFeature(dtype="uint64")}
    (path,) = written(
        Dataset.from_arrays({"n": numbers}, features=feature), "tfrecord", tmp_path / "right"
    )
    assert [tfrecord.example(record)["n"] for record in tfrecord.records(path)] == [
        [0],
        [2**63 - 1],
    ]
    too_large = Dataset.from_arrays({"n": numbers + np.array([0, 1], np.uint64)}, features=feature)
    with pytest.raises(DshubError, match=r"column n holds integers above 2\*\*63 - 1"):
        written(too_large, "tfrecord", tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_missing_extra_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dshub\[tfrecord\]'"):
        written(Dataset.from_arrays({"t": ["a"]}), "tfrecord", tmp_path)
    assert not list(tmp_path.iterdir())


def test_nested_values_are_refused(tmp_path: Path) -> None:
    dataset = Dataset.from_arrays({"x": [{"a": 1}]})
    with pytest.raises(DshubError, match="column x holds nested values"):
        export({"train": dataset}, "tfrecord", tmp_path)
