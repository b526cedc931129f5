"""Check the types of examples and of batches with mypy and pyright in strict mode.

These tests need mypy, pyright, PyTorch and TensorFlow. They are skipped if one is missing, unless
`DSHUB_TEST_EVERYTHING` is set.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.run_page import blocks

ROOT = Path(__file__).parents[2]
NEEDED = ("mypy", "pyright", "torch", "tensorflow")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("DSHUB_TEST_EVERYTHING") and not all(map(find_spec, NEEDED)),
        reason=f"needs {', '.join(NEEDED)}",
    ),
]

TYPED = """
from typing import Any, assert_type

from torch.utils.data import DataLoader

from dshub import Dataset, Loader, load
from dshub.adapters.torch import TorchBatches, TorchRows, collate

Batch, Pair = dict[str, Any], tuple[Any, Any]
train = load("fashion-mnist", "train")
loader = train.batches(32, shuffle=True)
pairs = train.batches(32, supervised=("image", "label"))
assert_type(loader, Loader[dict[str, Any]])
assert_type(pairs, Loader[tuple[Any, Any]])
assert_type(next(iter(loader)), dict[str, Any])
assert_type(next(iter(pairs)), tuple[Any, Any])
assert_type(pairs.torch("cpu"), TorchBatches[tuple[Any, Any]])
for x, y in pairs.torch():
    print(x, y)
for batch in loader.torch():
    assert_type(batch, dict[str, Any])
assert_type(train.torch(supervised=True), TorchRows)
print(DataLoader(train.torch(), batch_size=32, collate_fn=collate))
print(train.tf(supervised=True), loader.tf())


def use(loader: Loader, ds: Dataset) -> None:
    print(loader, ds)


use(pairs, train)
"""


def code_of(page: str) -> str:
    """Return the Python code of a page, with the line numbers of the page."""
    text = (ROOT / page).read_text("utf-8")
    lines = [""] * (text.count("\n") + 1)
    for block in blocks(text):
        if block.language == "python":
            code = block.code.splitlines()
            lines[block.line : block.line + len(code)] = code
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("types")
    for name, code in {
        "readme.py": code_of("README.md"),
        "tutorial.py": code_of("docs/tutorial.md"),
        "batches.py": TYPED,
    }.items():
        (folder / name).write_text(code, "utf-8")
    return folder


def test_examples_and_batches_pass_mypy_strict(examples: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "."],
        cwd=examples,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_examples_and_batches_pass_pyright_strict(examples: Path) -> None:
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    (examples / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
        cwd=examples,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
