"""Draft manifests for WebDataset shards that other programs wrote."""

import io
import json
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import (
    AudioFeature,
    BytesFeature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    StructFeature,
    TextFeature,
)
from dshub.errors import DshubError
from dshub.export import export
from tests.export.kinds import png
from tests.independent.own_files import write_audio
from tests.publishing.authoring.conftest import New


def shard(path: Path, files: Mapping[str, bytes], mode: Any = "w") -> None:
    """Write a tar with the files in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def npy(values: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, values)
    return sink.getvalue()


def sample(number: int) -> dict[str, bytes]:
    """Return the files of a sample."""
    return {
        f"{number:06d}.{ending}": data
        for ending, data in {
            "jpg": png(number),
            "seg.png": png(number + 1),
            "cls": str(number % 2).encode(),
            "txt": f"pâté {number}".encode(),
            "json": json.dumps({"id": 2**60 + number, "size": {"w": 4, "h": 5}}).encode(),
            "box.npy": npy(np.full((2, 2), number, np.float32)),
            "tokens.npy": npy(np.arange(number)),
        }.items()
    }


def samples(*numbers: int) -> dict[str, bytes]:
    return {name: data for number in numbers for name, data in sample(number).items()}


def test_endings_and_keys_become_columns(new: New, data: Path) -> None:
    shard(data / "shard-000000.tar", samples(1, 2, 3))
    shard(data / "shard-000001.tar", samples(1, 2, 3))
    result = new(*sorted(data.iterdir()), "--label", "label", "--name", "me/shards")
    assert result.manifest.features == {
        "image": ImageFeature(encoding="png"),
        "seg": ImageFeature(encoding="png"),
        "label": LabelFeature(names=("0", "1")),
        "text": TextFeature(),
        "id": NumberFeature(dtype="int64"),
        "size": StructFeature(
            fields={"w": NumberFeature(dtype="int64"), "h": NumberFeature(dtype="int64")}
        ),
        "box": NumberFeature(dtype="float32", shape=(2, 2)),
        "tokens": ListFeature(of=NumberFeature(dtype="int64")),
    }
    row = result["train"][4]
    assert (row["image"] == 2).all()
    assert (row["seg"] == 3).all()
    assert (row["label"], row["text"], row["id"]) == (0, "pâté 2", 2**60 + 2)
    assert row["box"].tolist() == [[2, 2], [2, 2]]
    assert row["tokens"].tolist() == [0, 1]
    assert len(result["train"]) == 6


def test_splits_are_in_the_names_of_shards_or_folders(new: New, data: Path) -> None:
    for name in ("train-0000", "train-0001", "val-0000"):
        shard(data / "a" / f"{name}.tar", samples(1, 2))
    assert {name: len(rows) for name, rows in new(data / "a").splits.items()} == {
        "train": 4,
        "validation": 2,
    }
    for name in ("train/0000", "test/0000"):
        shard(data / "b" / f"{name}.tar", samples(1, 2))
    assert list(new(data / "b").splits) == ["train", "test"]


def test_samples_can_lack_files(new: New, data: Path) -> None:
    files = samples(1, 2, 3)
    del files["000002.txt"], files["000003.jpg"], files["000001.cls"]
    shard(data / "a.tar", files)
    result = new(data / "a.tar")
    features = result.manifest.features
    assert all(features[name].optional for name in ("text", "image", "label"))
    assert [row["text"] for row in result["train"]] == ["pâté 1", None, "pâté 3"]
    assert [row["image"] is None for row in result["train"]] == [False, False, True]
    assert [row["label"] for row in result["train"]] == [None, 0, 1]


def test_images_of_several_endings_are_one_column(new: New, data: Path) -> None:
    files = {"1.png": png(1), "1.cls": b"0", "2.jpeg": png(2), "2.cls": b"1"}
    shard(data / "a.tar", files)
    assert [int(row["image"][0, 0, 0]) for row in new(data / "a.tar")["train"]] == [1, 2]


def test_two_images_of_a_sample_are_two_columns(new: New, data: Path) -> None:
    files = {f"{n}.{end}": png(n) for n in (1, 2) for end in ("jpg", "png")}
    shard(data / "a.tar", files)
    assert list(new(data / "a.tar").manifest.features) == ["jpg", "png"]


def test_audio_and_names_of_classes(new: New, data: Path, tmp_path: Path) -> None:
    """Keys that are not numbers are a column."""
    write_audio(tmp_path / "x.wav", 1)
    sound = (tmp_path / "x.wav").read_bytes()
    files = {
        f"{who}/utt.{end}": d for who in "ab" for end, d in (("wav", sound), ("cls", who.encode()))
    }
    shard(data / "a.tar", files)
    result = new(data / "a.tar", "--label", "label", "--text", "key")
    assert result.manifest.features == {
        "key": TextFeature(),
        "audio": AudioFeature(rate=16000),
        "label": LabelFeature(names=("a", "b")),
    }


def test_compressed_shards_are_read(new: New, data: Path) -> None:
    shard(data / "a.tar.gz", samples(1, 2), "w:gz")
    assert [row["text"] for row in new(data / "a.tar.gz")["train"]] == ["pâté 1", "pâté 2"]


def test_columns_that_cannot_be_used_are_named(new: New, data: Path) -> None:
    files = {
        "1.jpg": png(1),
        "1.json": b'{"x": 1, "n": 1}',
        "1.pyd": pickle.dumps(1),
        "1.npy": npy(np.arange(3)),
        "2.jpg": png(2),
        "2.json": b'{"x": "a", "n": 2}',
        "2.pyd": pickle.dumps(2),
        "2.npy": npy(np.ones((2, 2))),
        "2.mp4": b"....ftyp",
    }
    shard(data / "a.tar", files)
    result = new(data / "a.tar")
    assert result.manifest.features == {
        "image": ImageFeature(encoding="png"),
        "n": NumberFeature(dtype="int64"),
        "mp4": BytesFeature(optional=True),
    }
    assert result.doubts("a pickle can run code")
    assert result.doubts("values differ in type: x")
    assert result.doubts("number of axes")


def test_damaged_value_names_its_file(new: New, data: Path) -> None:
    files = samples(1, 2)
    files["000002.json"] = b"{"
    shard(data / "a.tar", files)
    with pytest.raises(DshubError, match=r"a\.tar:000002\.json: it is not valid JSON"):
        new(data / "a.tar")


@pytest.mark.parametrize(
    "names",
    [
        ["cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"],
        ["train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg", "train/dog/2.jpg"],
    ],
)
def test_class_folders_in_a_tar_are_not_shards(new: New, data: Path, names: list[str]) -> None:
    shard(data / "a.tar", {name: png(1) for name in names})
    features = new(data / "a.tar").manifest.features
    assert features["label"] == LabelFeature(names=("cat", "dog"))


def test_files_far_apart_are_not_samples(new: New, data: Path) -> None:
    """In shards, the files of a sample are beside each other."""
    names = ["1.jpg", "2.jpg", "3.jpg", "1.txt", "2.txt", "3.txt"]
    shard(data / "a.tar", {name: png(1) if name.endswith("jpg") else b"x" for name in names})
    assert list(new(data / "a.tar").manifest.features) == ["image"]


def test_moved_exports_are_read_without_their_record(new: New, data: Path) -> None:
    """A shard by itself has no class names."""
    label = LabelFeature(names=("cat", "dog"))
    ds = Dataset.from_arrays(
        {"image": [png(1), png(2)], "label": [0, 1], "caption": ["a", None]},
        features={"image": ImageFeature(encoding="png"), "label": label},
    )
    export({"train": ds}, "webdataset", data)
    (data / ".dshub-export.json").unlink()
    result = new(data)
    assert result.manifest.features["label"] == LabelFeature(names=("0", "1"))
    assert result["train"][1]["caption"] is None
    assert result["train"][0]["caption"] == "a"
