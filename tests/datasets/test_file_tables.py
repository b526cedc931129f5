"""Test tables in files `.txt`; `test_beside.py` tests the other tables."""

from pathlib import Path
from typing import Any

import pytest

from dshub import Dataset
from dshub.errors import ReadError
from tests.datasets.test_beside import images, shown


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_table_can_be_a_text_file(delimiter: str, tmp_path: Path) -> None:
    """Flickr8k has several captions of an image in `captions.txt`."""
    images(tmp_path, "Images/1.png", "Images/2.png")
    rows = [("image", "caption"), ("1.png", "a dog"), ("1.png", "a red dog"), ("2.png", "a frog")]
    (tmp_path / "captions.txt").write_text("\n".join(map(delimiter.join, rows)))
    dataset = Dataset.from_folder(tmp_path)
    assert shown(dataset, "caption") == [(0, "a dog"), (0, "a red dog"), (1, "a frog")]


@pytest.mark.parametrize(
    "text",
    [
        "Photos, taken in 2024\nby me, for you, and others\n",
        "1.png,2.png\n2.png,1.png\n",
        "",
        "name,value\n",
        b"\xff\xfe\x00",
    ],
    ids=["prose", "without-header", "empty", "only-header", "binary"],
)
def test_other_text_files_are_not_tables(text: Any, tmp_path: Path) -> None:
    images(tmp_path, "1.png", "2.png")
    (tmp_path / "notes.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert list(Dataset.from_folder(tmp_path).features) == ["image"]


def test_fault_of_a_text_table_is_named(tmp_path: Path) -> None:
    images(tmp_path, "1.png", "2.png")
    (tmp_path / "captions.txt").write_text("image,caption\n1.png,a dog\n2.png,a dog, red\n")
    with pytest.raises(ReadError, match="line 3 has 3 fields, but the header 2"):
        Dataset.from_folder(tmp_path)
