import pytest

from dshub.catalog.file_matching import Names
from dshub.errors import ReadError


def found(name: str, *files: str, stems: bool = False) -> str | None:
    """Return the file that a name means."""
    return Names({file: file for file in files}, stems=stems).find(name)


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
