"""Test `dshub import` with a small copy of ImageNet."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.independent.imagenet import NAME, World, hub_of, make_world, rows_of

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Create a small ImageNet with three classes of four images and five validation images."""
    created = make_world(tmp_path / "world", classes=3, each=4, val=5)
    monkeypatch.setenv("DSHUB_REGISTRY", str(tmp_path / "world" / "registry"))
    return created


def test_folder_of_classes_is_imported_and_prepared(
    dshub: Run, world: World, tmp_path: Path, cache: Path
) -> None:
    tree = world.folders(tmp_path / "tree")
    done = dshub("import", NAME, str(tree))
    assert done.returncode == 0, done.stderr
    assert f"train       found  a folder for each class, {tree}: 12 files, " in done.stdout
    assert f"{NAME} is complete and ready to load" in done.stderr
    assert rows_of(hub_of(world, cache), "train") == world.truth("train")

    info = dshub("info", NAME)
    assert f"imported from {tree}, 12 files" in info.stdout
    (imported, _) = json.loads(dshub("info", NAME, "--json").stdout)["imported"]
    assert Path(imported["sums"]).name == "files.sha256"
    assert f"imported as train-folders, at {tree}" in dshub("cache", "ls").stdout
    assert dshub("cache", "du").returncode == 0
    pruned = dshub("cache", "prune", "--max-size", "1GB")
    assert pruned.returncode == 0, pruned.stderr
    assert dshub("cache", "gc").returncode == 0
    assert dshub("verify", NAME).returncode == 0
    assert rows_of(hub_of(world, cache), "validation") == world.truth("validation")

    second = dshub("import", NAME, str(tree), "--json")
    assert json.loads(second.stdout)["splits"] == {NAME: {"train": True, "validation": True}}


def test_missing_files_are_listed_with_instructions(
    dshub: Run, world: World, tmp_path: Path
) -> None:
    downloads = world.official(tmp_path / "mine")
    (downloads / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    done = dshub("import", NAME, str(downloads))
    assert done.returncode == 1
    assert "ILSVRC2012_devkit_t12.tar.gz, size unknown" in done.stdout
    assert "Register at https://image-net.org" in done.stderr
    photo = tmp_path / "holiday.jpg"
    photo.write_bytes(b"something else")
    assert f"{photo} is not a file of {NAME}" in dshub("import", NAME, str(photo)).stderr
    answer = json.loads(dshub("import", NAME, str(downloads), "--json").stdout)
    assert answer["splits"] == {NAME: {"train": True, "validation": False}}
    assert [item["name"] for item in answer["missing"]] == ["devkit"]
    assert len(answer["tables"]) == 1


def test_missing_class_folders_are_reported(dshub: Run, world: World, tmp_path: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    shutil.rmtree(tree / "train" / world.codes[2])
    done = dshub("import", NAME, str(tree))
    assert done.returncode == 1
    assert "incomplete" in done.stdout
    assert "n01484850 (great white shark)" in done.stdout
    assert "8 files instead of 12" in done.stdout


@pytest.mark.parametrize("option", ["--link", "--copy", "--reference"])
def test_archives_are_copied_linked_or_referenced(
    option: str, dshub: Run, world: World, tmp_path: Path, cache: Path
) -> None:
    """Only `--reference` keeps the files out of the cache."""
    downloads = world.official(tmp_path / "mine")
    done = dshub("import", NAME, str(downloads), option, "--no-prepare")
    assert done.returncode == 0, done.stderr
    blobs = list((cache / "blobs-v1").rglob("?" * 64))
    assert len(blobs) == (0 if option == "--reference" else 3)
    assert rows_of(hub_of(world, cache), "train") == world.truth("train")
    listed = dshub("cache", "ls").stdout
    tar = downloads / "ILSVRC2012_img_val.tar"
    assert (f"{NAME}: val, at {tar}" in listed) is (option == "--reference")
    assert dshub("cache", "verify").returncode == 0
    assert dshub("verify", NAME).returncode == 0


def test_changed_referenced_archive_is_reported(
    dshub: Run, world: World, tmp_path: Path, cache: Path
) -> None:
    downloads = world.official(tmp_path / "mine")
    assert dshub("import", NAME, str(downloads), "--reference", "--no-prepare").returncode == 0
    tar = downloads / "ILSVRC2012_img_val.tar"
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(data)
    done = dshub("cache", "verify")
    assert done.returncode == 5
    assert "it has changed since it was imported by reference" in done.stdout
    done = dshub("prepare", NAME)
    assert done.returncode == 8
    assert str(tar) in done.stderr
    assert tar.read_bytes() == data
    assert dshub("cache", "rm", NAME).returncode == 0
    assert tar.read_bytes() == data
    assert not list((cache / "references-v1").rglob("*.json"))
