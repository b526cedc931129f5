"""Find a Python environment with packages that cannot be installed beside the others.

DSHUB_TEST_PYTHONS lists interpreters, separated like the folders of PATH.
"""

import os
import subprocess
import sys
from functools import cache

import pytest


@cache
def python_with(*packages: str) -> str:
    """Return an interpreter that has all of the packages, or skip the test."""
    others = os.environ.get("DSHUB_TEST_PYTHONS", "").split(os.pathsep)
    code = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    for python in [sys.executable, *filter(None, others)]:
        if subprocess.run([python, "-c", code, *packages], check=False).returncode == 0:
            return python
    pytest.skip(f"no Python in DSHUB_TEST_PYTHONS has {' and '.join(packages)}")
