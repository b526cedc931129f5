"""Test `dshub export`: write files for other programs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

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
