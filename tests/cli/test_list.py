"""`dshub list`: one line per dataset."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_list_includes_own_datasets(dshub: Run, own: Path) -> None:
    """A line for each, below a head; JSON has the same names."""
    head, *lines = dshub("list").stdout.splitlines()
    names = [line.split()[0] for line in lines]
    assert head.split() == ["NAME", "ROWS", "DOWNLOAD", "TASK", "SUMMARY"]
    assert {"mnist", "tiny/one", "tiny/two"} <= {*names}
    answer = json.loads(dshub("list", "--json").stdout)
    assert [item["name"] for item in answer["datasets"]] == names


def test_list_takes_no_arguments(dshub: Run) -> None:
    """The error names the commands that do."""
    done = dshub("list", "trouser")
    assert done.returncode == 2
    assert "`dshub search trouser`" in done.stderr
