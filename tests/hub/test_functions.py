from pathlib import Path

import pytest

import dshub
from dshub.errors import OfflineError


def test_functions_read_the_environment_on_each_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DSHUB_PROGRESS", "off")
    monkeypatch.setenv("DSHUB_SYNTHETIC", "6")
    assert len(dshub.load("mnist", "train")) == 6
    assert dshub.info("mnist").synthetic
    monkeypatch.setenv("DSHUB_SYNTHETIC", "8")
    assert len(dshub.load("mnist")["test"]) == 8
    assert dshub.load_data("mnist")[0][0].shape == (8, 28, 28)
    assert len(dshub.fetch("mnist", prepare=False)) == 4
    monkeypatch.setenv("DSHUB_CACHE", str(tmp_path / "other"))
    dshub.load("mnist", "train")
    assert (tmp_path / "other").is_dir()
    monkeypatch.delenv("DSHUB_SYNTHETIC")
    monkeypatch.setenv("DSHUB_OFFLINE", "1")
    assert not dshub.info("mnist").synthetic
    with pytest.raises(OfflineError):
        dshub.load("mnist", "train")
    assert len(dshub.load("mnist", "train", synthetic=4)) == 4


def test_names_lists_a_registry_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = dshub.names()
    assert "mnist" in before
    assert before == sorted(before)
    folder = tmp_path / "registry" / "own"
    folder.mkdir(parents=True)
    (folder / "1.0.0.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "registry"))
    assert set(dshub.names()) == {*before, "own"}
