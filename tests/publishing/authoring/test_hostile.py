"""Folders that are not what one would wish for."""

import os
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dshub.errors import DshubError, ReadError, StoreError, UnsafeArchiveError
from dshub.progress import Silent
from dshub.publishing.authoring.drafting import Request, draft
from dshub.publishing.authoring.outline import cover
from dshub.publishing.authoring.scanning import renamed
from dshub.publishing.authoring.survey import key, split_in
from tests.independent.own_files import picture, text

Made = Callable[..., Any]

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")


@posix
def test_links_that_lead_out_are_left_alone(made: Made, data: Path, tmp_path: Path) -> None:
    """Nothing outside of the folder gets into the archive; a link within it is a file."""
    picture(data / "cat" / "1.png", 1)
    picture(data / "dog" / "1.png", 2)
    picture(tmp_path / "secret" / "2.png", 3)
    (data / "cat" / "2.png").symlink_to(tmp_path / "secret" / "2.png")
    (data / "cat" / "3.png").symlink_to(data / "dog" / "1.png")
    (data / "cat" / "4.png").symlink_to("nowhere.png")
    (data / "more").symlink_to(tmp_path / "secret")
    (data / "round").symlink_to(data)
    result = made(data)
    with tarfile.open(result.answer["packed"]) as archive:
        assert archive.getnames() == ["cat/1.png", "cat/3.png", "dog/1.png"]
        assert all(member.isreg() for member in archive)
    told = result.doubts("leads elsewhere")[0]
    assert "cat/2.png" in told
    assert len(result["train"]) == 3


@posix
def test_what_is_no_file_is_never_opened(made: Made, data: Path) -> None:
    """A pipe would be waited for without end."""
    text(data / "train.csv", "a,b\n1,2\n")
    os.mkfifo(data / "test.csv")
    result = made(data)
    assert list(result.splits) == ["train"]
    assert result.doubts("neither a file nor a folder")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
@pytest.mark.parametrize("forbidden", ["test.csv", "below"])
def test_what_may_not_be_read_is_named(data: Path, enterable: Path, forbidden: str) -> None:
    """A dataset that silently lacks a file, or a folder, would be another one."""
    text(data / "train.csv", "a,b\n1,2\n")
    text(data / "test.csv", "a,b\n1,2\n")
    text(data / "below" / "more.csv", "a,b\n1,2\n")
    (data / forbidden).chmod(0)
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            with pytest.raises(StoreError, match=f"{forbidden}: Permission denied"):
                draft(Request((data,)), ExitStack(), Silent())
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (data / forbidden).chmod(0o755)


def test_archives_that_must_not_be_touched_are_refused(made: Made, data: Path) -> None:
    """As when they are fetched: a name that leads out, and one that is cut short."""
    with zipfile.ZipFile(data / "out.zip", "w") as archive:
        archive.writestr("../cat/1.png", b"\x89PNG")
    with pytest.raises(UnsafeArchiveError, match="points outside the archive"):
        made(data / "out.zip")
    picture(data / "cat" / "1.png", 1)
    with tarfile.open(data / "cut.tar.gz", "w:gz") as packed:
        packed.add(data / "cat", "cat")
    whole = (data / "cut.tar.gz").read_bytes()
    (data / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match=r"cut\.tar\.gz"):
        made(data / "cut.tar.gz")
    assert not list(Path().iterdir())


def test_names_of_every_kind_come_through(made: Made, data: Path) -> None:
    """Blanks, braces, brackets, letters of other scripts: in folders, files and classes."""
    names = ["the cat", "{dog}", "[a-z]*" if sys.platform != "win32" else "[a-z]", "Katze-ü"]
    for i, name in enumerate(names):
        picture(data / "train {set}" / "train" / name / "ein Bild {1}.png", i)
    result = made(data)
    assert set(result.manifest.features["label"].names) == set(names)
    assert len(result["train"]) == len(names)


def test_columns_of_every_name_come_through(made: Made, data: Path) -> None:
    """Names that a manifest cannot have are changed, each to one of its own."""
    text(data / "train.csv", ',"A ""b""",a b,größe,価格,text\n' + "0,1,2,3,4,x\n1,2,3,4,5,y\n")
    result = made(data)
    assert list(result.manifest.features) == [
        "column_1",
        "a_b",
        "a_b_2",
        "grosse" if "grosse" in result.manifest.features else "groe",
        "column_5",
        "text",
    ]
    assert list(result["train"][1].values()) == [1, 2, 3, 4, 5, "y"]


def test_the_same_path_twice_is_an_error(made: Made, data: Path) -> None:
    """Its rows would be there twice."""
    text(data / "train.csv", "a,b\n1,2\n")
    with pytest.raises(DshubError, match="named twice"):
        made(data, data / "train.csv")


def test_text_that_is_not_utf_8_is_told(made: Made, data: Path) -> None:
    """It is no kind that is read, and the hint says which encoding is."""
    (data / "train.csv").write_bytes("Größe,b\n1,2\n".encode("latin-1"))
    with pytest.raises(DshubError, match=r"train\.csv") as caught:
        made(data)
    assert "UTF-8" in caught.value.hint


def test_many_folders_and_columns_are_named_in_linear_time() -> None:
    """Patterns are not tried on every file, nor names on every other name."""
    wanted = [f"{i}/x.jpg" for i in range(5000)]
    began = time.process_time()
    patterns = cover(wanted, [*wanted, "sample.jpg"], "")
    assert patterns == sorted(f"{i}/*.jpg" for i in range(5000))
    columns = renamed([f"A {i}?!" for i in range(20_000)])
    assert len(set(columns.values())) == 20_000
    assert split_in("a-" * 100_000) == (None, "a-" * 100_000)
    assert key("-" * 200_000) == "part"
    assert time.process_time() - began < 2
