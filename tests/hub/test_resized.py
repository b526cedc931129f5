"""Test the preparation of smaller images."""

from pathlib import Path

import pytest

from dshub import Hub, Settings
from dshub.cache.store import Store
from dshub.errors import DiskFullError, SchemaError
from dshub.hub.resized import Resizer
from dshub.progress import Silent


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(settings=Settings.read(cache=tmp_path / "cache", synthetic=20), progress=Silent())


def test_estimates_write_nothing_and_match_the_result(hub: Hub) -> None:
    resizer = Resizer(hub, 32, "raw")
    estimated = resizer.estimate(["food-101"])
    assert [(split.split, split.rows, split.folder) for split in estimated] == [
        ("train", 20, None),
        ("test", 20, None),
    ]
    assert not (hub.settings.cache / "derived-v1").exists()
    written = list(resizer.write(["food-101"]))
    for before, after in zip(estimated, written, strict=True):
        assert after.folder is not None
        assert after.size == sum(path.stat().st_size for path in after.folder.glob("*.arrow"))
        assert before.original == after.original
        assert before.size <= after.size < before.size + 5000  # headers and class names


def test_full_disk_is_reported_before_writing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    resizer = Resizer(hub, 32, "raw")
    resizer.estimate(["food-101"])
    monkeypatch.setattr(Store, "free", lambda _: 10)
    with pytest.raises(DiskFullError, match="10 B are free"):
        list(resizer.write(["food-101"]))


def test_dataset_without_images_is_an_error(hub: Hub) -> None:
    with pytest.raises(SchemaError, match="a column of images"):
        Resizer(hub, 32).estimate(["ag-news"])
