import multiprocessing
import os
from pathlib import Path

import pytest

from dshub.loading.cores import available_cores


@pytest.fixture
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scheduler allow 16 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: None)


def group(root: Path, text: str, own: str) -> tuple[Path, Path]:
    """Write a limit of version 2, and the control group of a process."""
    folder = root / "groups/job.slice/task"
    folder.mkdir(parents=True)
    (folder.parent / "cpu.max").write_text(text)
    (root / "own").write_text(own)
    return root / "groups", root / "own"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", 16), ("400000 100000\n", 4), ("250000 100000\n", 3), ("1000 100000", 1)],
    ids=["no limit", "four", "two and a half", "a hundredth"],
)
def test_limit_of_the_control_group_counts(
    tmp_path: Path, sixteen: None, text: str, expected: int
) -> None:
    assert available_cores(*group(tmp_path, text, "0::/job.slice/task\n")) == expected


def test_limit_of_version_1_counts(tmp_path: Path, sixteen: None) -> None:
    folder = tmp_path / "groups/cpu/docker/abc"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("600000\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "own").write_text("4:cpu,cpuacct:/docker/abc\n3:memory:/other\n")
    assert available_cores(tmp_path / "groups", tmp_path / "own") == 6
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    assert available_cores(tmp_path / "groups", tmp_path / "own") == 16


def test_missing_control_groups_are_ignored(tmp_path: Path, sixteen: None) -> None:
    assert available_cores(tmp_path / "none", tmp_path / "none") == 16


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sixteen: None) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5})
    assert available_cores(tmp_path, tmp_path / "none") == 3


def test_child_process_uses_one_core() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(available_cores) == 1
