import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub.errors import StoreError
from dshub.mirrors.destinations import FolderDestination
from dshub.mirrors.serve.server import serving

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_printed_setting_quotes_spaces(dshub: Run, lab: "Lab", tmp_path: Path) -> None:
    stick = tmp_path / "Stick of \u00dcbung"
    done = dshub("mirror", str(stick), "lab/mnist", "--no-pages")
    assert done.returncode == 0, done.stderr
    [setting, *command] = shlex.split(done.stdout.splitlines()[-1])
    name, _, value = setting.partition("=")
    assert (name, command) == ("DSHUB_MIRROR", ["dshub", "list"])
    listed = dshub("info", "lab/mnist", DSHUB_MIRROR=value, DSHUB_REGISTRY="")
    assert listed.returncode == 0, listed.stderr


def test_missing_folder_is_reported(dshub: Run, tmp_path: Path) -> None:
    gone = str(tmp_path / "stick")
    done = dshub("list", DSHUB_MIRROR=gone)
    assert done.returncode == 0
    assert f"{gone}: the folder does not exist" in done.stderr
    done = dshub("fetch", "penguins", DSHUB_MIRROR=gone)
    assert done.returncode == 3
    assert f"{gone}: the folder does not exist" in done.stderr


def test_mirror_without_an_index_is_reported(dshub: Run, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with serving(tmp_path / "cache") as url:
        done = dshub("fetch", "penguins", DSHUB_MIRROR=url)
    assert done.returncode == 3
    assert f"mirror {url} has no index.json" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_unreadable_mirror_is_an_error(enterable: Path) -> None:
    """If unreadable files counted as missing, they would be fetched again."""
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
