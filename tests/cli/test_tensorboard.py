"""Test `dshub tensorboard`: log a dataset for TensorBoard."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_each_split_is_a_run(dshub: Run, registry: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    call = ("tensorboard", "tiny/one", "--logdir", str(tmp_path / "runs"))
    answer = json.loads(dshub(*call, "--json").stdout)
    train = answer["splits"]["train"]
    assert train["run"] == str(tmp_path / "runs" / "tiny" / "one" / "train")
    assert (train["rows"], train["points"]) == (3, 1)
    assert train["tags"]["images"] == ["image/cat", "image/dog"]
    assert train["rows_per_second"] > 0
    second = dshub(*call, "--no-epoch", "--points", "0")
    cells = second.stdout.splitlines()[0].split()
    assert cells == ["train", "3", "rows", "5", "tags", "0", "points"]
    assert "tensorboard --logdir" in second.stdout
    assert sum(path.is_file() for path in Path(train["run"]).rglob("*")) == 1


def test_slice_of_a_split_is_a_run(dshub: Run, registry: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    runs = str(tmp_path / "runs")
    answers = [
        json.loads(dshub("tensorboard", *name, "--logdir", runs, "--json").stdout)
        for name in (["tiny/one:train[:2]"], ["TINY/One", "--split", "train[:2]"])
    ]
    for answer in answers:
        (split,) = answer["splits"].values()
        assert split["rows"] == 2
        assert Path(split["run"]).name == "train[..2]"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("tiny/one", 2, "--logdir"),
        ("tiny/one:tain --logdir runs", 3, "did you mean train?"),
        ("tiny/one:train --split train --logdir runs", 2, "name one split"),
        ("tiny/one --logdir a-file/runs", 8, "a-file"),
        ("tiny/one --logdir runs --points 20000", 2, "10000"),
    ],
)
def test_choices_are_checked_before_the_download(
    dshub: Run,
    registry: Path,
    cache: Path,
    tmp_path: Path,
    arguments: str,
    code: int,
    message: str,
) -> None:
    pytest.importorskip("tensorboardX")
    (tmp_path / "work" / "a-file").touch()
    done = dshub("tensorboard", *arguments.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert not cache.exists()


def test_missing_package_is_an_error_before_the_download(
    dshub: Run, registry: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "tensorboardX.py").write_text("raise ImportError")
    python_path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = dshub("tensorboard", "tiny/one", "--logdir", "runs", PYTHONPATH=python_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "run `pip install 'dshub[tensorboard]'`" in done.stderr
    assert not cache.exists()
    assert not (tmp_path / "work" / "runs").exists()
