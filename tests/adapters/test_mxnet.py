"""Test the MXNet adapter in a Python that has MXNet, which needs an old NumPy."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset, DshubError
from tests.pythons import python_with

SUITE = Path(__file__).with_name("mxnet_suite.py")


@pytest.mark.slow
def test_adapter_passes_its_suite(tmp_path: Path) -> None:
    python = python_with("mxnet", "dshub", "pytest")
    root = SUITE.parents[2]
    variables = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    options = ["-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'suite'}"]
    command = [python, "-m", "pytest", *options, str(SUITE)]
    done = subprocess.run(
        command, cwd=root, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " skipped" not in done.stdout


def test_new_numpy_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MXNet then fails with an AttributeError, because NumPy 2 removed some names."""
    (tmp_path / "mxnet.py").write_text("raise AttributeError('alltrue')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("mxnet", "dshub.adapters.mxnet"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = vars(np).get("bool")
    with pytest.raises(DshubError, match=f"does not work with NumPy {np.__version__}") as caught:
        Dataset.from_arrays({"n": np.arange(3)}).to("mxnet")
    assert "dshub[mxnet]" in caught.value.hint
    assert vars(np).get("bool") is before
