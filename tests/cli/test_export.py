"""Test `dshub export`: write files for other programs."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_export_writes_each_split_and_resumes(dshub: Run, registry: Path, tmp_path: Path) -> None:
    call = ("export", "tiny/one", "--to", "csv", str(tmp_path / "out"), "--columns", "label")
    answer = json.loads(dshub(*call, "--json").stdout)
    train = answer["splits"]["train"]
    assert answer["format"] == "csv"
    assert (train["rows"], train["shards"], train["kept"]) == (3, 1, 0)
    (path,) = map(Path, train["files"])
    assert path.read_text().split() == ["label", "cat", "dog", "cat"]
    second = dshub(*call)
    assert "1 of 1 shards existed already" in second.stdout


def test_export_accepts_a_slice_of_a_split(dshub: Run, registry: Path, tmp_path: Path) -> None:
    call = ("export", "tiny/one:train[:2]", "--to", "jsonl", str(tmp_path / "out"), "--json")
    (split,) = json.loads(dshub(*call).stdout)["splits"].values()
    assert split["rows"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("tiny/one --to parquett out", 3, "did you mean parquet?"),
        ("tiny/one --to csv out", 1, "column image holds images, which CSV cannot"),
        ("tiny/one --to csv out --columns lable", 3, "did you mean label?"),
        ("tiny/one:tain --to parquet out", 3, "did you mean train?"),
        ("tiny/one:train[:2 --to parquet out", 3, "a '[' without its ']'"),
        ("tiny/one --to parquet out --shard-size 5", 2, "--shard-size"),
        ("tiny/one --to parquet a-file/out", 8, "a-file"),
    ],
)
def test_choices_are_checked_before_the_download(
    dshub: Run,
    registry: Path,
    upstream: Path,
    cache: Path,
    tmp_path: Path,
    arguments: str,
    code: int,
    message: str,
) -> None:
    shutil.rmtree(upstream)
    (tmp_path / "work" / "a-file").touch()
    done = dshub("export", *arguments.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert not cache.exists()


def test_folder_with_another_format_is_an_error_before_the_download(
    dshub: Run, registry: Path, cache: Path, tmp_path: Path
) -> None:
    dshub("export", "tiny/one", "--to", "jsonl", str(tmp_path / "out"))
    shutil.rmtree(cache)
    done = dshub("export", "tiny/one", "--to", "parquet", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "contains an export to jsonl, not parquet" in done.stderr
    assert not cache.exists()
