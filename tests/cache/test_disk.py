"""Test removing files and folders from a cache."""

import sys
from pathlib import Path

import pytest

from dshub.cache.disk import empty, remove
from dshub.errors import StoreError


def test_removing_a_missing_file_is_not_an_error(cache: Path) -> None:
    cache.mkdir()
    remove(cache, cache / "file")
    (cache / "file").touch()
    remove(cache, cache / "file")
    assert not (cache / "file").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege on Windows")
def test_link_is_removed_but_not_its_target(cache: Path, tmp_path: Path) -> None:
    """Users can link folders into the cache."""
    cache.mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    (cache / "link").symlink_to(tmp_path / "data")
    remove(cache, cache / "link")
    assert not (cache / "link").is_symlink()
    assert (tmp_path / "data" / "file").exists()


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows reports a path below a file as missing"
)
def test_failed_removal_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot remove") as caught:
        remove(tmp_path, tmp_path / "file" / "inside")
    assert caught.value.exit_code == 8


def test_folder_is_emptied_except_for_some_files(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    empty(tmp_path, {"b"})
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["b"]
