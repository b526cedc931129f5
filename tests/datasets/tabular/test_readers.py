from pathlib import Path

import pytest

from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.tabular.readers import TextOptions, choose_reader
from dshub.errors import DshubError


def file(folder: Path, name: str, data: bytes) -> LooseFile:
    path = folder / name
    path.write_bytes(data)
    return LooseFile(path, name)


def test_notes_name_keyword_arguments_for_python(tmp_path: Path) -> None:
    files = [file(tmp_path, "a.csv", "naam;prijs\nañ;1,5\nb;2,5\n".encode("cp1252"))]
    _, notes = choose_reader("delimited", files, TextOptions(python=True))
    assert any('pass decimal=","' in note for note in notes)
    assert any("pass encoding=" in note for note in notes)
    _, notes = choose_reader("delimited", files, TextOptions())
    assert any("use --decimal-comma prijs" in note for note in notes)
    assert any("use --encoding" in note for note in notes)


def test_all_numbers_with_a_decimal_comma_can_be_stated_at_once(tmp_path: Path) -> None:
    files = [file(tmp_path, "a.csv", b"name;price;size\na, b;1,5;2\nc;2,5;3\n")]
    options, notes = choose_reader("delimited", files, TextOptions(decimal_comma=None))
    assert options["decimal_comma"] == ["price"]
    assert not any("decimal comma" in note for note in notes)


def test_file_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DshubError, match=r"a\.csv is not text"):
        choose_reader("delimited", [file(tmp_path, "a.csv", b"\0\1\2")], TextOptions())
