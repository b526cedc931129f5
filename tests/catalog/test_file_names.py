import pytest

from dshub.catalog.file_names import FileNames, composed

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
