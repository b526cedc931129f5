"""Test folders of images and audio files as datasets."""

import io
import pickle
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.errors import ArgumentError, ReadError, SchemaError, SplitError, UnknownNameError


def save_image(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((2, 3, 3), value, np.uint8)).save(path)


def save_audio(path: Path, *, rate: int = 8000, samples: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, samples, "NONE", ""))
        file.writeframes(np.arange(samples, dtype="<i2").tobytes())


def labels_and_values(dataset: Dataset) -> list[tuple[str, int]]:
    """Return the class and the first pixel value of each row."""
    label = dataset.features["label"]
    assert isinstance(label, LabelFeature)
    return [(label.str(row["label"]), int(row["image"][0, 0, 0])) for row in dataset]


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Write two class folders with nested, hidden and other files."""
    for i, name in enumerate(["b/2.png", "a/x.PNG", "b/10.png", "a/deep/er/y.bmp", "b/1.png"]):
        save_image(tmp_path / "own" / name, i)
    save_image(tmp_path / "own" / "a" / ".hidden.png")
    save_image(tmp_path / "own" / ".git" / "z.png")
    (tmp_path / "own" / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "own" / "README.md").write_text("not an image")
    return tmp_path / "own"


def test_folder_for_each_class(class_folders: Path) -> None:
    """Rows are sorted by class and file name, and other files are ignored."""
    for path in (class_folders, str(class_folders)):
        dataset = Dataset.from_folder(path)
        assert labels_and_values(dataset) == [("a", 3), ("a", 1), ("b", 4), ("b", 2), ("b", 0)]
    assert dataset.features == {
        "image": ImageFeature(encoding="any"),
        "label": LabelFeature(names=("a", "b")),
    }
    assert dataset.supervised == ("image", "label")
    assert dataset["label"].tolist() == [0, 0, 1, 1, 1]
    assert dataset.decode(False)[1]["image"] == (class_folders / "a" / "x.PNG").read_bytes()
    (batch,) = dataset.batches(5, shuffle=True, supervised=True)
    assert (len(batch[0]), sorted(batch[1].tolist())) == (5, [0, 0, 1, 1, 1])


def test_files_are_read_when_their_rows_are_read(class_folders: Path) -> None:
    """A damaged or missing file raises an error only when its row is read."""
    dataset = Dataset.from_folder(class_folders)
    (class_folders / "b" / "10.png").write_bytes(b"\x89PNG damaged")
    (class_folders / "b" / "2.png").unlink()
    assert len(dataset[[0, 1, 2]]["image"]) == 3
    with pytest.raises(ReadError, match=r"10\.png, column image: it is not an image"):
        dataset[3]
    with pytest.raises(ReadError, match=r"2\.png: .*such file"):
        dataset[4]
    assert dataset["label"].tolist() == [0, 0, 1, 1, 1]


@pytest.fixture
def split_folders(tmp_path: Path) -> Path:
    """Write splits with different classes, and one without classes."""
    names = ["train/a/1.png", "train/c/2.png", "train/c/3.png", "valid/b/4.png", "valid/c/5.png"]
    for i, name in enumerate(names):
        save_image(tmp_path / "own" / name, i)
    save_image(tmp_path / "own" / "Test" / "9.png", 9)
    save_image(tmp_path / "own" / "Test" / "8.png", 8)
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", [("a", 0), ("c", 1), ("c", 2)]),
        ("valid", [("b", 3), ("c", 4)]),
        ("val", [("b", 3), ("c", 4)]),
        ("validation", [("b", 3), ("c", 4)]),
        ("train[1:]", [("c", 1), ("c", 2)]),
        ("train[:0]", []),
        ("val+train[:1]", [("b", 3), ("c", 4), ("a", 0)]),
    ],
)
def test_split_folders_are_found_by_name_or_synonym(
    split_folders: Path, split: str, expected: list[tuple[str, int]]
) -> None:
    dataset = Dataset.from_folder(split_folders, split=split)
    assert labels_and_values(dataset) == expected
    assert dataset.features["label"] == LabelFeature(names=("a", "b", "c"))


def test_split_without_classes_has_no_labels(split_folders: Path) -> None:
    dataset = Dataset.from_folder(split_folders, split="test")
    assert [row["image"][0, 0, 0] for row in dataset] == [8, 9]
    assert (list(dataset.features), dataset.supervised) == (["image"], None)
    with pytest.raises(ReadError, match=r"8\.png: it is not in a class folder"):
        Dataset.from_folder(split_folders, split="train+test")


def test_any_folder_can_be_a_split(tmp_path: Path) -> None:
    save_image(tmp_path / "fold0" / "a" / "1.png", 5)
    save_image(tmp_path / "fold0" / "b" / "1.png", 5)
    save_image(tmp_path / "fold1" / "b" / "2.png", 6)
    assert labels_and_values(Dataset.from_folder(tmp_path, split="fold1")) == [("b", 6)]
    assert Dataset.from_folder(tmp_path).features["label"] == LabelFeature(names=("fold0", "fold1"))


def test_class_can_be_named_like_a_split(tmp_path: Path) -> None:
    """If the other folders are not splits, `train` is a class."""
    save_image(tmp_path / "train" / "1.png", 1)
    save_image(tmp_path / "bus" / "2.png", 2)
    assert labels_and_values(Dataset.from_folder(tmp_path)) == [("bus", 2), ("train", 1)]


def test_split_is_required(split_folders: Path) -> None:
    """Splits are never mixed by default."""
    with pytest.raises(ArgumentError, match=r"one of the splits in .*: Test, train, valid"):
        Dataset.from_folder(split_folders)
    with pytest.raises(UnknownNameError, match="'trian'") as caught:
        Dataset.from_folder(split_folders, split="trian")
    assert caught.value.known == ("Test", "train", "valid")
    with pytest.raises(SplitError):
        Dataset.from_folder(split_folders, split="train[")


def test_folder_without_classes(tmp_path: Path) -> None:
    """A file next to class folders is an error."""
    for i in (2, 1):
        save_image(tmp_path / f"{i}.png", i)
    dataset = Dataset.from_folder(tmp_path)
    assert [row["image"][0, 0, 0] for row in dataset] == [1, 2]
    save_image(tmp_path / "cat" / "3.png")
    with pytest.raises(ReadError, match=r"1\.png: it is not in a class folder"):
        Dataset.from_folder(tmp_path)


def test_audio_files_of_one_rate_have_it_in_the_feature(tmp_path: Path) -> None:
    save_audio(tmp_path / "yes" / "1.wav", samples=4)
    save_audio(tmp_path / "no" / "2.wav", samples=7)
    dataset = Dataset.from_folder(tmp_path)
    assert dataset.features["audio"] == AudioFeature(rate=8000, channels=1, encoding="wav")
    assert [row["audio"].tolist() for row in dataset] == [list(range(7)), list(range(4))]
    assert dataset["label"].tolist() == [0, 1]


def test_flac_is_detected_by_content(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "a").mkdir()
    samples = np.arange(40, dtype=np.int16).reshape(20, 2)
    soundfile.write(tmp_path / "a" / "1.flac", samples, 44100)
    dataset = Dataset.from_folder(tmp_path)
    assert dataset.features["audio"] == AudioFeature(rate=44100, channels=2, encoding="flac")
    assert np.array_equal(dataset[0]["audio"], samples)


def _no_media(path: Path) -> None:
    (path / "cat").mkdir()
    (path / "cat" / "notes.pdf").write_text("not an image")


def _no_folder(path: Path) -> None:
    path.rmdir()


def _file(path: Path) -> None:
    path.rmdir()
    path.write_text("no folder")


def _image_and_audio(path: Path) -> None:
    save_image(path / "a" / "1.png")
    save_audio(path / "a" / "2.wav")


def _invalid_wav(path: Path) -> None:
    (path / "a").mkdir()
    (path / "a" / "1.wav").write_bytes(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (_no_media, ReadError, "own: it contains no image or audio files"),
        (_no_folder, ReadError, "own: No such file|own: .*cannot find"),
        (_file, ReadError, "own: "),
        (_image_and_audio, SchemaError, r"image \(a/1\.png\) and audio \(a/2\.wav\)"),
        (_invalid_wav, ReadError, r"1\.wav: it cannot be decoded: it is not WAV, FLAC, MP3"),
    ],
)
def test_invalid_folder_is_rejected(
    tmp_path: Path, make: Callable[[Path], None], kind: type[Exception], words: str
) -> None:
    (tmp_path / "own").mkdir()
    make(tmp_path / "own")
    with pytest.raises(kind, match=words):
        Dataset.from_folder(tmp_path / "own")


def test_fingerprint_depends_on_the_files(class_folders: Path) -> None:
    def fingerprint() -> str:
        return Dataset.from_folder(class_folders).fingerprint

    prints = [fingerprint()]
    assert fingerprint() == prints[0]
    save_image(class_folders / "b" / "3.png")
    prints.append(fingerprint())
    (class_folders / "b" / "3.png").rename(class_folders / "a" / "3.png")
    prints.append(fingerprint())
    (class_folders / "a" / "3.png").write_bytes(b"other")
    prints.append(fingerprint())
    assert len(set(prints)) == 4


def test_pickle_contains_no_file_contents(class_folders: Path) -> None:
    for i in range(20):
        noise = np.random.default_rng(i).integers(0, 256, (50, 50, 3), np.uint8)
        sink: Any = io.BytesIO()
        Image.fromarray(noise).save(sink, "PNG")
        (class_folders / "a" / f"{i}.png").write_bytes(sink.getvalue())
    dataset = Dataset.from_folder(class_folders)
    data = pickle.dumps(dataset)
    assert len(data) < 3000
    assert labels_and_values(pickle.loads(data)) == labels_and_values(dataset)


@pytest.mark.parametrize("name", ["cat/1.jpg", "cat/1.wav"])
@pytest.mark.parametrize(
    ("pointer", "command"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "git lfs pull"),
        ("/annex/objects/MD5E-s9--ab.jpg\n", "git annex get"),
        ("outs:\n- md5: ab\n  path: 1.jpg\n", "dvc pull"),
    ],
)
def test_pointers_instead_of_files_are_named(
    name: str, pointer: str, command: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(pointer)
    with pytest.raises(ReadError, match=r"cat/1\.\w+.*: it is a .* pointer") as caught:
        Dataset.from_folder(tmp_path)[0]
    assert command in caught.value.hint
