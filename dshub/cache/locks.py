"""Let one process at a time work on a file or table, to avoid duplicate work.

Data is safe without a lock, because files are verified and then published by rename. A process
waits for a lock only while the files of the lock's owner grow, so it does not hang on a stopped
process or a machine that was shut down.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dshub.cache.journal import partial_size, process_folders
from dshub.cache.owners import owner

POLL = 0.25  # seconds between checks of the owner's progress


@dataclass(frozen=True)
class Waiting:
    """Another process that owns the lock.

    Attributes:
        host: name of its machine; empty for this machine.
        pid: process ID.
        size: bytes it has downloaded so far.
    """

    host: str
    pid: int
    size: int

    def __str__(self) -> str:
        return f"process {self.pid}{f' on {self.host}' if self.host else ''}"


@contextmanager
def lock(
    path: Path,
    *,
    patience: float,
    done: Callable[[], bool] = lambda: False,
    waiting: Callable[[Waiting], None] = lambda _: None,
) -> Iterator[bool]:
    """Hold `path.lock` during the block; yield False if the lock could not be acquired.

    Args:
        path: path to lock. The folders of other processes are next to it.
        patience: seconds to wait for an owner that makes no progress.
        done: function that is called while waiting, and returns True if the work is already done.
        waiting: called with the owner when waiting starts and when the owner changes.
    """
    from filelock import FileLock

    file = path.with_name(f"{path.name}.lock")
    file_lock = FileLock(file, thread_local=False, mode=_mode(file.parent))
    if not _acquire(file_lock, path, patience, done, waiting):
        yield False
        return
    try:
        yield True
    finally:
        file_lock.release()


def is_locked(file: Path) -> bool:
    """Return whether a process holds a lock file. A lock that cannot be tested counts as free."""
    from filelock import FileLock, Timeout

    if not file.is_file():
        return False
    try:
        with FileLock(file, thread_local=False, mode=_mode(file.parent), timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False


def _mode(folder: Path) -> int:
    """Return a mode for lock files that lets all users of a shared cache acquire the lock."""
    with suppress(OSError):
        return 0o600 | (folder.stat().st_mode & 0o666)
    return 0o644


def _acquire(
    file_lock: Any,
    path: Path,
    patience: float,
    done: Callable[[], bool],
    waiting: Callable[[Waiting], None],
) -> bool:
    from filelock import Timeout

    traces: list[tuple[str, int, int]] | None = None
    since, last = time.monotonic(), None
    while True:
        try:
            file_lock.acquire(timeout=0 if traces is None else POLL)
        except Timeout:
            pass
        except (OSError, NotImplementedError):  # the file system does not support locks
            return False
        else:
            return True
        before, traces = traces, _traces(path)
        if traces != before:
            since = time.monotonic()
        if done() or time.monotonic() - since > patience:
            return False
        other = _owner(path)
        if other is not None and (other.host, other.pid) != last:
            last = (other.host, other.pid)
            waiting(other)


def _traces(path: Path) -> list[tuple[str, int, int]]:
    """Return the names, sizes and times of the owners' files, to detect progress."""
    traces = []
    for folder in process_folders(path):
        with suppress(OSError):
            for entry in os.scandir(folder):
                status = entry.stat()
                traces.append((entry.path, status.st_size, status.st_mtime_ns))
    return sorted(traces)


def _owner(path: Path) -> Waiting | None:
    """Return the process that has downloaded the most bytes."""
    folders = [(partial_size(folder), folder) for folder in process_folders(path)]
    for size, folder in sorted(folders, reverse=True):
        process = owner(folder)
        if process is not None and process[1] != os.getpid():
            return Waiting(*process, size)
    return None
