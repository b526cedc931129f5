"""Build a table with every kind of column, and its rows as plain values."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dshub import Dataset, Feature, Manifest, Resource, Split
from dshub.catalog.features import (
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.tables.conforming import conform
from dshub.tables.writer import TableWriter
from tests.manifests import IDX, make_manifest

COUNTS = {"train": 40, "test": 17}
FEATURES: dict[str, Feature] = {
    "image": ImageFeature(shape=(2, 3, 1)),
    "label": LabelFeature(names=("cat", "dog", "owl")),
    "size": NumberFeature(dtype="float32", shape=(2,)),
    "text": TextFeature(),
    "photo": ImageFeature(encoding="png"),
    "tokens": ListFeature(of=NumberFeature(dtype="int32")),
    "words": ListFeature(of=TextFeature()),
}


@dataclass
class Prepared:
    """Table folders and plain rows by split."""

    folders: dict[str, Path]
    rows: dict[str, list[dict[str, Any]]]

    def dataset(self, *splits: str) -> Dataset:
        return Dataset.from_tables([self.folders[split] for split in splits or ("train",)])


def make_rows(split: str, count: int) -> list[dict[str, Any]]:
    first = 100 if split == "test" else 0
    return [
        {
            "image": [[[(n + y) % 256], [n % 7], [y]] for y in range(2)],
            "label": n % 3,
            "size": [n / 4, -float(n)],
            "text": f"{split} {n}: pâté" * (n % 4),
            "photo": [[[n, y, 7]] * 2 for y in range(1 + n % 3)],
            "tokens": list(range(n, n + n % 5)),
            "words": ["le", "pâté", str(n)][: n % 4],
        }
        for n in range(first, first + count)
    ]


def png(pixels: list[Any]) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def manifest() -> Manifest:
    return make_manifest(
        {"all": Resource(filename="all.bin", sha256="0" * 64, size=1)},
        name="mixed",
        supervised=("image", "label"),
        features=FEATURES,
        splits={
            name: Split(rows=rows, reader=IDX, files={"image": "all"})
            for name, rows in COUNTS.items()
        },
    )


def write_table(folder: Path, split: str, rows: list[dict[str, Any]], *, shard_bytes: int) -> None:
    writer = TableWriter(folder, manifest(), split, shard_bytes=shard_bytes)
    for start in range(0, len(rows), 7):
        some = rows[start : start + 7]
        nested = pa.list_(pa.list_(pa.list_(pa.uint8(), 1), 3), 2)
        batch = pa.RecordBatch.from_pydict(
            {
                "image": pa.array([row["image"] for row in some], nested),
                "label": [row["label"] for row in some],
                "size": pa.array([row["size"] for row in some], pa.list_(pa.float32(), 2)),
                "text": [row["text"] for row in some],
                "photo": [png(row["photo"]) for row in some],
                "tokens": pa.array([row["tokens"] for row in some], pa.list_(pa.int32())),
                "words": pa.array([row["words"] for row in some], pa.list_(pa.string())),
            }
        )
        writer.write(conform(batch, FEATURES, where=split, first_row=start))
    writer.close({"split": split})


@pytest.fixture(scope="session", params=[1 << 30, 200], ids=["one shard", "many shards"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folders, rows = {}, {}
    for split, count in COUNTS.items():
        folders[split] = tmp_path_factory.mktemp(split)
        rows[split] = make_rows(split, count)
        write_table(folders[split], split, rows[split], shard_bytes=request.param)
    shards = len(list(folders["train"].glob("*.arrow")))
    assert (shards == 1) == (request.param == 1 << 30)
    return Prepared(folders, rows)
