"""Test paths and addresses as names of datasets."""

from pathlib import Path

import pytest

from dshub import Registry
from dshub.catalog.sources import built_in_root
from dshub.errors import UnknownNameError


def hint_of(name: str) -> str:
    with pytest.raises(UnknownNameError) as caught:
        Registry().manifest(name)
    return caught.value.hint


def test_folder_with_one_manifest_works_as_a_name() -> None:
    folder = built_in_root() / "mnist"
    assert Registry().manifest(str(folder)).name == "mnist"
    assert Registry().expand([str(folder)]) == [str(folder / "1.0.0.toml")]


def test_folder_with_several_manifests_lists_them(tmp_path: Path) -> None:
    for version in ("1.0.0", "1.0.1"):
        (tmp_path / f"{version}.toml").touch()
    hint = hint_of(str(tmp_path))
    assert str(tmp_path / "1.0.0.toml") in hint
    assert str(tmp_path / "1.0.1.toml") in hint


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("data.csv", "pyarrow.csv.read_csv"),
        ("data.parquet", "pyarrow.parquet.read_table"),
        ("notes.txt", "`dshub new"),
    ],
)
def test_data_file_points_to_the_ways_to_read_it(tmp_path: Path, name: str, advice: str) -> None:
    path = tmp_path / name
    path.touch()
    hint = hint_of(str(path))
    assert advice in hint
    assert f"`dshub new {path}`" in hint


def test_folder_of_a_registry_points_to_the_setting(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.0.0.toml").touch()
    assert f"DSHUB_REGISTRY={tmp_path}" in hint_of(str(tmp_path))


def test_folder_of_files_points_to_from_folder(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    assert f'Dataset.from_folder("{tmp_path}")' in hint_of(str(tmp_path))


def test_saved_dataset_points_to_open(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").touch()
    assert f'Dataset.open("{tmp_path}")' in hint_of(str(tmp_path))


@pytest.mark.parametrize("name", ["./missing", "missing.csv", "/no/such/folder", "~unknown/data"])
def test_missing_path_is_reported_as_missing(name: str) -> None:
    assert hint_of(name) == "no file or folder has this path"


@pytest.mark.parametrize("address", ["s3://bucket/data", "https://data.example/mirror"])
def test_address_points_to_the_setting_for_mirrors(address: str) -> None:
    assert f"DSHUB_MIRROR={address}" in hint_of(address)


def test_address_of_a_manifest_must_be_downloaded_first() -> None:
    assert "download the manifest" in hint_of("https://data.example/1.0.0.toml")
