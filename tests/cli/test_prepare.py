"""`dshub prepare`: tables for loading."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_prepare_prints_a_folder_for_each_table(dshub: Run, own: Path) -> None:
    """Missing files are downloaded; a family has a table for each split of its members."""
    done = dshub("prepare", "tiny")
    folders = [Path(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len(folders) == 2
    assert all((folder / "table.json").is_file() for folder in folders)
    again = json.loads(dshub("prepare", "tiny", "--json").stdout)
    assert [Path(text) for text in again["tables"]] == folders


def test_prepare_of_an_unknown_name_says_so(dshub: Run, own: Path) -> None:
    assert dshub("prepare", "tiny/three").returncode == 3
