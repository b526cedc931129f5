"""Test folders of files with tables, captions and masks beside them."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import LabelFeature, NumberFeature, TextFeature
from dshub.errors import ReadError, SchemaError


def images(folder: Path, *names: str) -> None:
    """Write images whose pixels are the number of the image."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 3, 3), number, np.uint8)).save(path)


def shown(dataset: Dataset, column: str) -> list[tuple[int, Any]]:
    """Return the first pixel and the value of a column for each row, with classes by name."""
    feature = dataset.features[column]
    names = feature.names if isinstance(feature, LabelFeature) else None
    return [
        (int(row["image"][0, 0, 0]), names[row[column]] if names else row[column])
        for row in dataset
    ]


CSV = "{name},label,age\n{a},cat,3\n{b},dog,\n{c},cat,5\n"
PLACES = {
    "beside": ("labels.csv", "file_name", ["a.png", "b.png", "c.png"]),
    "below": ("labels.csv", "file", ["a.png", "b.png", "c.png"]),
    "path": ("labels.csv", "path", ["images/a.png", "images/b.png", "images/c.png"]),
    "id": ("train.csv", "id", ["a", "b", "c"]),
    "other-folder": ("annotations/labels.csv", "image", ["a.png", "b.png", "c.png"]),
}


@pytest.mark.parametrize("place", list(PLACES))
def test_table_has_the_labels_of_images(place: str, tmp_path: Path) -> None:
    table, column, (a, b, c) = PLACES[place]
    images(tmp_path / ("" if place == "beside" else "images"), "a.png", "b.png", "c.png")
    (tmp_path / table).parent.mkdir(exist_ok=True)
    (tmp_path / table).write_text(CSV.format(name=column, a=c, b=a, c=b))
    dataset = Dataset.from_folder(tmp_path)
    assert dataset.features["label"] == TextFeature()
    assert shown(dataset, "label") == [(0, "dog"), (1, "cat"), (2, "cat")]
    assert [row["age"] for row in dataset] == [None, 5, 3]
    assert list(dataset.features) == ["image", *(["id"] if place == "id" else []), "label", "age"]


def test_repeated_labels_are_classes(tmp_path: Path) -> None:
    images(tmp_path / "images", *(f"{i}.png" for i in range(6)))
    lines = [f"{i}.png,{'pos' if i % 2 else 'neg'}" for i in range(6)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *reversed(lines)]))
    dataset = Dataset.from_folder(tmp_path)
    assert dataset.supervised == ("image", "label")
    assert shown(dataset, "label") == [(i, "pos" if i % 2 else "neg") for i in range(6)]
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.fingerprint == dataset.fingerprint
    (_, labels) = next(iter(copy.batches(6, supervised=True)))
    assert labels.tolist() == [0, 1] * 3


def test_numbers_are_classes_in_numeric_order(tmp_path: Path) -> None:
    images(tmp_path, *(f"{i}.png" for i in range(6)))
    (tmp_path / "y.tsv").write_text(
        "label\timg\n" + "".join(f"{10 - i % 2 * 8}\t{i}.png\n" for i in range(6))
    )
    dataset = Dataset.from_folder(tmp_path)
    assert dataset.features["label"] == LabelFeature(names=("2", "10"))
    assert dataset["label"].tolist() == [1, 0] * 3


def test_identifiers_keep_their_zeros(tmp_path: Path) -> None:
    images(tmp_path, "007.png", "008.png")
    (tmp_path / "train.csv").write_text("id,code,big\n007,01,9007199254740993\n008,02,1\n")
    dataset = Dataset.from_folder(tmp_path)
    assert dataset["id"] == ["007", "008"]
    assert dataset["code"] == ["01", "02"]
    assert dataset["big"].tolist() == [9007199254740993, 1]


def test_json_lines_have_values_of_any_type(tmp_path: Path) -> None:
    images(tmp_path / "train", "1.png", "2.png")
    rows = [
        {"file_name": "2.png", "text": "zwei", "score": 0.5, "words": ["a", "b"]},
        {"file_name": "1.png", "text": "eins", "score": 1.5, "words": []},
    ]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "train" / "metadata.jsonl").write_text(lines)
    dataset = Dataset.from_folder(tmp_path, "train")
    assert shown(dataset, "text") == [(0, "eins"), (1, "zwei")]
    assert dataset["score"].tolist() == [1.5, 0.5]
    assert [list(words) for words in dataset["words"]] == [[], ["a", "b"]]
    assert dataset.features["score"] == NumberFeature(dtype="float64")


def test_each_split_has_its_own_table_and_the_same_classes(tmp_path: Path) -> None:
    """The table of a split is in its folder, or has its name."""
    for split, labels in {"train": "aabb", "test": "bbbb"}.items():
        images(tmp_path, *(f"{split}/{i}.png" for i in range(4)))
        text = "".join(f"{i},{label}\n" for i, label in enumerate(labels))
        (tmp_path / f"{split}_labels.csv").write_text(f"id,label\n{text}")
    (tmp_path / "sample_submission.csv").write_text("id,label\n0,a\n1,a\n2,a\n3,a\n")
    for split, numbers in {
        "train": [0, 0, 1, 1],
        "test": [1] * 4,
        "test+train[:1]": [1] * 4 + [0],
    }.items():
        dataset = Dataset.from_folder(tmp_path, split)
        assert dataset.features["label"] == LabelFeature(names=("a", "b"))
        assert dataset["label"].tolist() == numbers
    for split in ("train", "test"):
        (tmp_path / f"{split}_labels.csv").rename(tmp_path / split / "metadata.csv")
    assert Dataset.from_folder(tmp_path, "test")["label"].tolist() == [1] * 4


def test_split_without_a_table_has_no_labels(tmp_path: Path) -> None:
    images(tmp_path, "train/a.png", "train/b.png", "test/c.png")
    (tmp_path / "train.csv").write_text("id,breed\na,x\nb,y\n")
    assert Dataset.from_folder(tmp_path, "train")["breed"] == ["x", "y"]
    assert "breed" not in Dataset.from_folder(tmp_path, "test").features


def test_file_with_several_rows_is_repeated(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    (tmp_path / "captions.csv").write_text("image,caption\nb.png,x\na.png,y\nb.png,z\n")
    dataset = Dataset.from_folder(tmp_path)
    assert shown(dataset, "caption") == [(0, "y"), (1, "x"), (1, "z")]
    assert dataset.supervised == ("image", "caption")


def test_class_folders_and_a_table_are_combined(tmp_path: Path) -> None:
    images(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "metadata.csv").write_text("file_name,age\ndog/1.png,3\ncat/1.png,4\n")
    dataset = Dataset.from_folder(tmp_path)
    assert shown(dataset, "label") == [(0, "cat"), (1, "dog")]
    assert dataset["age"].tolist() == [4, 3]


@pytest.mark.parametrize("name", ["notes.csv", "results.csv"])
def test_unrelated_tables_are_ignored(name: str, tmp_path: Path) -> None:
    images(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / name).write_text("epoch,loss\n" + "".join(f"{i},0.5\n" for i in range(9)))
    assert list(Dataset.from_folder(tmp_path).features) == ["image", "label"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,label\na.png,x\n", "it has no row for b.png"),
        ("file,label\na.png,x\nb.png,y\nz.png,x\n", "row 3 names 'z.png', which does not exist"),
        ("file,label\n" + "a.png,x\nb.png,\n" * 2, "row 2 has no label"),
        ("file,label\na.png,x,y\nb.png,y\n", "line 2 has 3 fields, but the header 2"),
        ("file,label\na.png,\x80\nb.png,y\n", "utf-8"),
    ],
    ids=["file-without-row", "row-without-file", "empty-label", "fields", "encoding"],
)
def test_faults_of_a_table_are_named(table: str, message: str, tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    (tmp_path / "labels.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(ReadError, match=message) as caught:
        Dataset.from_folder(tmp_path)
    assert "labels.csv" in str(caught.value)


def test_two_tables_of_the_same_files_are_an_error(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    for name in ("old.csv", "new.csv"):
        (tmp_path / name).write_text("file,label\na.png,x\nb.png,y\n")
    with pytest.raises(SchemaError, match=r"new\.csv and old\.csv"):
        Dataset.from_folder(tmp_path)
    (tmp_path / "old.csv").rename(tmp_path / "metadata.csv")
    assert Dataset.from_folder(tmp_path)["label"] == ["x", "y"]


def test_captions_are_texts_of_the_same_name(tmp_path: Path) -> None:
    images(tmp_path, "1.png", "2.png")
    (tmp_path / "1.txt").write_text("a pâté\n", encoding="utf-8")
    (tmp_path / "2.txt").write_text("a dog")
    dataset = Dataset.from_folder(tmp_path)
    assert shown(dataset, "text") == [(0, "a pâté"), (1, "a dog")]
    assert dataset.supervised == ("image", "text")
    before = dataset.fingerprint
    (tmp_path / "2.txt").write_text("a brown dog")
    assert Dataset.from_folder(tmp_path).fingerprint != before
    (tmp_path / "2.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ReadError, match=r"2\.txt: it is not UTF-8"):
        dataset[1]
    (tmp_path / "2.txt").unlink()
    with pytest.raises(ReadError, match=r"2\.png: it has no caption"):
        Dataset.from_folder(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["images/1.png", "images/2.png", "masks/1.png", "masks/2.png"],
        ["images/1.png", "images/2.png", "masks/1_mask.png", "masks/2_mask.png"],
        ["1.png", "2.png", "1_mask.png", "2_mask.png"],
        ["images/1.png", "images/2.png", "images/1_mask.png", "images/2_mask.png"],
        [
            "a/JPEGImages/1.png",
            "a/JPEGImages/2.png",
            *(f"a/SegmentationClass/{i}.png" for i in "12"),
        ],
    ],
    ids=["folders", "folders-suffixes", "suffixes", "images-suffixes", "voc"],
)
def test_images_and_masks_are_pairs(names: list[str], tmp_path: Path) -> None:
    images(tmp_path, *names)
    dataset = Dataset.from_folder(tmp_path)
    assert list(dataset.features) == ["image", "mask"]
    assert dataset.supervised == ("image", "mask")
    assert [(row["image"][0, 0, 0], row["mask"][0, 0]) for row in dataset] == [(0, 2), (1, 3)]
    (batch,) = dataset.batches(2)
    assert [int(mask[0, 0]) for mask in batch["mask"]] == [2, 3]


def test_masks_of_splits_are_pairs(tmp_path: Path) -> None:
    images(tmp_path, *(f"train/{kind}/{i}.png" for kind in ("images", "masks") for i in "12"))
    images(tmp_path, "test/images/3.png", "test/masks/3.png")
    assert len(Dataset.from_folder(tmp_path, "train")) == 2
    assert Dataset.from_folder(tmp_path, "test")[0]["mask"][0, 0] == 1


def test_image_without_a_mask_is_an_error(tmp_path: Path) -> None:
    images(tmp_path, *(f"{kind}/{i}.png" for kind in ("images", "masks") for i in range(3)))
    (tmp_path / "masks" / "1.png").unlink()
    with pytest.raises(SchemaError, match=r"images/1\.png"):
        Dataset.from_folder(tmp_path)


def test_folders_of_other_names_stay_classes(tmp_path: Path) -> None:
    images(tmp_path, "cat/1.png", "dog/1.png", "labels/1.png")
    assert len(Dataset.from_folder(tmp_path).features["label"].names) == 3


@pytest.mark.parametrize(
    ("stored", "named"),
    [("caf\u00e9.png", "cafe\u0301.png"), ("cafe\u0301.png", "caf\u00e9"), ("A1.PNG", "a1.png")],
)
def test_names_match_in_any_unicode_form_and_case(stored: str, named: str, tmp_path: Path) -> None:
    images(tmp_path, stored, "b.png")
    (tmp_path / "labels.csv").write_text(f"file,age\n{named},3\nb.png,4\n", encoding="utf-8")
    dataset = Dataset.from_folder(tmp_path)
    assert dict(shown(dataset, "age")) == {0: 3, 1: 4}


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that differ in case")
def test_name_of_two_files_is_an_error(tmp_path: Path) -> None:
    images(tmp_path, "aB.png", "Ab.png")
    (tmp_path / "labels.csv").write_text("file,age\nab.png,3\nAb.png,3\n")
    with pytest.raises(ReadError, match=r"could be Ab\.png or aB\.png"):
        Dataset.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("values", "dtype", "rows"),
    [
        (["9007199254740993", "", "1"], "int64", [9007199254740993, None, 1]),
        (["9223372036854775807", "-1", "1"], "int64", [9223372036854775807, -1, 1]),
        (["18446744073709551615", "", "1"], "uint64", [18446744073709551615, None, 1]),
        (["18446744073709551615", "-1", "1"], None, ["18446744073709551615", "-1", "1"]),
        (["123456789012345678901", "2", ""], None, ["123456789012345678901", "2", ""]),
        (["007", "1", ""], None, ["007", "1", ""]),
    ],
)
def test_integers_of_a_table_keep_every_digit(
    values: list[str], dtype: Any, rows: list[Any], tmp_path: Path
) -> None:
    images(tmp_path, "a.png", "b.png", "c.png")
    lines = [f"{name}.png,{value}" for name, value in zip("abc", values, strict=True)]
    (tmp_path / "metadata.csv").write_text("file_name,user\n" + "\n".join(lines) + "\n")
    dataset = Dataset.from_folder(tmp_path)
    expected = NumberFeature(dtype=dtype, optional="" in values) if dtype else TextFeature()
    assert dataset.features["user"] == expected
    assert [row["user"] for row in dataset] == rows


def test_split_without_a_value_keeps_the_feature_of_the_column(tmp_path: Path) -> None:
    for split, age in (("train", "3"), ("test", "")):
        images(tmp_path / split, "a.png")
        (tmp_path / split / "metadata.csv").write_text(f"file_name,age\na.png,{age}\n")
    train, test = (Dataset.from_folder(tmp_path, split) for split in ("train", "test"))
    assert train.features == test.features
    assert (train[0]["age"], test[0]["age"]) == (3, None)
