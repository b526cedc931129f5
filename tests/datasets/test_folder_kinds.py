"""Test that each kind of folder opens with `load(path)` as with `Dataset.from_folder`."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import Dataset
from dshub.errors import ReadError
from dshub.hub.hub import Hub
from tests.datasets.test_beside import images
from tests.end_to_end.practitioners.files import tree

VOC = "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax>"
VOC += "<ymax>2</ymax></bndbox></object></annotation>"


def documents(root: Path) -> None:
    names = ("train/pos/1.txt", "train/neg/1.txt", "test/pos/1.txt", "test/neg/1.txt")
    tree(dict.fromkeys(names, "text"))(root)


def annotations(root: Path) -> None:
    images(root, "JPEGImages/1.png", "JPEGImages/2.png")
    tree({f"Annotations/{i}.xml": VOC for i in "12"})(root)
    tree({"ImageSets/Main/train.txt": "1\n", "ImageSets/Main/test.txt": "2\n"})(root)


def tables(root: Path) -> None:
    images(root, "clips/1.png", "clips/2.png")
    tree({"train.tsv": "path\tage\n1.png\t3\n", "test.tsv": "path\tage\n2.png\t4\n"})(root)


def lists(root: Path) -> None:
    images(root, "a/1.png", "b/1.png")
    tree({"train.txt": "a/1.png\n", "test.txt": "b/1.png\n"})(root)


@pytest.mark.parametrize("write", [documents, annotations, tables, lists])
def test_path_opens_every_split(write: Callable[[Path], None], hub: Hub, tmp_path: Path) -> None:
    write(tmp_path / "data")
    splits = hub.load(str(tmp_path / "data"))
    assert sorted(splits) == ["test", "train"]
    for name, split in splits.items():
        other = Dataset.from_folder(tmp_path / "data", name)
        assert (split.features, len(split)) == (other.features, len(other))


def test_files_of_systems_are_not_rows(tmp_path: Path) -> None:
    """Documents and annotated images skip the same files as images."""
    documents(tmp_path)
    tree({"train/pos/.ipynb_checkpoints/1.txt": "x", "train/pos/@eaDir/1.txt": "x"})(tmp_path)
    assert len(Dataset.from_folder(tmp_path, "train")) == 2


def test_links_in_circles_end(tmp_path: Path) -> None:
    documents(tmp_path)
    (tmp_path / "train" / "pos" / "all").symlink_to(tmp_path)
    assert len(Dataset.from_folder(tmp_path, "train")) == 2


def test_splits_of_documents_follow_the_rules_of_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree({"my_train/a/1.txt": "x", "my_train/b/1.txt": "x", "my_test/b/1.txt": "x"})(tmp_path)
    assert Dataset.from_folder(tmp_path, "test")["label"].tolist() == [1]
    tree({f"other/{name}/1.txt": "x" for name in ("car", "train")})(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert len(Dataset.from_folder(tmp_path / "other")) == 2
    assert "train is read as a class" in caplog.text


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="absent: No such file"):
        Dataset.from_folder(tmp_path / "absent")
