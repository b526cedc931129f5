"""Test `dshub demo`: train a classifier on local files, without a network."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_demo_trains_in_a_temporary_folder(dshub: Run, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "shown"
    before = set(tmp_path.rglob("*"))
    done = dshub("demo", "--folder", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    created = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(folder) for path in created)
    with image.open(folder / "images.png") as sheet:
        assert sheet.format == "PNG"
        assert len(set(sheet.convert("L").tobytes())) > 2
    shares = [float(part.split()[0]) for part in done.stdout.split("test accuracy")[1:]]
    assert shares[-1] > 90
