"""Test how images and their annotations are paired by name."""

import pytest

from dshub.errors import ReadError
from tests.formats.annotated import images, read

YOLO = {"format": "yolo"}


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
