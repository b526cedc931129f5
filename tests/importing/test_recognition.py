import shutil
from pathlib import Path

import pytest

from dshub import Hub
from dshub.errors import StoreError
from tests.independent.imagenet import (
    NAME,
    World,
    rows_of,
    write,
)


@pytest.mark.parametrize(
    "below", ["", "ILSVRC", "ILSVRC/Data/CLS-LOC", "ILSVRC/Data/CLS-LOC/train"]
)
def test_any_folder_of_a_tree_can_be_imported(
    below: str, hub: Hub, world: World, tmp_path: Path
) -> None:
    """Users differ in which folder they consider the dataset."""
    world.kaggle(tmp_path / "mine")
    (report,) = hub.import_files(NAME, [tmp_path / "mine" / below])
    assert report.splits["train"]
    assert rows_of(hub, "train") == world.truth("train")


def test_changed_folder_is_an_error(hub: Hub, world: World, tmp_path: Path) -> None:
    """An image was deleted between importing and preparing."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    next((tree / "train").rglob("*.JPEG")).unlink()
    with pytest.raises(StoreError, match=r"19 files, .* instead of 20 files"):
        hub.load(NAME, "train")
    shutil.rmtree(tree)
    with pytest.raises(StoreError, match="imported by reference and has been moved or deleted"):
        hub.load(NAME, "train")


def test_unrelated_files_are_ignored(hub: Hub, world: World, tmp_path: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    for name in ("train/Thumbs.db", f"train/{world.codes[0]}/.DS_Store", "LICENSE", "test/1.JPEG"):
        write(tree / name, b"something")
    (report,) = hub.import_files(NAME, [tree])
    assert report.complete
    assert rows_of(hub, "train") == world.truth("train")
