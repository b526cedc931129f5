"""Run every example of the README and the documentation on synthetic data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "docs" / name for name in ("data-model.md", "familiar.md", "tutorial.md")),
        *(ROOT / "docs" / "howto").glob("*.md"),
    ]
)


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in PAGES])
def test_examples_run(page: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "DSHUB_CACHE": str(tmp_path / "cache"),
        "DSHUB_SYNTHETIC": "200",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_page.py")), str(ROOT / page)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    if os.environ.get("DSHUB_TEST_EVERYTHING"):
        assert "left out: []" in done.stdout
