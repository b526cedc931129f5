"""`dshub demo`: from files to a trained classifier, without a network."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_demo_stays_in_its_folder_and_learns(dshub: Run, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "shown"
    before = set(tmp_path.rglob("*"))
    done = dshub("demo", "--folder", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    made = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(folder) for path in made)
    with image.open(folder / "images.png") as sheet:
        assert sheet.format == "PNG"
        assert len(set(sheet.convert("L").tobytes())) > 2
    shares = [float(part.split()[0]) for part in done.stdout.split("test accuracy")[1:]]
    assert shares[-1] > 90
