"""Test file names that identify the process that uses them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.cache.owners import own_name
from dshub.cache.usage import leftover

PRINT_NAME = "from dshub.cache.owners import own_name; print(own_name('x'))"


def test_name_shows_whether_its_process_is_alive(tmp_path: Path) -> None:
    """Every container can have a process with pid 1, so the pid alone proves nothing."""
    child = subprocess.run(
        [sys.executable, "-c", PRINT_NAME], capture_output=True, text=True, check=True
    )
    holders = {
        own_name("x"): "alive",
        child.stdout.strip(): "dead",
        own_name("x").rpartition("-")[0] + "-0123abcd": "dead",
        "x.elsewhere-1-0123abcd": "unknown",
        "x": "none",
        "x.txt": "none",
    }
    assert {name: leftover(tmp_path / name).holder for name in holders} == holders


def test_process_of_another_container_is_unknown(tmp_path: Path) -> None:
    """Containers can share a host name but have separate pids."""
    isolated = ["unshare", "--fork", "--pid"]
    if not shutil.which("unshare") or subprocess.run([*isolated, "true"], check=False).returncode:
        pytest.skip("this system cannot create a pid namespace")
    command = [*isolated, sys.executable, "-c", PRINT_NAME]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    assert leftover(tmp_path / child.stdout.strip()).holder == "unknown"
