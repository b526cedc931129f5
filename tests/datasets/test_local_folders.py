import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub.datasets.dataset import Dataset
from dshub.datasets.splits import Splits
from dshub.errors import UnknownNameError
from dshub.hub.hub import Hub


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((2, 3, 3), np.uint8)).save(path)


def test_path_of_a_folder_opens_its_splits(hub: Hub, tmp_path: Path) -> None:
    write(tmp_path, *(f"data/{split}/{name}/1.png" for split in ("train", "val") for name in "ab"))
    splits = hub.load(str(tmp_path / "data"))
    assert isinstance(splits, Splits)
    assert {name: len(split) for name, split in splits.items()} == {"train": 2, "val": 2}
    train = hub.load(f"{tmp_path / 'data'}{os.sep}", split="train[:1]", columns=["label"])
    assert isinstance(train, Dataset)
    assert list(train) == [{"label": 0}]
    assert len(hub.load(str(tmp_path / "data"), "validation")) == 2


def test_folder_without_splits_is_train(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "photos/a/1.png", "photos/b/1.png", "photos/b/2.png")
    monkeypatch.chdir(tmp_path)
    for name in ("photos/", "./photos"):
        assert len(hub.load(name)["train"]) == 3
        assert hub.load(name, split="train[2:]+train[:1]")["label"].tolist() == [1, 0]
    with pytest.raises(UnknownNameError, match="'test'"):
        hub.load("photos/", split="test")


def test_folder_without_media_is_explained(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnknownNameError) as caught:
        hub.load(str(tmp_path))
    assert "dshub new" in caught.value.hint
