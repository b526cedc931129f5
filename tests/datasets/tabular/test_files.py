import gzip
import os
from pathlib import Path

import pytest

from dshub.datasets.tabular.files import find_files
from dshub.errors import ArgumentError, ReadError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv.gz", "notes.md", ".hidden.csv", "in/c.tsv", "__MACOSX/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n1\n")
    return tmp_path


def names(found: list) -> list[str]:
    return [file.path.name for file in found]


def test_files_are_found_by_path_folder_and_pattern(folder: Path) -> None:
    suffixes = (".csv", ".tsv")
    assert names(find_files(folder / "notes.md", suffixes)) == ["notes.md"]
    assert names(find_files(str(folder), suffixes)) == ["a.csv.gz", "b.csv", "c.tsv"]
    assert names(find_files(f"{folder}/*.csv*", suffixes)) == ["a.csv.gz", "b.csv"]
    assert names(find_files(folder / "**" / "*.tsv", suffixes)) == ["c.tsv"]
    several: list[str | Path] = [folder / "b.csv", str(folder / "in")]
    assert names(find_files(several, suffixes)) == ["b.csv", "c.tsv"]
    assert names(find_files((path for path in several), suffixes)) == ["b.csv", "c.tsv"]


def test_existing_file_with_brackets_is_not_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x\n1\n")
    assert names(find_files(tmp_path / "a[1].csv", (".csv",))) == ["a[1].csv"]


def test_compressed_files_are_opened_decompressed(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x\n1\n"))
    (file,) = find_files(os.fspath(tmp_path / "a.csv.gz"), (".csv",))
    with file.open() as stream:
        assert stream.read() == b"x\n1\n"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.csv", r"none\.csv: there is no such file"),
        ("*.json", "no file matches this pattern"),
        ("empty", r"the folder has no files that end with \.csv"),
    ],
)
def test_missing_files_are_rejected(folder: Path, path: str, message: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ReadError, match=message):
        find_files(folder / path, (".csv",))


@pytest.mark.parametrize("paths", [[], None, 5, [5]])
def test_other_arguments_are_rejected(paths: object) -> None:
    with pytest.raises(ArgumentError, match="path is"):
        find_files(paths, (".csv",))  # type: ignore[arg-type]
