"""Locks between processes: they save work, and protect no data.

Published files are checked and renamed, so two processes that do the same work cost bandwidth
only. So a process waits for a lock only while the owner makes progress, that is while its files
grow. An owner that is stopped, or runs on a machine that is gone, is not waited for.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dshub.cache.journal import arrived, beside
from dshub.cache.owners import owner

POLL = 0.25  # seconds between two looks at the owner


@dataclass(frozen=True)
class Waiting:
    """Another process that does the same work.

    Attributes:
        host: the machine it runs on; empty for this one.
        pid: its process ID.
        size: bytes that it has so far.
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
    """Hold `path.lock` during the block; yields False if it could not be acquired.

    Args:
        path: what to lock; the folders of the processes that work on it are beside it.
        patience: seconds to wait for an owner without progress.
        done: whether there is nothing left to wait for; called while waiting.
        waiting: called with the owner at first, and when it changes.
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


def _mode(folder: Path) -> int:
    """Access bits of a lock, for everyone who can use its folder: a group may share a cache."""
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
        except (OSError, NotImplementedError):  # locks do not work here
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
    """Names, sizes and times of the owners' files, which change while an owner makes progress."""
    traces = []
    for folder in beside(path):
        with suppress(OSError):
            for entry in os.scandir(folder):
                status = entry.stat()
                traces.append((entry.path, status.st_size, status.st_mtime_ns))
    return sorted(traces)


def _owner(path: Path) -> Waiting | None:
    """The process that has most of the bytes."""
    folders = [(arrived(folder), folder) for folder in beside(path)]
    for size, folder in sorted(folders, reverse=True):
        process = owner(folder)
        if process is not None and process[1] != os.getpid():
            return Waiting(*process, size)
    return None
