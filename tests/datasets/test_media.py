import io
import logging
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.errors import ReadError

FORMATS = {
    "ppm": "PPM",
    "pgm": "PPM",
    "pbm": "PPM",
    "pnm": "PPM",
    "jfif": "JPEG",
    "jpe": "JPEG",
    "dib": "DIB",
    "avif": "AVIF",
    "jp2": "JPEG2000",
    "qoi": "QOI",
}
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"


def write(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".png", ".jpg"}:
            Image.fromarray(np.full((2, 3, 3), number, np.uint8)).save(path)
        else:
            path.write_bytes(b"other")


def names(dataset: Dataset) -> tuple[str, ...]:
    label = dataset.features["label"]
    assert isinstance(label, LabelFeature)
    return label.names


@pytest.mark.parametrize("ending", FORMATS)
def test_image_formats_that_can_be_decoded_are_found(ending: str, tmp_path: Path) -> None:
    mode = {"pgm": "L", "pbm": "1"}.get(ending, "RGB")
    image, sink = Image.new(mode, (8, 6), 1), io.BytesIO()
    Image.init()
    if FORMATS[ending] not in Image.SAVE:
        pytest.skip(f"this Pillow cannot write {FORMATS[ending]}")
    image.save(sink, FORMATS[ending])
    if FORMATS[ending] == "DIB":
        sink = io.BytesIO(b"BM" + b"\0" * 12 + sink.getvalue())
        image.save(sink, "BMP")
    (tmp_path / f"1.{ending}").write_bytes(sink.getvalue())
    (tmp_path / f"2.{ending.upper()}").write_bytes(sink.getvalue())
    dataset = Dataset.from_folder(tmp_path)
    assert len(dataset) == 2
    assert dataset[0]["image"].shape[:2] == (6, 8)


def test_files_with_unknown_endings_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(
        tmp_path, "a/1.png", "b/2.png", "a/1.heic", "b/2.HEIC", "b/3.xcf", "README.md", "notes.txt"
    )
    with caplog.at_level(logging.WARNING):
        assert len(Dataset.from_folder(tmp_path)) == 2
    assert "files with unknown endings: .heic (2), .xcf (1)" in caplog.text


def test_class_without_files_keeps_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in Keras; a folder of texts is not a class."""
    write(tmp_path, "a/1.png", "c/2.png", "b/1.heic", "annotations/1.xml")
    (tmp_path / "d").mkdir()
    dataset = Dataset.from_folder(tmp_path)
    assert names(dataset) == ("a", "b", "c", "d")
    assert dataset["label"].tolist() == [0, 2]
    assert "classes without files: b, d" in caplog.text
    assert "annotations" in caplog.text


def test_class_without_files_in_one_split_keeps_its_number(tmp_path: Path) -> None:
    write(tmp_path, "train/a/1.png", "train/c/1.png", "val/a/1.png", "val/b/1.png")
    (tmp_path / "train" / "b").mkdir()
    assert names(Dataset.from_folder(tmp_path, "train")) == ("a", "b", "c")


def test_numeric_classes_are_in_numeric_order(tmp_path: Path) -> None:
    write(tmp_path, *(f"{name}/1.png" for name in ("0", "1", "2", "10")))
    assert names(Dataset.from_folder(tmp_path)) == ("0", "1", "2", "10")


@pytest.mark.parametrize("folder", ["images", "cat", "data/images"])
def test_single_folder_is_not_a_class(folder: str, tmp_path: Path) -> None:
    write(tmp_path, f"{folder}/1.png", f"{folder}/2.png")
    assert list(Dataset.from_folder(tmp_path).features) == ["image"]


def test_folders_of_key_and_value_are_columns(tmp_path: Path) -> None:
    write(
        tmp_path,
        "split=train/year=2024/label=cat/1.png",
        "split=train/year=2025/label=dog/2.png",
        "split=test/year=2025/label=dog/3.png",
    )
    dataset = Dataset.from_folder(tmp_path, "train")
    assert dataset["year"].tolist() == [2024, 2025]
    assert names(dataset) == ("cat", "dog")
    assert dataset["label"].tolist() == [0, 1]
    test = Dataset.from_folder(tmp_path, "test")
    assert names(test) == ("cat", "dog")
    assert test["label"].tolist() == [1]


def test_values_of_folders_can_be_text_and_missing(tmp_path: Path) -> None:
    write(tmp_path, "city=S%C3%A3o Paulo/a/1.png", "city=__HIVE_DEFAULT_PARTITION__/b/2.png")
    dataset = Dataset.from_folder(tmp_path)
    assert [row["city"] for row in dataset] == ["São Paulo", None]
    assert names(dataset) == ("a", "b")


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (LFS, "git lfs pull"),
        ("/annex/objects/SHA256E-s12--ab.jpg\n", "git annex get"),
        ("outs:\n- md5: ab\n  path: 1.jpg\n", "dvc pull"),
    ],
)
def test_pointer_is_refused_with_the_command_that_downloads_the_file(
    content: str, command: str, tmp_path: Path
) -> None:
    write(tmp_path, "a/1.png", "b/1.jpg", "b/2.png")
    (tmp_path / "b" / "1.jpg").write_text(content)
    with pytest.raises(ReadError, match=r"b.1\.jpg: it is a") as caught:
        Dataset.from_folder(tmp_path)
    assert command in caught.value.hint
    write(tmp_path, "b/0.png")
    dataset = Dataset.from_folder(tmp_path)
    with pytest.raises(ReadError, match=r"b.1\.jpg: it is a"):
        list(dataset)


def _links(root: Path) -> None:
    (root / "1.jpg").symlink_to("nowhere")


def _annexed(root: Path) -> None:
    (root / "1.jpg").symlink_to(".git/annex/objects/1/1.jpg")


def _tracked(root: Path) -> None:
    (root / "images.dvc").write_text("outs:\n- md5: ab\n")


def _archives(root: Path) -> None:
    (root / "train.zip").write_bytes(b"PK")


def _table(root: Path) -> None:
    (root / "a.csv").write_text("n\n1\n")


def _unknown(root: Path) -> None:
    (root / "1.heic").touch()


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
@pytest.mark.parametrize(
    ("make", "reason", "hint"),
    [
        (_links, "broken links: 1.jpg", "restore"),
        (_annexed, "broken links: 1.jpg", "git annex get"),
        (_tracked, "DVC pointers: images.dvc", "dvc pull"),
        (_archives, "archives: train.zip", "dshub new"),
        (_unknown, ".heic (1)", ".jpg"),
        (_table, "tables: a.csv", "from_csv"),
    ],
)
def test_folder_without_media_says_what_it_has(
    make: object, reason: str, hint: str, tmp_path: Path
) -> None:
    assert callable(make)
    make(tmp_path)
    with pytest.raises(ReadError, match=re.escape(reason)) as caught:
        Dataset.from_folder(tmp_path)
    assert hint in caught.value.hint
