import struct
from pathlib import Path

import pytest

from dshub import DshubError, Settings
from dshub.compat.opening import open_rows
from tests.manifests import label_split, make_manifest, make_resource, save_manifest

LABELS = struct.pack(">HBBI3B", 0, 8, 1, 3, 2, 0, 1)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a dataset whose only source cannot be reached."""
    resource = make_resource(LABELS, "https://data.example/labels-idx1-ubyte")
    manifest = make_manifest({"labels": resource}, splits={"train": label_split(3)})
    save_manifest(manifest, tmp_path / "registry")
    monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "registry"))


def write(path: Path, content: bytes = LABELS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("place", ["labels-idx1-ubyte", "renamed", "Tiny/raw/deep/labels"])
def test_upstream_files_in_root_are_used(place: str, tmp_path: Path) -> None:
    write(tmp_path / "data" / place)
    rows = open_rows("tiny", "train", root=tmp_path / "data", folders=["Tiny/raw"], download=False)
    assert rows["label"].tolist() == [2, 0, 1]


def test_nothing_is_written_into_root(tmp_path: Path) -> None:
    path = write(tmp_path / "data" / "labels-idx1-ubyte")
    rows = open_rows("tiny", "train", root=path.parent)
    path.unlink()
    assert list(path.parent.iterdir()) == []
    assert rows.files[0].is_relative_to(Settings.read().cache)
    assert open_rows("tiny", "train", root=path.parent)["label"].tolist() == [2, 0, 1]


def test_other_folders_of_root_are_not_searched(tmp_path: Path) -> None:
    write(tmp_path / "data" / "other" / "labels-idx1-ubyte")
    with pytest.raises(DshubError, match="is not in the cache or in"):
        open_rows("tiny", "train", root=tmp_path / "data", folders=["Tiny"], download=False)


def test_files_with_other_bytes_are_not_used(tmp_path: Path) -> None:
    write(tmp_path / "data" / "labels-idx1-ubyte", LABELS[:-1] + b"\0")
    with pytest.raises(DshubError) as caught:
        open_rows("tiny", "train", root=tmp_path / "data", download=False)
    assert caught.value.hint == "pass download=True, or run `dshub fetch tiny`"


def test_missing_root_is_not_an_error(tmp_path: Path) -> None:
    write(tmp_path / "data" / "labels-idx1-ubyte")
    open_rows("tiny", "train", root=tmp_path / "data")
    rows = open_rows("tiny", "train[1:]", root=tmp_path / "missing", download=False)
    assert rows["label"].tolist() == [0, 1]


def test_offline_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSHUB_OFFLINE", "1")
    with pytest.raises(DshubError, match="DSHUB_OFFLINE"):
        open_rows("tiny", "train")
