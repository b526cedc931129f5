"""Test `dshub prepare`: build tables for loading."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import load

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_prepare_prints_a_folder_for_each_table(dshub: Run, registry: Path) -> None:
    """Missing files are downloaded, and a family gets a table for each split of its members."""
    done = dshub("prepare", "tiny")
    folders = [Path(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len(folders) == 2
    assert all((folder / "table.json").is_file() for folder in folders)
    second = json.loads(dshub("prepare", "tiny", "--json").stdout)
    assert [Path(text) for text in second["tables"]] == folders


def test_unknown_name_is_an_error(dshub: Run, registry: Path) -> None:
    assert dshub("prepare", "tiny/three").returncode == 3


def test_smaller_images_are_what_resize_and_cache_open(dshub: Run, registry: Path) -> None:
    """Sizes are estimated first, and a second run opens the same folders."""
    planned = dshub("prepare", "tiny", "--image-size", "4x6", "--dry-run")
    assert planned.returncode == 0
    assert planned.stdout == ""
    assert "tiny/one@1.0.0 train: 3 rows, about 96 B" in planned.stderr
    done = dshub("prepare", "tiny", "--image-size", "4x6", "--workers", "2")
    folders = [Path(line) for line in done.stdout.splitlines()]
    assert len(folders) == 2
    assert "load(NAME, split=SPLIT).resize((4, 6)).cache()" in done.stderr
    second = json.loads(dshub("prepare", "tiny", "--image-size", "4x6", "--json").stdout)
    assert [Path(split["folder"]) for split in second["splits"]] == folders
    rows = load("tiny/one", split="train").resize((4, 6))
    assert rows.is_cached()
    assert rows.cache().files[0].parent == folders[0]
    assert rows.cache()["image"].shape == (3, 4, 6, 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--image-size", "4y6"], "HEIGHTxWIDTH"),
        (["--image-size", "4", "--encode", "png"], "jpeg:QUALITY"),
        (["--dry-run"], "require --image-size"),
    ],
    ids=["size", "encoding", "no-size"],
)
def test_invalid_options_are_usage_errors(dshub: Run, arguments: list[str], word: str) -> None:
    done = dshub("prepare", "tiny", *arguments)
    assert done.returncode == 2
    assert word in done.stderr
