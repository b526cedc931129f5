"""Class folders: of pictures, recordings and texts, in a folder or an archive."""

import io
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.errors import DshubError, ReadError
from tests.independent.own_files import picture, recording, text

Made = Callable[..., Any]


def flowers(folder: Path, *, suffix: str = ".png") -> dict[str, list[Path]]:
    """Two splits of two classes, and the files of each in order."""
    for split, count in {"train": 4, "val": 2}.items():
        for i in range(count):
            picture(folder / split / "tulip" / f"{i}{suffix}", i)
            picture(folder / split / "rose" / f"{i}{suffix}", 10 + i)
    found = {"train": "train", "validation": "val"}
    return {name: sorted((folder / own).rglob(f"*{suffix}")) for name, own in found.items()}


def pixels(path: Path) -> np.ndarray:
    """A picture as Pillow decodes it."""
    return np.asarray(Image.open(path).convert("RGB"))


def test_pictures_in_class_folders_come_back_pixel_for_pixel(made: Made, data: Path) -> None:
    """Splits and classes are those of the folders, classes in the order of their names."""
    files = flowers(data)
    text(data / "README.md", "About flowers.")
    text(data / "train" / ".DS_Store", "x")
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    result = made(data)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    assert result.manifest.features["label"] == LabelFeature(names=("rose", "tulip"))
    assert result.manifest.features["image"] == ImageFeature(shape=(8, 9, 3), encoding="png")
    assert result.manifest.supervised == ("image", "label")
    for split, paths in files.items():
        found = result[split]
        assert len(found) == len(paths)
        for i, path in enumerate(paths):
            assert np.array_equal(found[i]["image"], pixels(path))
            assert result.manifest.features["label"].names[found[i]["label"]] == path.parent.name
    assert result.manifest.splits["train"].figures == {"label-counts": (4, 4)}
    assert result.doubts("README.md")
    assert result.doubts(".DS_Store")


def test_the_archive_of_a_folder_is_always_the_same(made: Made, data: Path) -> None:
    """It is a plain tar of the files alone, whoever made it and whenever."""
    flowers(data)
    first = made(data)
    packed = Path(first.answer["packed"])
    with tarfile.open(packed) as archive:
        names = archive.getnames()
        assert all(member.mtime == member.uid == 0 for member in archive)
    assert names == sorted(path.relative_to(data).as_posix() for path in data.rglob("*.png"))
    assert packed.parent == first.path.parent
    (data / "train" / "rose" / "0.png").touch()
    again = made(data, "-o", "elsewhere/1.0.0.toml")
    assert again.answer["resources"] == first.answer["resources"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_class_folders_in_an_archive_stay_in_it(made: Made, data: Path, kind: str) -> None:
    """The archive is the resource, whatever else lies in it, and nothing is packed."""
    files = flowers(data / "flowers")
    text(data / "flowers" / "train" / "notes.txt", "Not a picture.")
    text(data / "flowers" / "._x.png", "a file manager's")
    path = data / f"flowers.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((data / "flowers").rglob("*")):
                archive.write(file, file.relative_to(data))
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as packed:
            packed.add(data / "flowers", "flowers")
    result = made(path)
    assert result.answer["packed"] is None
    assert list(result.answer["resources"]) == ["flowers"]
    found = result["train"]
    wanted = {pixels(file).tobytes(): file.parent.name for file in files["train"]}
    names = result.manifest.features["label"].names
    assert {row["image"].tobytes(): names[row["label"]] for row in found} == wanted
    assert len(result["validation"]) == len(files["validation"])


def test_one_archive_for_each_split(made: Made, data: Path) -> None:
    """Archives named like splits are the splits."""
    files = flowers(data / "flowers")
    for split in ("train", "val"):
        with zipfile.ZipFile(data / f"{split}.zip", "w") as archive:
            for file in sorted((data / "flowers" / split).rglob("*.png")):
                archive.write(file, file.relative_to(data / "flowers" / split))
    result = made(data / "train.zip", data / "val.zip", "--name", "own/flowers")
    assert {name: len(split) for name, split in result.splits.items()} == {
        name: len(paths) for name, paths in files.items()
    }
    assert result.manifest.features["label"] == LabelFeature(names=("rose", "tulip"))


def test_folders_without_splits_are_train(made: Made, data: Path) -> None:
    """Pictures of several sizes and kinds keep them; numbered folders are in their order."""
    for i, name in enumerate(["10", "2", "1"]):
        picture(data / name / "a.png", i, size=(5 + i, 6))
        picture(data / name / "b.jpg", i)
    result = made(data)
    assert list(result.splits) == ["train"]
    assert result.manifest.features["label"] == LabelFeature(names=("1", "2", "10"))
    assert result.manifest.features["image"] == ImageFeature(encoding="any")
    by_class = {
        row["label"]: row["image"].shape
        for row in result["train"]
        if row["image"].shape != (8, 9, 3)
    }
    assert by_class == {2: (6, 5, 3), 1: (6, 6, 3), 0: (6, 7, 3)}


def test_a_test_split_without_class_folders_is_without_label(made: Made, data: Path) -> None:
    """Hidden labels are absent rather than made up."""
    flowers(data)
    picture(data / "test" / "1.png", 5)
    picture(data / "test" / "2.png", 6)
    result = made(data)
    assert result.manifest.splits["test"].without == ("label",)
    assert list(result["test"][0]) == ["image"]
    assert np.array_equal(result["test"][1]["image"], pixels(data / "test" / "2.png"))
    assert len(result["train"].features) == 2


def test_folders_between_class_and_file_are_passed_over(made: Made, data: Path) -> None:
    """Tiny ImageNet's `train/n01/images/1.png`, and its `val/images/1.png` that has no class."""
    for i, name in enumerate(["n01", "n02"]):
        picture(data / "train" / name / "images" / "1.png", i)
    picture(data / "val" / "images" / "1.png", 3)
    result = made(data)
    assert result.manifest.features["label"] == LabelFeature(names=("n01", "n02"))
    assert result["train"]["label"][:].tolist() == [0, 1]
    assert result.manifest.splits["validation"].without == ("label",)


def test_recordings_in_class_folders(made: Made, data: Path) -> None:
    """Rate and channels come from the files, and samples are those that were written."""
    for i, name in enumerate(["yes", "no"]):
        recording(data / name / "a.wav", i, rate=8000, channels=2)
    result = made(data)
    assert result.manifest.features["audio"] == AudioFeature(rate=8000, channels=2)
    with wave.open(str(data / "no" / "a.wav")) as file:
        samples = np.frombuffer(file.readframes(100), "<i2").reshape(100, 2)
    assert np.array_equal(result["train"][0]["audio"], samples)
    assert result["train"]["label"][:].tolist() == [0, 1]


def test_texts_in_class_folders(made: Made, data: Path) -> None:
    """A file is a row, whatever lines are in it."""
    for split in ("train", "test"):
        for name in ("pos", "neg"):
            text(data / split / name / "0_9.txt", f"A {name} one,\nin {split}.\n")
    result = made(data)
    assert result["test"][1] == {"text": "A pos one,\nin test.\n", "label": 1}
    assert result.manifest.features["label"] == LabelFeature(names=("neg", "pos"))


def test_classes_that_a_split_lacks_are_told(made: Made, data: Path) -> None:
    """A class of one split alone is a class of all, and somebody should know."""
    flowers(data)
    picture(data / "train" / "daisy" / "1.png", 3)
    result = made(data)
    assert result.manifest.splits["validation"].figures == {"label-counts": (0, 2, 2)}
    assert "daisy" in result.doubts("split validation")[0]


def test_what_cannot_be_class_folders_is_an_error_that_names_it(made: Made, data: Path) -> None:
    """A page of a browser, a stray picture, a split among others: each with its name."""
    flowers(data)
    page = data / "train" / "rose" / "error.jpg"
    text(page, "<html>Sign in</html>")
    with pytest.raises(ReadError, match=r"error\.jpg: it is no picture"):
        made(data)
    page.unlink()
    picture(data / "train" / "stray.png", 1)
    with pytest.raises(DshubError, match=r"train/stray\.png lie in no class folder"):
        made(data)
    (data / "train" / "stray.png").unlink()
    picture(data / "samples" / "1.png", 1)
    with pytest.raises(DshubError, match=r"samples/1\.png belong to no split"):
        made(data)
    assert not list(Path().iterdir())


def test_names_that_would_be_one_file_elsewhere_are_refused(made: Made, data: Path) -> None:
    """A tar of them could not be read on every system; both are named."""
    picture(data / "cat" / "1.png", 1)
    picture(data / "cat" / "A.png", 2)
    picture(data / "dog" / "1.png", 3)
    picture(data / "cat" / "a.png", 2)
    if len(list((data / "cat").iterdir())) < 3:
        pytest.skip("names have no case here")
    with pytest.raises(DshubError, match=r"cat/A\.png.*cat/a\.png"):
        made(data)


def test_recordings_that_differ_are_told_apart(made: Made, data: Path) -> None:
    """One feature has one rate; the error shows both and a file of each."""
    recording(data / "yes" / "a.wav", 1)
    recording(data / "no" / "b.wav", 1, rate=8000)
    with pytest.raises(DshubError, match=r"no/b\.wav: wav, 8,000 Hz.*yes/a\.wav: wav, 16,000 Hz"):
        made(data)


def test_a_picture_that_is_turned_has_the_shape_it_is_shown_in(made: Made, data: Path) -> None:
    """A camera's note of how it was held changes height and width, as decoding does."""
    for name in ("a", "b"):
        image = Image.new("RGB", (9, 4), "red")
        exif = image.getexif()
        exif[0x0112] = 6
        sink = io.BytesIO()
        image.save(sink, "jpeg", exif=exif)
        (data / name).mkdir()
        (data / name / "1.jpg").write_bytes(sink.getvalue())
    result = made(data)
    assert result.manifest.features["image"] == ImageFeature(shape=(9, 4, 3), encoding="jpeg")
    assert result["train"][0]["image"].shape == (9, 4, 3)
