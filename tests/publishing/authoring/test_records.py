"""Draft manifests for TFRecord and RecordIO files that other programs wrote."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub.catalog.features import (
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError
from dshub.formats.recordio import framed as framed_recordio
from dshub.formats.tfrecord.examples import encode
from tests.export.kinds import png
from tests.formats.test_recordio import packed
from tests.formats.test_tfrecord import record
from tests.publishing.authoring.conftest import New


def example(number: int, **others: Any) -> bytes:
    """Return a record as TFDS writes it."""
    values = {
        "image/encoded": png(number),
        "label": np.array([number % 2]),
        "caption": f"pâté {number}".encode(),
        "box": np.array([0, 0.5, 1, number], np.float32),
        "tokens": np.arange(number),
        "words": [b"a", "é".encode()][: number % 3],
    }
    return record(encode(values | others))


def test_features_of_examples_become_columns(new: New, data: Path) -> None:
    (data / "cats-train.tfrecord-00000-of-00002").write_bytes(example(1) + example(2))
    (data / "cats-train.tfrecord-00001-of-00002").write_bytes(example(3))
    (data / "cats-test.tfrecord-00000-of-00001").write_bytes(example(4))
    (data / "dataset_info.json").write_text('{"name": "cats"}')
    result = new(data)
    assert result.manifest.features == {
        "box": NumberFeature(dtype="float32", shape=(4,)),
        "caption": TextFeature(),
        "image_encoded": ImageFeature(encoding="png"),
        "label": LabelFeature(names=("0", "1")),
        "tokens": ListFeature(of=NumberFeature(dtype="int64")),
        "words": ListFeature(of=TextFeature()),
    }
    assert {name: len(rows) for name, rows in result.splits.items()} == {"train": 3, "test": 1}
    row = result["train"][2]
    assert (row["image_encoded"] == 3).all()
    assert row["tokens"].tolist() == [0, 1, 2]
    assert (row["caption"], row["words"], row["label"]) == ("pâté 3", [], 1)


def test_compressed_tfrecord_is_read(new: New, data: Path) -> None:
    (data / "a.tfrecord.gz").write_bytes(gzip.compress(example(1) + example(2)))
    assert [row["caption"] for row in new(data)["train"]] == ["pâté 1", "pâté 2"]


def test_absent_features_are_missing(new: New, data: Path) -> None:
    records = example(1, score=np.array([0.5], np.float32)) + example(2)
    (data / "a.tfrecord").write_bytes(records)
    values = [row["score"] for row in new(data)["train"]]
    assert values[0] == 0.5
    assert np.isnan(values[1])


def test_features_that_cannot_be_a_column_are_named(new: New, data: Path) -> None:
    records = example(1, mixed=b"a", none=[]) + example(2, mixed=np.array([1]))
    (data / "a.tfrecord").write_bytes(records)
    result = new(data)
    assert result.doubts("'mixed' is left out: its values have several types")
    assert result.doubts("'none' is left out: it is always empty")
    assert not {"mixed", "none"} & result.manifest.features.keys()


def test_other_messages_are_named(new: New, data: Path) -> None:
    (data / "a.tfrecord").write_bytes(record(b"\x12\x00"))
    with pytest.raises(DshubError, match="SequenceExample"):
        new(data)


def test_cut_tfrecord_is_an_error(new: New, data: Path) -> None:
    (data / "a.tfrecord").write_bytes((example(1) + example(2))[:-3])
    with pytest.raises(DshubError, match="record 1, at byte"):
        new(data)


def test_images_of_im2rec_are_read_without_their_index(new: New, data: Path) -> None:
    (data / "train.rec").write_bytes(b"".join(packed(png(n), n % 2, number=n) for n in range(4)))
    (data / "train.idx").write_text("0\t0\n1\t100\n")
    result = new(data, "--number", "id")
    assert result.manifest.features == {
        "image": ImageFeature(encoding="png"),
        "label": LabelFeature(names=("0", "1")),
        "id": NumberFeature(dtype="uint64"),
    }
    assert [row["label"] for row in result["train"]] == [0, 1, 0, 1]


def test_labels_of_detection_are_lists(new: New, data: Path) -> None:
    boxes = [packed(png(n), 4.0, 5.0, *[0.5] * n, flag=2 + n) for n in range(1, 3)]
    (data / "train.rec").write_bytes(b"".join(boxes))
    rows = new(data)["train"]
    assert [row["label"].tolist() for row in rows] == [[4, 5, 0.5], [4, 5, 0.5, 0.5]]


def test_texts_and_scores_of_recordio_are_read(new: New, data: Path) -> None:
    header = [struct.pack("<IfQQ", 0, score, n, 0) for n, score in enumerate((0.5, 1.5))]
    texts = [head + f"é {n}".encode() for n, head in enumerate(header)]
    (data / "train.rec").write_bytes(
        b"".join(part for text in texts for part in framed_recordio(text))
    )
    result = new(data)
    assert [(row["text"], row["label"]) for row in result["train"]] == [("é 0", 0.5), ("é 1", 1.5)]


def test_folders_of_save_to_disk_are_read_without_their_caches(new: New, data: Path) -> None:
    """Hugging Face writes facts in JSON and results of `map` beside the shards."""
    for split in ("train", "test"):
        folder = data / split
        folder.mkdir()
        for name, number in (("data-00000-of-00001", 1), ("cache-1f", 2), ("cache-1f_0_of_2", 3)):
            table = pa.table({"n": [number], "text": [split]})
            with pa.ipc.new_stream(folder / f"{name}.arrow", table.schema) as writer:
                writer.write_table(table)
        (folder / "dataset_info.json").write_text("{}")
        (folder / "state.json").write_text("{}")
    (data / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    result = new(data)
    assert {name: rows["n"].tolist() for name, rows in result.splits.items()} == {
        "train": [1],
        "test": [1],
    }
