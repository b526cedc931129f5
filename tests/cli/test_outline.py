"""Test how `dshub new` shows the dataset that it drafts."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.datasets.detection_folders import write

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_classes_of_objects_are_shown(dshub: Run, tmp_path: Path) -> None:
    files = {"data.yaml": "names: [cat, dog]\n", "images/1.jpg": None}
    write(tmp_path / "pets", {**files, "labels/1.txt": "1 0.5 0.5 0.2 0.2\n"})
    done = dshub("new", str(tmp_path / "pets"), "--dry-run")
    assert "Classes of objects.labels, in order\n  cat, dog\n" in done.stdout
