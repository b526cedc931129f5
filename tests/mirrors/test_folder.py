"""Where a mirror lies: in folders with odd names, in one that is not there, or has no list."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub.errors import StoreError
from dshub.mirrors.folder import FolderDestination
from dshub.mirrors.serve.server import serving

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_folder_with_blanks_in_its_name(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    """The line that is told at its end can be pasted, and names the mirror."""
    stick = tmp_path / "Stick of \u00dcbung"
    done = dshub("mirror", str(stick), "lab/mnist", "--no-pages")
    assert done.returncode == 0, done.stderr
    [setting, *command] = shlex.split(done.stdout.splitlines()[-1])
    name, _, value = setting.partition("=")
    assert (name, command) == ("DSHUB_MIRROR", ["dshub", "list"])
    listed = dshub("info", "lab/mnist", DSHUB_MIRROR=value, DSHUB_REGISTRY="")
    assert listed.returncode == 0, listed.stderr


def test_a_folder_that_is_not_there(dshub: Run, tmp_path: Path) -> None:
    """A stick that was not put in is told of, wherever it matters."""
    gone = str(tmp_path / "stick")
    done = dshub("list", DSHUB_MIRROR=gone)
    assert done.returncode == 0
    assert f"{gone}: there is no such folder" in done.stderr
    done = dshub("fetch", "penguins", DSHUB_MIRROR=gone)
    assert done.returncode == 3
    assert f"{gone}: there is no such folder" in done.stderr


def test_a_mirror_without_a_list(dshub: Run, tmp_path: Path) -> None:
    """Who asks it for a dataset that nobody else has learns why it is not found."""
    (tmp_path / "cache").mkdir()
    with serving(tmp_path / "cache") as url:
        done = dshub("fetch", "penguins", DSHUB_MIRROR=url)
    assert done.returncode == 3
    assert f"mirror {url} has no index.json" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_a_mirror_that_is_closed_to_this_user(enterable: Path) -> None:
    """What may not be looked at is an error: it must not pass for missing, and be fetched again."""
    blobs = enterable / "m" / "blobs-v1"
    blobs.mkdir(parents=True)
    blobs.chmod(0)
    if (child := os.fork()) == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            place = FolderDestination(enterable / "m")
            with pytest.raises(StoreError, match=r"blobs-v1.*Permission denied"):
                place.size("blobs-v1/aa/aa")
            with pytest.raises(StoreError, match=r"blobs-v1.*Permission denied"):
                list(place.names())
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    blobs.chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0
