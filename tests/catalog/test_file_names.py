import pytest

from dshub.catalog.file_names import FileNames, Names, composed
from dshub.errors import ReadError

NFC, NFD = "caf\u00e9.jpg", "cafe\u0301.jpg"


@pytest.mark.parametrize(
    ("stored", "name", "expected"),
    [
        ([NFD, "1.jpg"], NFC, [NFD]),
        ([NFC], NFD, [NFC]),
        ([NFC, NFD], NFC, [NFC]),
        (["1.JPG"], "1.jpg", ["1.JPG"]),
        (["CAF\u00c9.jpg"], NFD, ["CAF\u00c9.jpg"]),
        (["a.jpg", "A.jpg"], "a.jpg", ["a.jpg"]),
        (["aB.jpg", "Ab.jpg"], "ab.jpg", ["Ab.jpg", "aB.jpg"]),
        (["a.jpg"], "b.jpg", []),
    ],
)
def test_names_are_found_in_any_unicode_form_and_case(
    stored: list[str], name: str, expected: list[str]
) -> None:
    assert FileNames(stored).find(name) == expected


def test_long_names_are_not_normalized() -> None:
    """Normalization takes quadratic time."""
    name = "e" + "\u0301" * 100_000
    assert composed(name) == name


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


def test_folders_match_in_any_unicode_form() -> None:
    name = "cafe\u0301/1.jpg"
    assert found("Caf\u00e9/1.jpg", name, "bar/1.jpg") == name


def test_file_with_fewer_folders_wins() -> None:
    """A copy in a folder of backups does not hide the original."""
    assert found("1.jpg", "1.jpg", "old/1.jpg") == "1.jpg"


def test_name_of_several_files_is_an_error() -> None:
    with pytest.raises(ReadError, match=r"'1\.jpg' can be a/1\.jpg or b/1\.jpg"):
        found("1.jpg", "a/1.jpg", "b/1.jpg")
