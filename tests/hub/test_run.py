from collections import Counter
from pathlib import Path

import msgspec
import pytest

from dshub import Hub, Manifest, Settings
from dshub.errors import DshubError, ManifestError, Vanished
from dshub.hub.request import Request
from dshub.tables import building

NAME = "fashion-mnist"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """Return a hub with small synthetic datasets."""
    return Hub(settings=Settings(cache=tmp_path / "cache", synthetic=20))


def test_failed_preparation_is_not_retried(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Counter[str]()

    def fail(*_: object, **__: object) -> None:
        tries["make"] += 1
        raise DshubError("it fails") from FileNotFoundError("/elsewhere")

    monkeypatch.setattr(building, "make", fail)
    with pytest.raises(DshubError, match="it fails"):
        hub.load(NAME, "train")
    assert tries["make"] == 1


def test_run_is_retried_once_when_a_cached_file_vanishes(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = Counter[str]()

    def vanish(*_: object, **__: object) -> None:
        tries["make"] += 1
        raise Vanished(path="/cache/blobs-v1/aa/bb")

    monkeypatch.setattr(building, "make", vanish)
    with pytest.raises(Vanished):
        hub.load(NAME, "train")
    assert tries["make"] == 2


def test_only_a_cached_file_in_use_counts_as_vanished(hub: Hub, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"")
    with pytest.raises(FileNotFoundError), hub.store.using([there]):
        (tmp_path / "missing").open()
    with pytest.raises(Vanished), hub.store.using([there]):
        there.unlink()
        there.open()


def test_table_that_vanishes_before_it_is_opened_is_rebuilt(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dshub.datasets.dataset import Dataset

    hub.load(NAME, "train")
    from_tables = Dataset.from_tables

    def removed(folders: list[Path], manifest: Manifest) -> Dataset:
        monkeypatch.setattr(Dataset, "from_tables", from_tables)
        (folders[0] / "table.json").unlink()
        folders[0].rename(folders[0].with_name("gone"))
        return from_tables(folders, manifest)

    monkeypatch.setattr(Dataset, "from_tables", removed)
    assert len(hub.load(NAME, "train")) == 20


def test_invalid_reader_stops_a_run_before_it_downloads(tmp_path: Path) -> None:
    hub = Hub(settings=Settings(cache=tmp_path / "cache"))
    manifest = hub.info(NAME)
    split = msgspec.structs.replace(manifest.splits["train"], reader={"format": "idx", "odd": 1})
    faulty = msgspec.structs.replace(manifest, splits={"train": split})
    plan = hub.plan(Request.of(faulty))
    with pytest.raises(ManifestError, match="odd"):
        hub.run(plan, source=str(tmp_path))
