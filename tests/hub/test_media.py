"""Test decoding all files of a prepared split."""

from pathlib import Path

import pytest

from dshub import Hub, Registry, Settings
from dshub.errors import UnknownNameError
from dshub.hub.media import bad_files
from dshub.progress import Silent
from dshub.tables.recipe import find
from tests.photos import CUT, EMPTY, photos


class Counting(Silent):
    """Progress that counts units."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, amount: int) -> None:
        self.done += amount


@pytest.mark.parametrize("split", ["train", "listed", "test"])
def test_bad_files_are_listed_in_order_by_name(tmp_path: Path, split: str) -> None:
    manifest = photos(tmp_path / "upstream")
    settings = Settings.read(cache=tmp_path / "cache")
    hub = Hub(settings=settings, registry=Registry(manifests=[manifest], built_in=False))
    hub.import_files("own/photos", [tmp_path / "upstream"])
    hub.prepare("own/photos")
    folder = find(manifest, split, hub.store)
    assert folder is not None
    progress = Counting()
    found = list(bad_files(manifest, split, folder, "image", progress))
    names = [item.file.partition(":")[2].partition("/")[2] for item in found]
    assert names == ([EMPTY, CUT] if split == "test" else [CUT, EMPTY])
    rows = {"train": [3, 9], "listed": [2, 8], "test": [0, 6]}[split]
    assert [item.row for item in found] == rows
    assert all("decoded" in item.reason or "format" in item.reason for item in found)
    assert progress.done == manifest.splits[split].rows


def test_python_gets_the_same_findings(tmp_path: Path) -> None:
    manifest = photos(tmp_path / "upstream")
    settings = Settings.read(cache=tmp_path / "cache")
    hub = Hub(settings=settings, registry=Registry(manifests=[manifest], built_in=False))
    hub.import_files("own/photos", [tmp_path / "upstream"])
    hub.prepare("own/photos", splits=["train"])
    assert [item.file for item in hub.verify("own/photos") if item.file] == []
    found = list(hub.verify("own/photos", decode=["train", "test"]))
    assert [(item.file.split, item.file.row) for item in found if item.file] == [
        ("train", 3),
        ("train", 9),
    ]
    with pytest.raises(UnknownNameError):
        list(hub.verify("own/photos", decode=["trian"]))
