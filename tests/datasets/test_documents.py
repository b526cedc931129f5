"""Create datasets from folders of text files."""

from pathlib import Path

import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import LabelFeature, TextFeature
from dshub.errors import ArgumentError, ReadError
from tests.independent.own_files import write_image, write_text


def imdb(root: Path) -> None:
    """Write the layout of aclImdb, with files that are not documents."""
    for split in ("train", "test"):
        for name, text in {
            "pos/0_9.txt": "goød<br />\n",
            "pos/1_7.txt": "",
            "neg/0_1.txt": "bad",
        }.items():
            write_text(root / split / name, text)
        write_text(root / split / "urls_pos.txt", "http://example.com\n")
    write_text(root / "README.txt", "about")


def test_class_folders_of_texts_have_labels(tmp_path: Path) -> None:
    imdb(tmp_path)
    ds = Dataset.from_folder(tmp_path, "train")
    assert ds.features == {"text": TextFeature(), "label": LabelFeature(names=("neg", "pos"))}
    assert [(row["text"], row["label"]) for row in ds] == [("bad", 0), ("goød<br />\n", 1), ("", 1)]
    assert ds.supervised == ("text", "label")
    assert len(Dataset.from_folder(tmp_path, "train+test[:1]")) == 4
    assert Dataset.from_folder(tmp_path / "test").features == ds.features


def test_splits_must_be_chosen(tmp_path: Path) -> None:
    imdb(tmp_path)
    with pytest.raises(ArgumentError, match="test, train"):
        Dataset.from_folder(tmp_path)
    with pytest.raises(DshubError, match="valid"):
        Dataset.from_folder(tmp_path, "valid")


def test_documents_of_one_folder_have_no_labels(tmp_path: Path) -> None:
    """A lone folder is not a class."""
    write_text(tmp_path / "b.md", "# b")
    write_text(tmp_path / "notes" / "a.TXT", "a")
    write_text(tmp_path / ".hidden" / "c.txt", "c")
    write_text(tmp_path / "README.md", "about")
    ds = Dataset.from_folder(tmp_path)
    assert ds.features == {"text": TextFeature()}
    assert ds["text"][:] == ["# b", "a"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_state_the_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("naïve 読む".encode(encoding))
    assert Dataset.from_folder(tmp_path)[0] == {"text": "naïve 読む"}


def test_other_encodings_must_be_stated(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("“naïve”".encode("cp1252"))
    with pytest.raises(ReadError, match=r"a\.txt: byte 1, 0x93, is not utf-8") as caught:
        Dataset.from_folder(tmp_path)[0]
    assert "encoding='cp1252'" in caught.value.hint
    stated = Dataset.from_folder(tmp_path, encoding="cp1252")
    assert stated[0] == {"text": "“naïve”"}
    assert stated.fingerprint != Dataset.from_folder(tmp_path).fingerprint


@pytest.mark.parametrize("name", ["README.md", "sizes.txt"])
def test_a_text_beside_other_files_is_no_dataset(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "about")
    write_text(tmp_path / "a.tar", "x")
    with pytest.raises(ReadError, match="no image or audio files"):
        Dataset.from_folder(tmp_path)


def test_images_with_captions_are_images(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", 1)
    write_text(tmp_path / "1.txt", "a caption")
    assert list(Dataset.from_folder(tmp_path).features) == ["image", "text"]


def test_removed_file_is_an_error(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a")
    ds = Dataset.from_folder(tmp_path)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(ReadError, match=r"a\.txt"):
        ds[0]
