import os
import sys
from pathlib import Path

import pytest

from dshub.importing.walking import ANNEXED, BROKEN, CYCLES, HIDDEN, SPECIAL, is_junk, list_files

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def files(root: Path) -> list[str]:
    places = list_files(root).places
    return ["/".join((*place, name)) for place, names in places.items() for name in names]


def test_files_are_sorted_and_folders_without_files_are_listed(tmp_path: Path) -> None:
    write(tmp_path, "b/2.jpg", "b/10.jpg", "a/x/1.jpg", "z.jpg")
    (tmp_path / "empty").mkdir()
    assert files(tmp_path) == ["z.jpg", "a/x/1.jpg", "b/10.jpg", "b/2.jpg"]
    assert ("empty",) in list_files(tmp_path).places


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX",
        "@eaDir",
        ".ipynb_checkpoints",
        "Thumbs.db",
        "._x.jpg",
        "lost+found",
        "checkpoints",
        "$RECYCLE.BIN",
        ".DS_Store",
    ],
)
def test_files_of_systems_and_programs_are_skipped(name: str, tmp_path: Path) -> None:
    assert is_junk(name)
    write(tmp_path, "train/cat/1.jpg", f"{name}/1.jpg", f"train/{name}/1.jpg")
    assert files(tmp_path) == ["train/cat/1.jpg"]
    assert sorted(list_files(tmp_path).skipped[HIDDEN]) == sorted([name, f"train/{name}"])


@needs_links
def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "blobs/ab", "more/2.jpg")
    (tmp_path / "data" / "cat").mkdir(parents=True)
    (tmp_path / "data" / "cat" / "1.jpg").symlink_to(tmp_path / "blobs" / "ab")
    (tmp_path / "data" / "dog").symlink_to("../more")
    assert files(tmp_path / "data") == ["cat/1.jpg", "dog/2.jpg"]
    assert list_files(tmp_path / "data").links == ["dog", "cat/1.jpg"]


@needs_links
@pytest.mark.parametrize("target", ["..", ".", "../..", "../../data"])
def test_links_to_folders_above_are_skipped(target: str, tmp_path: Path) -> None:
    write(tmp_path, "data/cat/1.jpg", "data/dog/2.jpg")
    (tmp_path / "data" / "cat" / "up").symlink_to(target)
    assert len(files(tmp_path / "data")) <= 4
    assert list_files(tmp_path / "data").skipped[CYCLES]


@needs_links
def test_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    names = [f"d{i}" for i in range(8)]
    for name in names:
        write(tmp_path, f"{name}/1.jpg")
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(f"../{other}")
    assert len(files(tmp_path)) < 1000


@needs_links
def test_broken_links_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to("nowhere")
    (tmp_path / "c.jpg").symlink_to("c.jpg")
    (tmp_path / "d.jpg").symlink_to(".git/annex/objects/aa/bb/SHA256E-s1--ab.jpg/x.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "e.jpg").symlink_to("pipe.jpg")
    listing = list_files(tmp_path)
    assert listing.places == {(): ["a.jpg"]}
    assert listing.skipped[BROKEN] == ["b.jpg", "c.jpg"]
    assert listing.skipped[ANNEXED] == ["d.jpg"]
    assert sorted(listing.skipped[SPECIAL]) == ["e.jpg", "pipe.jpg"]
