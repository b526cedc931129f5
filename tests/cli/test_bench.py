"""Test `dshub bench`: what this machine achieves, and what limits it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_bench_prints_a_speed_for_each_part(dshub: Run, registry: Path) -> None:
    done = dshub("bench", "tiny/one", "--seconds", "0.02", "--batch", "2")
    assert done.returncode == 0
    assert "tiny/one@1.0.0 train: 3 rows" in done.stdout
    assert "loop: RandomHorizontalFlip, Normalize" in done.stdout
    assert "binds: " in done.stdout


def test_bench_as_json(dshub: Run, registry: Path) -> None:
    arguments = ["--seconds", "0.02", "--step", "50", "--batch", "2", "--json"]
    answer = json.loads(dshub("bench", "tiny/one:train", *arguments).stdout)
    assert (answer["dataset"], answer["split"], answer["rows"]) == ("tiny/one@1.0.0", "train", 3)
    speeds = {stage["name"]: stage["rows_per_second"] for stage in answer["stages"]}
    assert speeds["step"] == 40
    assert speeds["loop"] > 0
    assert answer["binds"] in {"disk", "loop", "step"}


def test_bench_of_smaller_images_prepares_them(dshub: Run, registry: Path) -> None:
    done = dshub("bench", "tiny/one", "--image-size", "4", "--seconds", "0.02", "--json")
    assert json.loads(done.stdout)["rows"] == 3
    assert "tiny/one-4" in dshub("cache", "ls").stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["tiny/one:train", "--split", "train"], 2),
        (["tiny/one", "--encode", "raw"], 2),
        (["tiny/one:nope"], 3),
        (["tiny/three"], 3),
    ],
    ids=["two-splits", "encode-alone", "no-split", "no-dataset"],
)
def test_invalid_requests_are_errors(
    dshub: Run, registry: Path, arguments: list[str], code: int
) -> None:
    assert dshub("bench", *arguments).returncode == code
