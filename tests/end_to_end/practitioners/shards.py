"""Shards and links: WebDataset, TFRecord, folders of links, classes in one tar.

79. WebDataset: tars with images, classes and JSON
80. TFRecord of images and labels
81. links into a store, as DVC and snapshots of Hugging Face make
82. links that point to their parent folder
83. Arrow shards of `datasets.save_to_disk`
84. gzipped CSV
85. class folders in a tar.gz
"""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.end_to_end.practitioners.case import Case, Solid, from_
from tests.end_to_end.practitioners.files import solid, tree, write

SIZE = (6, 8)
RED, GREEN, BLUE = (200, 0, 0), (0, 180, 0), (0, 0, 160)


def tar(members: dict[str, bytes], mode: Any = "w") -> bytes:
    """Return a tar of files."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def webdataset(folder: Path) -> None:
    """Write two shards, with a missing member."""
    colors = [RED, GREEN, BLUE]
    for number, rows in enumerate(([0, 1], [2])):
        members: dict[str, bytes] = {}
        for row in rows:
            members[f"{row:06d}.png"] = solid(SIZE, colors[row])
            members[f"{row:06d}.cls"] = str(row % 2).encode()
            if row != 1:
                members[f"{row:06d}.json"] = json.dumps({"id": row}).encode()
        write(folder / f"train-{number:06d}.tar", tar(members))


def tfrecord(folder: Path) -> None:
    """Write a file with TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    with tf.io.TFRecordWriter(str(folder / "train.tfrecord")) as writer:
        for color, label in ((RED, 1), (GREEN, 0)):
            image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[solid(SIZE, color)]))
            number = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
            features = tf.train.Features(feature={"image": image, "label": number})
            writer.write(tf.train.Example(features=features).SerializeToString())


def links(folder: Path) -> None:
    """Write class folders of links into a store."""
    for number, (name, color) in enumerate({"cat": RED, "dog": GREEN}.items()):
        write(folder / "store" / f"{number}", solid(SIZE, color))
        (folder / "data" / name).mkdir(parents=True)
        (folder / "data" / name / "1.png").symlink_to(folder / "store" / f"{number}")


def cycle(folder: Path) -> None:
    """Write class folders with a link to the whole folder."""
    for name, color in {"cat": RED, "dog": GREEN}.items():
        write(folder / "data" / name / "1.png", solid(SIZE, color))
    (folder / "data" / "cat" / "all").symlink_to(folder / "data")


def arrow() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"text": ["a", "b"], "n": [1, 2]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


PETS: Any = {"image": [Solid(SIZE, RED), Solid(SIZE, GREEN)], "label": ["cat", "dog"]}

CASES = [
    Case(
        "WebDataset: tars with images, classes and JSON",
        webdataset,
        {
            "train": {
                "image": [Solid(SIZE, color) for color in (RED, GREEN, BLUE)],
                "label": ["0", "1", "0"],
                "id": [0, None, 2],
            }
        },
        opened=from_.from_folder,
        refused_by_from="train-000001.tar; unpack them, or run `dshub new",
    ),
    Case(
        "TFRecord of images and labels",
        tfrecord,
        {"train": {"image": [Solid(SIZE, RED), Solid(SIZE, GREEN)], "label": ["1", "0"]}},
        ("{}/train.tfrecord",),
        opened=from_.from_folder,
        slow=True,
        refused_by_from="for TFRecord and other formats",
    ),
    Case(
        "links into a store, as DVC and snapshots of Hugging Face make",
        links,
        {"train": PETS},
        ("{}/data",),
        lambda folder: from_.from_folder(folder / "data"),
    ),
    Case(
        "links that point to their parent folder",
        cycle,
        {"train": PETS},
        ("{}/data",),
        lambda folder: from_.from_folder(folder / "data"),
    ),
    Case(
        "Arrow shards of `datasets.save_to_disk`",
        tree(
            {
                "set/data-00000-of-00001.arrow": arrow,
                "set/dataset_info.json": "{}",
                "set/state.json": '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}',
            }
        ),
        {"train": {"text": ["a", "b"], "n": [1, 2]}},
        ("{}/set",),
    ),
    Case(
        "gzipped CSV",
        tree({"logs.csv.gz": gzip.compress(b"n,word\n1,a\n2,\xc3\xb6\n")}),
        {"train": {"n": [1, 2], "word": ["a", "ö"]}},
        ("{}/logs.csv.gz",),
        lambda folder: from_.from_csv(folder / "logs.csv.gz"),
    ),
    Case(
        "class folders in a tar.gz",
        tree(
            {
                "pets.tar.gz": lambda: tar(
                    {"pets/cat/1.png": solid(SIZE, RED), "pets/dog/1.png": solid(SIZE, GREEN)},
                    "w:gz",
                )
            }
        ),
        {"train": PETS},
        ("{}/pets.tar.gz",),
    ),
]
