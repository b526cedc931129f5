"""Draft manifests for trees of text files in which each file is a row."""

from pathlib import Path

import pytest

from dshub.catalog.features import LabelFeature, TextFeature
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from tests.independent.own_files import write_text
from tests.publishing.authoring.conftest import New

CLASSES = LabelFeature(names=("neg", "pos"))


def write(data: Path, encoding: str, text: str = "“naïve”") -> None:
    """Write a text of each class in an encoding."""
    for name in ("pos/1.txt", "neg/1.txt", "neg/2.txt"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(f"{text} {name}\n".encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encoding_of_class_folders_is_found(new: New, data: Path, encoding: str) -> None:
    write(data, encoding)
    result = new(data)
    assert result.manifest.features == {"text": TextFeature(), "label": CLASSES}
    texts = sorted(row["text"] for row in result["train"])
    assert texts == [f"“naïve” {name}\n" for name in ("neg/1.txt", "neg/2.txt", "pos/1.txt")]
    assert bool(result.doubts("use --encoding")) == (encoding == "cp1252")


def test_stated_encoding_is_used(new: New, data: Path) -> None:
    write(data, "latin-1", "naïve")
    result = new(data, "--encoding", "latin-1")
    assert result["train"][0]["text"].startswith("naïve")
    assert not result.doubts("use --encoding")


def test_several_encodings_are_an_error(new: New, data: Path) -> None:
    write(data, "utf-8")
    (data / "pos" / "2.txt").write_bytes("naïve".encode("utf-16"))
    with pytest.raises(DshubError, match="several encodings"):
        new(data)


def test_texts_that_look_like_tables_are_texts(new: New, data: Path) -> None:
    """A review can begin with a brace, or have tabs."""
    for i in range(20):
        write_text(data / ("pos" if i % 2 else "neg") / f"{i:02d}.txt", f"review {i}")
    write_text(data / "pos" / "90.txt", '{"a": 1}')
    write_text(data / "neg" / "91.txt", "a\tb\nc\td\n")
    texts = [row["text"] for row in new(data)["train"]]
    assert len(texts) == 22
    assert '{"a": 1}' in texts
    assert "a\tb\nc\td\n" in texts


def test_markdown_files_are_documents(new: New, data: Path) -> None:
    write_text(data / "b.md", "# b\n\ntext\n")
    write_text(data / "notes" / "a.md", "a\n")
    result = new(data)
    assert sorted(row["text"] for row in result["train"]) == ["# b\n\ntext\n", "a\n"]


def test_files_beside_class_folders_are_skipped(new: New, data: Path) -> None:
    """The folders of aclImdb have lists of addresses beside the class folders."""
    for split in ("train", "test"):
        (data / "aclImdb" / split).mkdir(parents=True)
        write(data / "aclImdb" / split, "utf-8")
        write_text(data / "aclImdb" / split / "urls_pos.txt", "http://example.com\n")
    result = new(data / "aclImdb")
    assert result.manifest.features["label"] == CLASSES
    assert {name: len(rows) for name, rows in result.splits.items()} == {"train": 3, "test": 3}
    assert result.doubts("urls_pos.txt")


def test_several_text_files_are_documents_unless_lines_are_stated(new: New, data: Path) -> None:
    for i in range(2):
        write_text(data / f"{i}.txt", f"one {i}\ntwo {i}\n")
    result = new(data)
    assert [row["text"] for row in result["train"]] == [f"one {i}\ntwo {i}\n" for i in range(2)]
    assert result.doubts("--lines")
    assert [row["text"] for row in Dataset.from_folder(data)] == [
        r["text"] for r in result["train"]
    ]
    lines = new(data, "--lines", "--name", "me/lines")
    assert len(lines["train"]) == 4


def test_files_of_splits_are_lines_unless_documents_are_stated(new: New, data: Path) -> None:
    for name in ("train", "valid", "test"):
        write_text(data / f"{name}.txt", "one\ntwo\n")
    assert len(new(data)["train"]) == 2
    write_text(data / "train.txt", "one\ntwo\nthree\n")
    (data / "valid.txt").unlink()
    (data / "test.txt").unlink()
    result = new(data / "train.txt", "--documents", "--name", "me/documents")
    assert result["train"][0]["text"] == "one\ntwo\nthree\n"
