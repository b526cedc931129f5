"""Test `dshub new` with tables that describe images or audio files."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub.catalog.features import ImageFeature, LabelFeature, NumberFeature
from tests.independent.own_files import write_audio, write_image, write_text
from tests.publishing.authoring.conftest import New

ROWS = [("b", "dog", 3), ("a", "cat", 4), ("c", "dog", 5), ("d", "cat", 6)]


def table(column: str, name: str = "{}") -> str:
    """Return a CSV table with the names of files in a column."""
    lines = [f"{name.format(file)},{label},{age}\n" for file, label, age in ROWS]
    return "".join([f"{column},label,age\n", *lines])


@pytest.mark.parametrize(
    ("place", "column", "name"),
    [
        ("labels.csv", "file", "{}.png"),
        ("labels.csv", "id", "{}"),
        ("images/metadata.csv", "file_name", "images/{}.png"),
        ("notes/table.csv", "Path", "images/{}.png"),
    ],
    ids=["name", "id", "folder", "path"],
)
def test_rows_of_a_table_get_their_images(
    new: New, data: Path, place: str, column: str, name: str
) -> None:
    for number, file in enumerate("abcd"):
        write_image(data / "images" / f"{file}.png", number)
    write_text(data / place, table(column, name))
    result = new(data)
    features = result.manifest.features
    assert features["image"] == ImageFeature(shape=(8, 9, 3), encoding="png")
    assert features["label"] == LabelFeature(names=("cat", "dog"))
    assert features["age"] == NumberFeature(dtype="int64")
    assert ("id" in features) == (column == "id")
    rows = result["train"]
    assert rows["age"].tolist() == [3, 4, 5, 6]
    for row, (file, label, _) in zip(rows, ROWS, strict=True):
        with Image.open(data / "images" / f"{file}.png") as image:
            assert np.array_equal(row["image"], np.asarray(image))
        assert features["label"].names[row["label"]] == label


def test_splits_have_their_own_tables(new: New, data: Path) -> None:
    for split in ("train", "test"):
        for number, file in enumerate("abcd"):
            write_image(data / split / f"{file}.png", number + 10 * (split == "test"))
        write_text(data / f"{split}.csv", table("id"))
    write_text(data / "sample_submission.csv", "id,label\na,cat\n")
    result = new(data)
    for split in ("train", "test"):
        with Image.open(data / split / "b.png") as image:
            assert np.array_equal(result[split][0]["image"], np.asarray(image))


def test_audio_in_an_archive_is_attached(new: New, data: Path) -> None:
    with zipfile.ZipFile(data / "clips.zip", "w") as archive:
        for number, file in enumerate("abcd"):
            write_audio(data.parent / "x.wav", number)
            archive.write(data.parent / "x.wav", f"wav/{file}.wav")
    write_text(data / "labels.csv", table("file", "{}.wav"))
    rows = new(data)["train"]
    assert [len(row["audio"]) for row in rows] == [100] * 4
    assert rows["age"].tolist() == [3, 4, 5, 6]


def test_files_without_a_row_are_a_doubt(new: New, data: Path) -> None:
    for number, file in enumerate("abcde"):
        write_image(data / "images" / f"{file}.png", number)
    write_text(data / "labels.csv", table("file", "{}.png"))
    result = new(data)
    assert len(result["train"]) == 4
    assert result.doubts("without a row in a table: images/e.png")


@pytest.mark.parametrize("text", ["epoch,loss\n1,2\n2,3\n", table("file", "{}.jpg"), '{"a": [1,'])
def test_other_tables_are_skipped_with_a_doubt(new: New, data: Path, text: str) -> None:
    for number, file in enumerate("abcd"):
        write_image(data / "xy"[number % 2] / f"{file}.png", number)
    write_text(data / ("table.json" if text[0] == "{" else "table.csv"), text)
    result = new(data)
    assert result.manifest.features["label"] == LabelFeature(names=("x", "y"))
    assert result.doubts("table.")


@pytest.mark.parametrize(
    ("stored", "named"),
    [("cafe\u0301.png", "caf\u00e9.png"), ("caf\u00e9.png", "cafe\u0301"), ("1.PNG", "1.png")],
)
def test_names_match_in_any_unicode_form_and_case(
    new: New, data: Path, stored: str, named: str
) -> None:
    write_image(data / "images" / stored, 1)
    write_image(data / "images" / "b.png", 2)
    extension = ".png" if "." in named else ""
    write_text(data / "labels.csv", f"file,label\nb{extension},dog\n{named},cat\n")
    result = new(data, "--label", "label")
    assert result["train"]["label"][:].tolist() == [1, 0]
    assert len(result["train"][1]["image"]) == 8


def test_table_can_be_a_text_file(new: New, data: Path) -> None:
    """Flickr8k has several captions of an image in `captions.txt`."""
    for number, file in enumerate("ab"):
        write_image(data / "Images" / f"{file}.png", number)
    write_text(data / "captions.txt", "image,caption\na.png,a dog\na.png,a red dog\nb.png,a frog\n")
    rows = new(data)["train"]
    assert rows["caption"] == ["a dog", "a red dog", "a frog"]
    assert [len(row["image"]) for row in rows] == [8] * 3


def test_captions_of_single_images_are_left_out_with_a_doubt(new: New, data: Path) -> None:
    for number, file in enumerate("ab"):
        write_image(data / f"{file}.png", number)
        write_text(data / f"{file}.txt", "a dog, or so\n")
    result = new(data)
    assert list(result.manifest.features) == ["image"]
    assert result.doubts("left out 2 captions, such as a.txt")
