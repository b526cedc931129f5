"""Test opening files in folders that other users can write to."""

import os
import sys
from pathlib import Path

import pytest

from dshub.cache.files import NotAFileError, map_file, new_file, open_file, read_file, replace_file

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="needs symbolic links and named pipes"
)


@pytest.mark.parametrize("kind", ["symlink", "pipe"])
def test_planted_name_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine").write_text("mine")
    path = tmp_path / "planted"
    if kind == "symlink":
        path.symlink_to("mine")
    else:
        os.mkfifo(path)
    with pytest.raises(NotAFileError, match=f"it is a (named )?{kind}, not a file"):
        read_file(path)
    with pytest.raises(NotAFileError):
        open_file(path, "rb+")


def test_link_is_followed_on_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    with open_file(tmp_path / "link", follow=True) as file:
        assert file.readall() == b"text"


def test_file_with_a_second_name_is_read_but_not_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "other").hardlink_to(tmp_path / "file")
    assert read_file(tmp_path / "file") == b"text"
    with pytest.raises(OSError, match="it has more than one hard link"):
        open_file(tmp_path / "file", "rb+")


def test_new_file_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("mine")
    with new_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert read_file(tmp_path / "link") == b"new"


def test_failed_replacement_leaves_the_old_file(tmp_path: Path) -> None:
    target, temporary = tmp_path / "target", tmp_path / "temporary"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="target"):
        replace_file(target, b"data", temporary)
    assert target.is_dir()
    assert not temporary.exists()


def test_empty_file_cannot_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(OSError, match="it is empty"):
        map_file(tmp_path / "empty")
