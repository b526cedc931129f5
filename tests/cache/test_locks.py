"""Test locks, which avoid duplicate work but do not protect data."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.cache.locks import Waiting, lock

HOLD = """
import sys, time
from pathlib import Path
from dshub.cache.locks import lock
from dshub.cache.owners import own_name
path = Path(sys.argv[1])
folder = path.with_name(own_name(path.name))
folder.mkdir()
(folder / "data").write_bytes(bytes(1000))
with lock(path, patience=60):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that holds the lock of `thing` and makes no progress."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "thing")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_owner_without_progress_is_not_waited_for(
    tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    owners: list[Waiting] = []
    began = time.monotonic()
    with lock(tmp_path / "thing", patience=1, waiting=owners.append) as held:
        assert not held
    assert time.monotonic() - began < 30
    assert [(owner.host, owner.pid, owner.size) for owner in owners] == [("", holder.pid, 1000)]
    assert str(owners[0]) == f"process {holder.pid}"


def test_wait_ends_when_the_work_is_done(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    answers = iter([False, True])
    with lock(tmp_path / "thing", patience=60, done=lambda: next(answers)) as held:
        assert not held
    assert holder.poll() is None


def test_lock_of_a_dead_process_is_taken(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.wait()
    with lock(tmp_path / "thing", patience=0) as held:
        assert held


def test_work_continues_without_working_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("No locks available")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with lock(tmp_path / "thing", patience=60) as held:
        assert not held


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
@pytest.mark.parametrize(("folder", "expected"), [(0o2775, 0o664), (0o755, 0o644), (0o700, 0o600)])
def test_lock_is_open_to_everyone_who_can_use_its_folder(
    tmp_path: Path, folder: int, expected: int
) -> None:
    tmp_path.chmod(folder)
    with lock(tmp_path / "thing", patience=0):
        assert (tmp_path / "thing.lock").stat().st_mode & 0o777 == expected
