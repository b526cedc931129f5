"""Test that errors of prepared rows name the original files."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from dshub import Dataset, Hub, Registry, Settings
from dshub.errors import ReadError, SchemaError
from tests.photos import CUT, EMPTY, NAMES, files, photos


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    registry = Registry(manifests=[photos(tmp_path / "upstream")], built_in=False)
    hub = Hub(settings=Settings.read(cache=tmp_path / "cache"), registry=registry)
    hub.import_files("own/photos", [tmp_path / "upstream"])
    return hub


def message(read: Any) -> str:
    with pytest.raises(ReadError) as caught:
        read()
    return str(caught.value)


@pytest.mark.parametrize(
    ("split", "row", "name"),
    [
        ("train", 3, f"images.tar:train/{CUT}"),
        ("train", 9, f"images.tar:train/{EMPTY}"),
        ("listed", 2, f"images.tar:train/{CUT}"),  # without the first row
        ("test", 6, f"images.zip:photos/{CUT}"),  # the table is in reverse order
        ("train[2:]", 1, f"images.tar:train/{CUT}"),
        ("test+train", 13, f"images.tar:train/{CUT}"),
    ],
)
def test_errors_name_the_original_file(hub: Hub, split: str, row: int, name: str) -> None:
    ds = hub.load("own/photos", split)
    text = message(lambda: ds[row])
    assert f"({name}), column image" in text
    assert "own/photos@1.0.0, split" in text


def test_every_row_has_its_name(hub: Hub) -> None:
    ds = hub.load("own/photos", "train")
    assert [ds.where(row, "image").split("train/")[1].split(")")[0] for row in range(10)] == NAMES


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: ds.select([0, 3]),
        lambda ds: ds.rename({"image": "photo"}),
        lambda ds: ds.map(lambda row: {"twice": row["label"] * 2}, columns=["label"]),
        lambda ds: ds.shuffle(seed=3),
        lambda ds: Dataset.concat([ds, ds]),
        lambda ds: pickle.loads(pickle.dumps(ds)),
    ],
    ids=["select", "rename", "map", "shuffle", "concat", "pickle"],
)
def test_views_name_the_file_too(hub: Hub, change: Any) -> None:
    ds = change(hub.load("own/photos", "train"))
    assert CUT in message(lambda: list(ds))


@pytest.mark.parametrize("where", ["thread", "process"])
def test_loaders_name_the_file(hub: Hub, where: Any) -> None:
    loader = hub.load("own/photos", "train").batches(4, where=where)
    assert f"train/{CUT}" in message(lambda: list(loader))


def test_without_the_raw_files_the_row_must_do(hub: Hub, tmp_path: Path) -> None:
    ds = hub.load("own/photos", "train").take(10)
    for path in (tmp_path / "cache").glob("blobs-v1/*/*"):
        path.unlink()
    text = message(lambda: ds[3])
    assert "row 3, column image" in text
    assert CUT not in text


def test_preparing_names_a_file_without_an_image(tmp_path: Path) -> None:
    """Files that cannot be images are refused before the table is written."""
    contents = files() | {CUT: b"/annex/objects/MD5E-s9--ab.png"}
    manifest = photos(tmp_path / "upstream", contents)
    registry = Registry(manifests=[manifest], built_in=False)
    hub = Hub(settings=Settings.read(cache=tmp_path / "cache"), registry=registry)
    hub.import_files("own/photos", [tmp_path / "upstream"])
    for split, archive in {"train": "images.tar:train", "test": "images.zip:photos"}.items():
        with pytest.raises(SchemaError) as caught:
            hub.load("own/photos", split)
        assert f"({archive}/{CUT}): got a git-annex pointer, expected" in str(caught.value)
