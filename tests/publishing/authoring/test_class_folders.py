import sys
import tarfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub.catalog.features import (
    AudioFeature,
    ImageFeature,
    LabelFeature,
)
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError, ReadError
from tests.independent.own_files import write_audio, write_image, write_text
from tests.publishing.authoring.conftest import New


def write_flowers(folder: Path, *, suffix: str = ".png") -> dict[str, list[Path]]:
    """Write two splits of two classes, and return the sorted files of each split."""
    for split, count in {"train": 4, "val": 2}.items():
        for i in range(count):
            write_image(folder / split / "tulip" / f"{i}{suffix}", i)
            write_image(folder / split / "rose" / f"{i}{suffix}", 10 + i)
    folders = {"train": "train", "validation": "val"}
    return {name: sorted((folder / own).rglob(f"*{suffix}")) for name, own in folders.items()}


def decode(path: Path) -> np.ndarray:
    """Decode an image with Pillow."""
    return np.asarray(Image.open(path).convert("RGB"))


def test_class_folders_become_splits_and_labels(new: New, data: Path) -> None:
    """Classes are sorted by name."""
    files = write_flowers(data)
    write_text(data / "README.md", "About flowers.")
    write_text(data / "train" / ".DS_Store", "x")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    result = new(data)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    assert result.manifest.features["label"] == LabelFeature(names=("rose", "tulip"))
    assert result.manifest.features["image"] == ImageFeature(shape=(8, 9, 3), encoding="png")
    assert result.manifest.supervised == ("image", "label")
    for split, paths in files.items():
        rows = result[split]
        assert len(rows) == len(paths)
        for i, path in enumerate(paths):
            assert np.array_equal(rows[i]["image"], decode(path))
            assert result.manifest.features["label"].names[rows[i]["label"]] == path.parent.name
    assert result.manifest.splits["train"].figures == {"label-counts": (4, 4)}
    assert result.doubts("README.md")
    assert result.doubts(".DS_Store")


def test_archive_of_a_folder_is_deterministic(new: New, data: Path) -> None:
    """The archive is a plain tar of files, without owners and timestamps."""
    write_flowers(data)
    first = new(data)
    packed = Path(first.answer["packed"])
    with tarfile.open(packed) as archive:
        names = archive.getnames()
        assert all(member.mtime == member.uid == 0 for member in archive)
    assert names == sorted(path.relative_to(data).as_posix() for path in data.rglob("*.png"))
    assert packed.parent == first.path.parent
    (data / "train" / "rose" / "0.png").touch()
    again = new(data, "-o", "elsewhere/1.0.0.toml")
    assert again.answer["resources"] == first.answer["resources"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_class_folders_in_an_archive_are_not_repacked(new: New, data: Path, kind: str) -> None:
    """The archive becomes the resource, even if it contains other files."""
    files = write_flowers(data / "flowers")
    write_text(data / "flowers" / "train" / "notes.txt", "Not an image.")
    write_text(data / "flowers" / "._x.png", "metadata of a file manager")
    path = data / f"flowers.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((data / "flowers").rglob("*")):
                archive.write(file, file.relative_to(data))
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as packed:
            packed.add(data / "flowers", "flowers")
    result = new(path)
    assert result.answer["packed"] is None
    assert list(result.answer["resources"]) == ["flowers"]
    rows = result["train"]
    expected = {decode(file).tobytes(): file.parent.name for file in files["train"]}
    names = result.manifest.features["label"].names
    assert {row["image"].tobytes(): names[row["label"]] for row in rows} == expected
    assert len(result["validation"]) == len(files["validation"])


def test_archives_named_like_splits_are_splits(new: New, data: Path) -> None:
    files = write_flowers(data / "flowers")
    for split in ("train", "val"):
        with zipfile.ZipFile(data / f"{split}.zip", "w") as archive:
            for file in sorted((data / "flowers" / split).rglob("*.png")):
                archive.write(file, file.relative_to(data / "flowers" / split))
    result = new(data / "train.zip", data / "val.zip", "--name", "own/flowers")
    assert {name: len(split) for name, split in result.splits.items()} == {
        name: len(paths) for name, paths in files.items()
    }
    assert result.manifest.features["label"] == LabelFeature(names=("rose", "tulip"))


def test_class_folders_without_splits_become_the_train_split(new: New, data: Path) -> None:
    """Images can differ in size and encoding; numeric class names are sorted by number."""
    for i, name in enumerate(["10", "2", "1"]):
        write_image(data / name / "a.png", i, size=(5 + i, 6))
        write_image(data / name / "b.jpg", i)
    result = new(data)
    assert list(result.splits) == ["train"]
    assert result.manifest.features["label"] == LabelFeature(names=("1", "2", "10"))
    assert result.manifest.features["image"] == ImageFeature(encoding="any")
    by_class = {
        row["label"]: row["image"].shape
        for row in result["train"]
        if row["image"].shape != (8, 9, 3)
    }
    assert by_class == {2: (6, 5, 3), 1: (6, 6, 3), 0: (6, 7, 3)}


def test_split_without_class_folders_has_no_labels(new: New, data: Path) -> None:
    write_flowers(data)
    write_image(data / "test" / "1.png", 5)
    write_image(data / "test" / "2.png", 6)
    result = new(data)
    assert result.manifest.splits["test"].without == ("label",)
    assert list(result["test"][0]) == ["image"]
    assert np.array_equal(result["test"][1]["image"], decode(data / "test" / "2.png"))
    assert len(result["train"].features) == 2


def test_folders_between_class_and_file_are_ignored(new: New, data: Path) -> None:
    for i, name in enumerate(["n01", "n02"]):
        write_image(data / "train" / name / "images" / "1.png", i)
    write_image(data / "val" / "images" / "1.png", 3)
    result = new(data)
    assert result.manifest.features["label"] == LabelFeature(names=("n01", "n02"))
    assert result["train"]["label"][:].tolist() == [0, 1]
    assert result.manifest.splits["validation"].without == ("label",)


def test_audio_in_class_folders_is_labeled(new: New, data: Path) -> None:
    for i, name in enumerate(["yes", "no"]):
        write_audio(data / name / "a.wav", i, rate=8000, channels=2)
    result = new(data)
    assert result.manifest.features["audio"] == AudioFeature(rate=8000, channels=2)
    with wave.open(str(data / "no" / "a.wav")) as file:
        samples = np.frombuffer(file.readframes(100), "<i2").reshape(100, 2)
    assert np.array_equal(result["train"][0]["audio"], samples)
    assert result["train"]["label"][:].tolist() == [0, 1]


def test_text_files_in_class_folders_are_labeled(new: New, data: Path) -> None:
    for split in ("train", "test"):
        for name in ("pos", "neg"):
            write_text(data / split / name / "0_9.txt", f"A {name} one,\nin {split}.\n")
    result = new(data)
    assert result["test"][1] == {"text": "A pos one,\nin test.\n", "label": 1}
    assert result.manifest.features["label"] == LabelFeature(names=("neg", "pos"))


def test_class_missing_from_a_split_is_reported(new: New, data: Path) -> None:
    """All splits share one list of classes."""
    write_flowers(data)
    write_image(data / "train" / "daisy" / "1.png", 3)
    result = new(data)
    assert result.manifest.splits["validation"].figures == {"label-counts": (0, 2, 2)}
    assert "daisy" in result.doubts("split validation")[0]


def test_error_names_files_outside_class_folders(new: New, data: Path) -> None:
    write_flowers(data)
    page = data / "train" / "rose" / "error.jpg"
    write_text(page, "<html>Sign in</html>")
    with pytest.raises(ReadError, match=r"error\.jpg: it is not an image"):
        new(data)
    page.unlink()
    write_image(data / "train" / "stray.png", 1)
    with pytest.raises(DshubError, match=r"not in a class folder: train/stray\.png"):
        new(data)
    (data / "train" / "stray.png").unlink()
    assert not list(Path().iterdir())


def test_files_beside_splits_are_a_doubt(new: New, data: Path) -> None:
    """The folder is not a class, and an option makes it a split."""
    write_flowers(data)
    write_image(data / "samples" / "rose" / "1.png", 1)
    write_image(data / "logo.png", 1)
    result = new(data)
    assert {name: len(split) for name, split in result.splits.items()} == {
        "train": 8,
        "validation": 4,
    }
    (doubt,) = result.doubts("beside the splits")
    assert "2 files" in doubt
    assert "--split NAME=PATH" in doubt
    stated = new(data, "--split", f"holdout={data / 'samples'}", "--force")
    assert len(stated["holdout"]) == 1
    assert stated["holdout"]["label"][:].tolist() == [0]


def test_audio_files_with_different_rates_keep_them_with_a_note(new: New, data: Path) -> None:
    write_audio(data / "yes" / "a.wav", 1)
    write_audio(data / "no" / "b.wav", 1, rate=8000)
    result = new(data)
    assert result.manifest.features["audio"] == AudioFeature(rate=0)
    assert result.doubts("8,000 Hz, 16,000 Hz")
    with wave.open(str(data / "no" / "b.wav")) as file:
        expected = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.array_equal(result["train"][0]["audio"], expected)
    (data / "no" / "b.wav").write_bytes((data / "no" / "b.wav").read_bytes()[:-1])
    with pytest.raises(ReadError, match=r"b\.wav: .* header promises"):
        new(data, "--force")


NFC, NFD = "caf\u00e9", "cafe\u0301"
TREES = {
    "wrapped": ["d/d/train/cat/1", "d/d/train/dog/1", "d/d/test/1"],
    "kaggle": ["seg_train/seg_train/sea/1", "seg_train/seg_train/ice/1", "seg_test/seg_test/sea/1"],
    "junk": ["train/cat/1", "train/dog/1", "val/cat/1", "__MACOSX/train/cat/1", "val/@eaDir/1"],
    "beside": ["train/cat/1", "train/dog/1", "val/cat/1", "samples/bird/1"],
    "train-is-a-class": ["train/1", "bus/1", "car/1"],
    "lone": ["images/1", "images/2"],
    "numeric": ["0/1", "1/1", "2/1", "10/1"],
    "nested": ["cat/a/1", "cat/b/2", "dog/c/d/3"],
    "unlabeled-test": ["train/cat/1", "train/dog/1", "test/test/1"],
    "lone-known-class": ["train/cat/1", "train/dog/1", "val/dog/1"],
    "holdout": ["train/cat/1", "train/dog/1", "holdout/cat/1"],
    "unicode": [f"train/{NFC}/1", "train/b/1", f"val/{NFD}/1"],
    "case": ["train/Cat/1", "train/Dog/1", "val/cat/1", "val/DOG/1"],
    "hive": ["split=train/label=cat/1", "split=train/label=dog/1", "split=test/label=dog/1"],
    "empty": ["a/1", "c/1", "b/"],
    "empty-in-a-split": ["train/a/1", "train/c/1", "val/a/1", "val/b/"],
    "not-a-class": ["cat/1", "dog/1", "notes/a.txt"],
}


@pytest.mark.parametrize("tree", TREES)
def test_from_folder_reads_the_same_rows(new: New, data: Path, tree: str) -> None:
    """Images, classes and splits are the same, in the same order within a class."""
    for number, name in enumerate(TREES[tree]):
        if name.endswith("/"):
            (data / name).mkdir(parents=True)
        elif name.endswith(".txt"):
            write_text(data / name, "text")
        else:
            write_image(data / f"{name}.png", number)
    result = new(data)
    for split, rows in result.splits.items():
        lone = len(result.splits) == 1 and split == "train"
        folder = Dataset.from_folder(data, None if lone else split)
        assert folder.features.get("label") == rows.features.get("label")
        assert sorted(map(summary, folder)) == sorted(map(summary, rows))


def summary(row: dict[str, Any]) -> tuple[int, bytes]:
    return int(row.get("label", -1)), row["image"].tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that differ in case")
def test_names_that_differ_only_in_case_cannot_be_packed(new: New, data: Path) -> None:
    """Class folders `A` and `a` can be read by `from_folder`."""
    for name in "Aab":
        write_image(data / name / "1.png", ord(name))
    with pytest.raises(DshubError, match=r"A/1\.png and a/1\.png: they differ only in case"):
        new(data)
    assert Dataset.from_folder(data)["label"].tolist() == [0, 1, 2]
