"""Test `dshub prepare`: build tables for loading."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

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
