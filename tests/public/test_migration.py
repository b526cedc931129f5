"""Run the migration scripts of docs/howto/from-*.md and count the lines that change.

Each page has one block of the language `diff`: a whole script, before and after. A script needs
packages that may be in another Python. DSHUB_TEST_PYTHONS names such interpreters, separated like
the folders of PATH.
"""

import difflib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = {  # page: changed lines, packages
    "from-torchvision": (2, ["torch", "torchvision"]),
    "from-tfds": (2, ["tensorflow"]),
    "from-keras": (1, ["keras", "tensorflow"]),
    "from-hugging-face": (3, ["torch", "transformers"]),
}
NEEDS_FAMILIAR_NAMES = pytest.mark.xfail(
    strict=False, reason="load does not yet accept as_supervised, with_info and a list of splits"
)
PARAMETERS = [
    pytest.param(name, marks=[NEEDS_FAMILIAR_NAMES] if name == "from-tfds" else [])
    for name in SCRIPTS
]


def script(page: str) -> tuple[list[str], list[str]]:
    """Return the lines of a page's script before and after."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text("utf-8")
    (diff,) = re.findall(r"^```diff\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    before, after = (
        [line[1:] for line in diff.splitlines() if not line.startswith(sign)] for sign in "+-"
    )
    return before, after


@cache
def python_with(*packages: str) -> str:
    """Return an interpreter that has all of the packages."""
    others = os.environ.get("DSHUB_TEST_PYTHONS", "").split(os.pathsep)
    code = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    for python in [sys.executable, *filter(None, others)]:
        if subprocess.run([python, "-c", code, *packages], check=False).returncode == 0:
            return python
    pytest.skip(f"no Python in DSHUB_TEST_PYTHONS has {' and '.join(packages)}")


@pytest.mark.parametrize("page", SCRIPTS)
def test_few_lines_change(page: str) -> None:
    before, after = script(page)
    compile("\n".join(before), page, "exec")
    changes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = sum(max(a2 - a1, b2 - b1) for tag, a1, a2, b1, b2 in changes if tag != "equal")
    assert changed == SCRIPTS[page][0]


@pytest.mark.slow
@pytest.mark.parametrize("page", PARAMETERS)
def test_script_trains_after_the_change(page: str, tmp_path: Path) -> None:
    python = python_with(*SCRIPTS[page][1])
    path = tmp_path / "script.py"
    path.write_text("\n".join(script(page)[1]), "utf-8")
    environment = {**os.environ, "DSHUB_SYNTHETIC": "600", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, str(path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    accuracy = re.findall(r"accuracy: (\S+)", done.stdout)[-1]
    assert float(accuracy) > 0.5
