"""Test how images and their annotations are paired by name."""

import pytest

from dshub.errors import ReadError
from dshub.formats._annotations import Names
from dshub.testing.readers import MemoryFile
from tests.formats.annotated import images, read

YOLO = {"format": "yolo"}


def found(name: str, *files: str, stems: bool = False) -> str | None:
    """Return the member that a name means."""
    file = Names([MemoryFile(member, b"", member) for member in files], stems=stems).find(name)
    return file.member if file else None


def test_names_can_have_more_or_fewer_folders_than_the_files() -> None:
    assert found("1.jpg", "val/1.jpg", "val/2.jpg") == "val/1.jpg"
    assert found("/home/me/data/val/1.jpg", "val/1.jpg", "train/1.jpg") == "val/1.jpg"
    assert found(r"C:\data\val\1.jpg", "val/1.jpg", "train/1.jpg") == "val/1.jpg"
    assert found("3.jpg", "val/1.jpg") is None


def test_case_matters_only_between_similar_files() -> None:
    assert found("IMG_1.JPG", "img_1.jpg") == "img_1.jpg"
    assert found("IMG_1.JPG", "img_1.jpg", "IMG_1.JPG") == "IMG_1.JPG"


def test_file_with_fewer_folders_wins() -> None:
    """A copy in a folder of backups does not hide the original."""
    assert found("1.jpg", "1.jpg", "old/1.jpg") == "1.jpg"


def test_name_of_several_files_is_an_error() -> None:
    with pytest.raises(ReadError, match=r"'1\.jpg' can be a/1\.jpg or b/1\.jpg"):
        found("1.jpg", "a/1.jpg", "b/1.jpg")


def test_labels_are_found_by_the_path_of_the_image() -> None:
    """An image without a file has no objects, even if another folder has that name."""
    rows = read(
        YOLO,
        image=images("images/a/1.jpg", "images/b/1.png", "images/b/2.jpg"),
        annotations={"labels/b/1.txt": b"5 0 0 1 1", "labels/a/2.txt": b"6 0 0 1 1"},
    )
    found = [row["objects"]["labels"] for row in rows]
    assert found == [[], [5], [6]]  # 2.txt has no other image


def test_names_are_compared_in_one_normal_form_of_unicode() -> None:
    rows = read(
        YOLO,
        image=images("images/cafe\u0301.jpg"),
        annotations={"labels/caf\u00e9.txt": b"1 0 0 1 1"},
    )
    assert rows[0]["objects"]["labels"] == [1]


def test_list_chooses_and_orders_images() -> None:
    rows = read(
        YOLO,
        image=images("data/1.jpg", "data/2.jpg", "data/3.jpg"),
        annotations={"data/3.txt": b"4 0 0 1 1"},
        list={"train.txt": b"./data/3.jpg\r\ndata/1.jpg\n\n"},
    )
    assert [row["image"][-10:] for row in rows] == [b"data/3.jpg", b"data/1.jpg"]
    assert [row["objects"]["labels"] for row in rows] == [[4], []]
    with pytest.raises(ReadError, match=r"there is no image 'data/9\.jpg'"):
        read(YOLO, image=images("1.jpg"), annotations={}, list={"a": b"data/9.jpg"})
