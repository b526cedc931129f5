"""Run the tutorial as a notebook, and check the output of cells."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("DSHUB_TEST_EVERYTHING")
        and not all(map(find_spec, ("nbconvert", "ipykernel"))),
        reason="needs nbconvert and ipykernel",
    ),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bin_folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DSHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DSHUB_SYNTHETIC", "200")
    monkeypatch.setenv("PATH", os.pathsep.join([bin_folder, os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


def outputs(*cells: str) -> list[list[Any]]:
    """Run cells in a kernel, and return the outputs of each cell."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=list(map(new_code_cell, cells)))
    NotebookClient(notebook, allow_errors=True, timeout=300).execute()
    return [cell.outputs for cell in notebook.cells]


def test_tutorial_runs_as_a_notebook(tmp_path: Path) -> None:
    page = ROOT / "docs" / "tutorial.md"
    make = [sys.executable, str(Path(__file__).with_name("notebook.py"))]
    subprocess.run([*make, str(page), "tutorial.ipynb"], cwd=tmp_path, check=True)
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", "tutorial.ipynb"]
    done = subprocess.run(convert, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    html = (tmp_path / "tutorial.html").read_text("utf-8")
    assert "epoch 2: accuracy" in html
    assert "data:image/png;base64," in html


def test_kernel_shows_tables_and_grids() -> None:
    table, grid = outputs(
        "from dshub import load\nload('mnist', 'train').take(7)",
        "load('mnist', 'train').show(3)",
    )
    assert "5 of 7 rows" in table[-1].data["text/html"]
    assert "image/png" in grid[-1].data


def test_errors_are_short_and_begin_with_message_and_hint() -> None:
    (unknown, function) = outputs(
        "from dshub import load\nload('mnits', 'train')",
        "def change(row):\n    return {'n': row['image'].missing}\n"
        "load('mnist', 'train').map(change)",
    )
    lines = "\n".join(unknown[-1].traceback).splitlines()
    assert lines[:2] == [
        "UnknownNameError: there is no dataset named 'mnits'",
        "hint: did you mean mnist?",
    ]
    lines = "\n".join(function[-1].traceback).splitlines()
    assert lines[0].startswith("FunctionError: map: change failed")
    assert "    return {'n': row['image'].missing}" in lines
    assert len(lines) <= 15


@pytest.mark.parametrize("setup", ["", "import sys\nsys.modules['ipywidgets'] = None"])
def test_progress_bars_work_with_and_without_ipywidgets(setup: str) -> None:
    cell = (
        "from dshub import load\nlen(load('mnist', 'train').map(lambda row: {'n': 1}).cache('n'))"
    )
    _, shown = outputs(setup, cell)
    assert shown[-1].data["text/plain"] == "200"
    text = "".join(output.get("text", "") for output in shown)
    assert "Warning" not in text
    kinds = [kind for output in shown for kind in output.get("data", {})]
    assert ("application/vnd.jupyter.widget-view+json" in kinds) is (not setup)
    assert ("0%  " in text) is bool(setup)


def test_keys_complete_to_columns() -> None:
    *_, shown = outputs(
        "from dshub import load\nds = load('mnist', 'train')",
        "print(get_ipython().complete('x', 'ds[\"', 4)[1])",
    )
    assert "label" in shown[-1].text
