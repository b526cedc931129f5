"""Run the scripts of docs/howto/mxnet.md in Pythons that have MXNet.

DSHUB_TEST_MXNET names one without dshub, where MXNet's own version of NumPy is installed.
"""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dshub import load
from tests.exporting import written
from tests.pythons import python_with

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "mxnet.md"
_FENCE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = _FENCE.findall(PAGE.read_text("utf-8"))


def output_of(python: str, script: str, folder: Path, **variables: str) -> str:
    """Run a script in a folder and return what it prints."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", script],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def check_losses(output: str) -> None:
    """Check that the loss of three epochs goes down, and below that of guessing a class."""
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", output)]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert losses[2] < np.log(10)


@pytest.mark.slow
def test_gluon_trains_on_rows_of_dshub(tmp_path: Path) -> None:
    read, train, *_ = BLOCKS
    python = python_with("mxnet", "dshub")
    variables = {"DSHUB_CACHE": str(tmp_path / "cache"), "DSHUB_SYNTHETIC": "1000"}
    variables["PYTHONPATH"] = str(PAGE.parents[2])
    check_losses(output_of(python, read + train, tmp_path, **variables))


@pytest.mark.slow
def test_gluon_trains_on_exported_files_without_dshub(tmp_path: Path, cache: Path) -> None:
    python = os.environ.get("DSHUB_TEST_MXNET")
    if not python:
        pytest.skip("DSHUB_TEST_MXNET does not name a Python that has mxnet")
    images = load("fashion-mnist", split="train", synthetic=1000)
    written(images, "recordio", tmp_path / "records", 1 << 30)
    _, train, read, iterate = BLOCKS
    output = output_of(python, read + train + iterate, tmp_path, PYTHONPATH="")
    check_losses(output)
    assert output.endswith("(50, 1, 28, 28) (50,)\n")
