import os
import sys
import tarfile
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

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
    assert "1 broken links: cat/4.png" in result.doubts("broken")[0]
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
