"""Run the migration scripts of docs/howto/from-*.md and count the lines that change.

Each page has one block of the language `diff`: a whole script, before and after. A script can
need packages of another Python environment.
"""

import difflib
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.pythons import python_with

ROOT = Path(__file__).parents[2]
SCRIPTS = {  # page: changed lines, packages
    "from-torchvision": (2, ["torch", "torchvision"]),
    "from-tfds": (2, ["tensorflow"]),
    "from-keras": (1, ["keras", "tensorflow"]),
    "from-hugging-face": (1, ["torch", "transformers"]),
}


def script(page: str) -> tuple[list[str], list[str]]:
    """Return the lines of a page's script before and after."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text("utf-8")
    (diff,) = re.findall(r"^```diff\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    before, after = (
        [line[1:] for line in diff.splitlines() if not line.startswith(sign)] for sign in "+-"
    )
    return before, after


@pytest.mark.parametrize("page", SCRIPTS)
def test_few_lines_change(page: str) -> None:
    before, after = script(page)
    compile("\n".join(before), page, "exec")
    changes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = sum(max(a2 - a1, b2 - b1) for tag, a1, a2, b1, b2 in changes if tag != "equal")
    assert changed == SCRIPTS[page][0]


@pytest.mark.slow
@pytest.mark.parametrize("page", list(SCRIPTS))
def test_script_trains_after_the_change(page: str, tmp_path: Path) -> None:
    python = python_with(*SCRIPTS[page][1])
    path = tmp_path / "script.py"
    path.write_text("\n".join(script(page)[1]), "utf-8")
    accuracy = re.findall(r"accuracy: (\S+)", run([python, str(path)], tmp_path))[-1]
    assert float(accuracy) > 0.5


BOTH = """
import runpy, struct
import numpy as np
import torch
from pathlib import Path
from dshub import load

raw = Path("data/MNIST/raw")
raw.mkdir(parents=True)
for split, prefix in (("train", "train"), ("test", "t10k")):
    rows = load("mnist", split)
    for name, values in (("images-idx3", rows["image"][..., 0]), ("labels-idx1", rows["label"])):
        header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
        content = np.asarray(values).astype(np.uint8).tobytes()
        (raw / f"{prefix}-{name}-ubyte").write_bytes(header + content)
before, after = (runpy.run_path(f"{name}.py") for name in ("before", "after"))
for (x, y), (expected_x, expected_y) in zip(after["digits"]("test"), before["digits"]("test")):
    assert torch.equal(x, expected_x) and torch.equal(y, expected_y)
    assert x.is_contiguous() and (x.dtype, y.dtype) == (torch.float32, torch.int64)
rows, expected = after["digits"]("train").dataset, before["digits"]("train").dataset
assert len(rows) == len(expected) and torch.equal(rows.targets, expected.targets)
print(rows.classes)
"""


@pytest.mark.slow
def test_torchvision_gives_the_same_tensors_before_and_after(tmp_path: Path) -> None:
    """torchvision reads the same synthetic digits from files in its own format."""
    python = python_with("torch", "torchvision")
    for name, lines in zip(("before", "after"), script("from-torchvision"), strict=True):
        (tmp_path / f"{name}.py").write_text("\n".join(lines), "utf-8")
    assert run([python, "-c", BOTH], tmp_path).startswith("['0', '1', '2',")


def run(command: list[str], folder: Path) -> str:
    """Run a command on synthetic data and return its output."""
    environment = {
        **os.environ,
        "DSHUB_SYNTHETIC": "1000",
        "OMP_NUM_THREADS": "1",  # threads of torch wait for each other on a busy machine
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
