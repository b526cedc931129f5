import io
import os
import shutil
import sys
import tarfile
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from dshub.catalog.features import LabelFeature
from dshub.errors import DshubError, ReadError, StoreError, UnsafeArchiveError
from dshub.progress import Silent
from dshub.publishing.authoring.drafting import Request, draft
from dshub.publishing.authoring.survey import key, split_in
from tests.independent.own_files import write_image, write_text
from tests.publishing.authoring.conftest import New


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_links_are_followed_and_told(new: New, data: Path, tmp_path: Path) -> None:
    """Snapshots of Hugging Face consist of links out of the folder."""
    write_image(data / "cat" / "1.png", 1)
    write_image(tmp_path / "blobs" / "2.png", 2)
    write_image(tmp_path / "dogs" / "3.png", 3)
    (data / "cat" / "2.png").symlink_to(tmp_path / "blobs" / "2.png")
    (data / "dog").symlink_to(tmp_path / "dogs")
    (data / "cat" / "4.png").symlink_to("nowhere.png")
    (data / "cat" / "5.png").symlink_to("../.git/annex/objects/5/5.png")
    (data / "cat" / "round").symlink_to(data)
    result = new(data)
    with tarfile.open(result.answer["packed"]) as archive:
        assert archive.getnames() == ["cat/1.png", "cat/2.png", "dog/3.png"]
        assert all(member.isreg() for member in archive)
    assert result["train"]["label"][:].tolist() == [0, 0, 1]
    assert "2 links: dog, cat/2.png" in result.doubts("followed")[0]
    assert "broken links: cat/4.png" in result.doubts("broken")[0]
    assert "cat/5.png" in result.doubts("git annex get")[0]
    assert "cat/round" in result.doubts("links to folders that contain")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_special_files_are_not_opened(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b\n1,2\n")
    os.mkfifo(data / "test.csv")
    result = new(data)
    assert list(result.splits) == ["train"]
    assert result.doubts("special files")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
@pytest.mark.parametrize("unreadable", ["test.csv", "below"])
def test_unreadable_file_or_folder_is_an_error(
    data: Path, enterable: Path, unreadable: str
) -> None:
    """Skipping a file silently would change the dataset."""
    write_text(data / "train.csv", "a,b\n1,2\n")
    write_text(data / "test.csv", "a,b\n1,2\n")
    write_text(data / "below" / "more.csv", "a,b\n1,2\n")
    (data / unreadable).chmod(0)
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            with pytest.raises(StoreError, match=f"{unreadable}: Permission denied"):
                draft(Request((data,)), ExitStack(), Silent())
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (data / unreadable).chmod(0o755)


def test_unsafe_and_truncated_archives_are_rejected(new: New, data: Path) -> None:
    with zipfile.ZipFile(data / "out.zip", "w") as archive:
        archive.writestr("../cat/1.png", b"\x89PNG")
    with pytest.raises(UnsafeArchiveError, match=r"out\.zip"):
        new(data / "out.zip")
    write_image(data / "cat" / "1.png", 1)
    with tarfile.open(data / "cut.tar.gz", "w:gz") as packed:
        packed.add(data / "cat", "cat")
    content = (data / "cut.tar.gz").read_bytes()
    (data / "cut.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ReadError, match=r"cut\.tar\.gz"):
        new(data / "cut.tar.gz")
    assert not list(Path().iterdir())


def test_files_and_classes_can_have_any_name(new: New, data: Path) -> None:
    names = ["the cat", "{dog}", "[a-z]*" if sys.platform != "win32" else "[a-z]", "Katze-ü"]
    for i, name in enumerate(names):
        write_image(data / "train {set}" / "train" / name / "ein Bild {1}.png", i)
    result = new(data)
    assert set(result.manifest.features["label"].names) == set(names)
    assert len(result["train"]) == len(names)


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8")
@pytest.mark.parametrize("folder", ["", "cat"])
def test_name_that_is_not_utf_8_is_an_error(new: New, data: Path, folder: str) -> None:
    (data / folder).mkdir(exist_ok=True)
    (data / folder / os.fsdecode(b"train-\xff.csv")).write_text("a,b\n1,2\n")
    with pytest.raises(DshubError, match=r"udcff.*is not UTF-8"):
        new(data)


def zip_with_names(path: Path, names: list[bytes]) -> Path:
    """Write a zip of images as programs on Windows do, with names in a code page and no flag."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            sink = io.BytesIO()
            Image.new("RGB", (4, 4), (number, 0, 0)).save(sink, "PNG")
            archive.writestr(chr(number + 1) * len(name), sink.getvalue())
    content = path.read_bytes()
    for number, name in enumerate(names):
        content = content.replace(bytes([number + 1]) * len(name), name)
    path.write_bytes(content)
    return path


CODE_PAGES = {
    "gbk": ("\u82f9\u679c", "\u9999\u8549\u8549"),
    "shift_jis": ("\u8868", "\u30bd\u30d5\u30c8"),  # with bytes like a backslash
    "cp1252": ("caf\u00e9", "\u00fcber"),
    "cp866": ("\u043a\u043e\u0442", "\u0441\u043e\u0431\u0430\u043a\u0430"),
    "cp437": ("caf\u00e9", "\u00fcber"),
}


@pytest.mark.parametrize("encoding", CODE_PAGES)
def test_encoding_of_names_in_a_zip_can_be_stated(new: New, data: Path, encoding: str) -> None:
    names = CODE_PAGES[encoding]
    path = zip_with_names(data / "d.zip", [f"{name}/1.png".encode(encoding) for name in names])
    result = new(path, "--zip-encoding", encoding)
    label = result.manifest.features["label"]
    assert isinstance(label, LabelFeature)
    assert label.names == tuple(sorted(names))
    reds = {int(row["image"][0, 0, 0]): label.names[row["label"]] for row in result["train"]}
    assert reds == dict(enumerate(names))
    assert not result.doubts("encoding")


def test_unknown_encoding_of_names_in_a_zip_is_a_doubt(new: New, data: Path) -> None:
    names = [f"{name}/1.png".encode("gbk") for name in CODE_PAGES["gbk"]]
    (doubt,) = new(zip_with_names(data / "d.zip", names)).doubts("cp437")
    assert "--zip-encoding" in doubt
    assert f"gbk gives {CODE_PAGES['gbk'][1]}/1.png" in doubt


def test_utf_8_names_in_a_zip_need_no_flag(new: New, data: Path) -> None:
    names = [f"{name}/1.png".encode() for name in CODE_PAGES["gbk"]]
    result = new(zip_with_names(data / "d.zip", names))
    assert set(result.manifest.features["label"].names) == set(CODE_PAGES["gbk"])
    assert not result.doubts("cp437")


def test_wrong_encoding_of_names_in_a_zip_is_an_error(new: New, data: Path) -> None:
    path = zip_with_names(data / "d.zip", [b"caf\xe9/1.png", b"a/1.png"])
    with pytest.raises(ReadError, match="is not big5"):
        new(path, "--zip-encoding", "big5")
    path = zip_with_names(data / "e.zip", ["\u8868/1.png".encode("shift_jis"), b"a/1.png"])
    with pytest.raises(UnsafeArchiveError, match="backslash") as caught:
        new(path)
    assert "--zip-encoding" in caught.value.hint


def test_duplicate_path_is_an_error(new: New, data: Path) -> None:
    write_text(data / "train.csv", "a,b\n1,2\n")
    with pytest.raises(DshubError, match="passed more than once"):
        new(data, data / "train.csv")


def test_long_names_are_parsed_in_linear_time() -> None:
    began = time.process_time()
    assert split_in("a-" * 100_000) == (None, "a-" * 100_000)
    assert key("-" * 200_000) == "part"
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("name", "split", "rest"),
    [
        ("train-images-idx3-ubyte.gz", "train", "images-idx3-ubyte.gz"),
        ("x_train", "train", "x"),
        ("Validation.csv", "validation", ".csv"),
        ("trainer.csv", None, "trainer.csv"),
    ],
)
def test_split_is_detected_in_file_names(name: str, split: str | None, rest: str) -> None:
    assert split_in(name) == (split, rest)


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_folder_of_broken_links_says_what_to_run(new: New, data: Path) -> None:
    (data / "cat").mkdir()
    for name in ("1.png", "2.png"):
        (data / "cat" / name).symlink_to(f"../.git/annex/objects/{name}/{name}")
    with pytest.raises(DshubError, match=r"2 links of git-annex .*`git annex get`"):
        new(data)


def test_pointer_among_images_is_an_error(new: New, data: Path) -> None:
    write_image(data / "cat" / "1.png", 1)
    write_text(data / "dog" / "1.jpg", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ReadError, match=r"dog.1\.jpg: it is a Git LFS pointer") as caught:
        new(data)
    assert "git lfs pull" in caught.value.hint


def test_archives_in_a_folder_are_read(new: New, data: Path) -> None:
    """Archives named like splits are splits, as in competitions of Kaggle."""
    for split, members in {"train": ["cat/1.png", "dog/2.png"], "test": ["3.png"]}.items():
        for number, member in enumerate(members):
            write_image(data / "source" / split / member, number)
        with zipfile.ZipFile(data / f"{split}.zip", "w") as archive:
            for member in members:
                archive.write(data / "source" / split / member, f"{split}/{member}")
    shutil.rmtree(data / "source")
    result = new(data)
    assert result["train"]["label"][:].tolist() == [0, 1]
    assert list(result["test"].features) == ["image"]
