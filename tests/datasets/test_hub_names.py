"""Test loading datasets of the Hugging Face Hub by name, from a local folder."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from dshub import Hub, Settings
from dshub.catalog.features import NumberFeature, TextFeature
from dshub.errors import DshubError, OfflineError, ReadError, SplitError, UnknownNameError
from dshub.progress import Silent

pytest.importorskip("datasets.table")  # `datasets` alone would match tests/datasets

hf: Any = importlib.import_module("datasets")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a folder in the layout of a Hub repository, with two configurations."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hf")
    folder = tmp_path / "birds"
    for config in ("small", "large"):
        for split, count in (("train", 20), ("test", 6)):
            path = folder / config / f"{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = "".join(f"{n},{config} {split}\n" for n in range(count))
            path.write_text(f"n,text\n{rows}")
    splits = [f"  - split: {split}\n    path: {{0}}/{split}.csv\n" for split in ("train", "test")]
    configs = [
        f"- config_name: {config}\n  data_files:\n" + "".join(splits).format(config)
        for config in ("small", "large")
    ]
    (folder / "README.md").write_text("---\nconfigs:\n" + "".join(configs) + "---\n")
    return folder


def hub_of(cache: Path, **options: Any) -> Hub:
    return Hub(settings=Settings.read(cache=cache, **options), progress=Silent())


def test_repository_by_name(hub: Hub, repository: Path) -> None:
    name = f"hf:{repository}/small"
    dataset = hub.load(name, "train")
    assert dataset.features == {"n": NumberFeature(dtype="int64"), "text": TextFeature()}
    assert [row["n"] for row in dataset] == list(range(20))
    assert set(hub.load(f"hf:{repository}/large", "test")["text"]) == {"large test"}
    for split, numbers in [
        ("train[:10%]", [0, 1]),
        ("test[-2:]+train[3:5]", [4, 5, 3, 4]),
        ("train[7:7]", []),
    ]:
        view = hub.load(name, split, columns=["n"])
        assert list(view.features) == ["n"]
        assert view["n"].tolist() == numbers


def test_all_splits_of_a_repository(hub: Hub, repository: Path) -> None:
    splits = hub.load(f"hf:{repository}/small", columns=["n"])
    assert (list(splits), len(splits), splits.manifest) == (["train", "test"], 2, None)
    assert {name: len(dataset) for name, dataset in splits.items()} == {"train": 20, "test": 6}
    assert "train: 20 rows" in repr(splits)
    with pytest.raises(UnknownNameError, match="'valid'"):
        splits["valid"]


def test_folder_is_read_offline(cache: Path, repository: Path) -> None:
    offline = hub_of(cache, offline=True)
    assert len(offline.load(f"hf:{repository}/small", "test")) == 6


def test_offline_load_makes_no_connection(cache: Path, repository: Path) -> None:
    """The error suggests the cache of `datasets`."""
    offline = hub_of(cache, offline=True)
    before = hf.config.HF_HUB_OFFLINE
    with pytest.raises(OfflineError, match="hf:owner/name/config") as caught:
        offline.load("hf:owner/name/config", "train")
    assert "HF_HOME" in caught.value.hint
    assert caught.value.exit_code == 6
    assert before == hf.config.HF_HUB_OFFLINE


def test_unknown_names_and_splits_are_rejected(hub: Hub, repository: Path) -> None:
    with pytest.raises(UnknownNameError, match="'valid'") as caught:
        hub.load(f"hf:{repository}/small", "valid")
    assert caught.value.known == ("train", "test")
    with pytest.raises(SplitError):
        hub.load(f"hf:{repository}/small", "train[")
    with pytest.raises(ReadError, match=r"(?s)hf:.*medium.*small"):
        hub.load(f"hf:{repository}/medium", "train")
    with pytest.raises(ReadError, match="nowhere"):
        hub.load(f"hf:{repository.parent}/nowhere/at-all", "train")
    for name in ("hf:", "hf:a/b/c/d", "hf:a//b"):
        with pytest.raises(UnknownNameError, match=name):
            hub.load(name, "train")
    with pytest.raises(UnknownNameError, match="'m'"):
        hub.load(f"hf:{repository}/small", "test", columns=["m"])


def test_synthetic_rows_are_rejected(cache: Path, repository: Path) -> None:
    name = f"hf:{repository}/small"
    with pytest.raises(DshubError, match="no manifest to generate synthetic data from"):
        hub_of(cache, synthetic=10).load(name, "test")
    with pytest.raises(DshubError, match="no manifest to generate synthetic data from"):
        hub_of(cache).load(name, "test", synthetic=10)
    assert len(hub_of(cache, synthetic=10).load(name, "test", synthetic=0)) == 6
