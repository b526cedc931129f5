"""Locks between processes: they save work, and protect nothing.

What is published is checked and renamed, so two processes that do the same cost bandwidth alone. A
lock is therefore waited for only as long as its owner gets on: while files of the owner grow. One
that was stopped, or lives on a machine that has gone, is passed by.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dshub.cache.journal import arrived, beside
from dshub.cache.owners import own_name, owner

POLL = 0.25  # seconds between two looks at the owner


@dataclass(frozen=True)
class Waiting:
    """Another process that is at the same work.

    Attributes:
        host: the machine it runs on; empty where it is this one.
        pid: its number.
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
    """Hold `path.lock`; yields whether it is held.

    Args:
        path: what is locked; the folders of those who work on it lie beside it.
        patience: seconds without any progress of the owner after which it is passed by.
        done: asked while waiting: whether there is nothing left to wait for.
        waiting: told, when it begins or somebody else has taken over, for whom.
    """
    from filelock import FileLock

    file = path.with_name(f"{path.name}.lock")
    held = FileLock(file, thread_local=False, mode=_mode(file.parent))
    if not _acquire(held, path, patience, done, waiting):
        yield False
        return
    try:
        yield True
    finally:
        held.release()


@cache
def _mode(folder: Path) -> int:
    """Access bits that a new file gets in a folder, so that a group can share its cache."""
    probe = folder / own_name("text")
    try:
        file = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            return os.fstat(file).st_mode & 0o777
        finally:
            os.close(file)
            probe.unlink()
    except OSError:
        return 0o644


def _acquire(
    held: Any,  # a FileLock
    path: Path,
    patience: float,
    done: Callable[[], bool],
    waiting: Callable[[Waiting], None],
) -> bool:
    from filelock import Timeout

    seen, since, told = None, time.monotonic(), None
    while True:
        try:
            held.acquire(timeout=0 if seen is None else POLL)
        except Timeout:
            pass
        except (OSError, NotImplementedError):  # locks do not work here
            return False
        else:
            return True
        traces = _traces(path)
        if traces != seen:
            seen, since = traces, time.monotonic()
        if done() or time.monotonic() - since > patience:
            return False
        found = _owner(path)
        if found is not None and (found.host, found.pid) != told:
            told = (found.host, found.pid)
            waiting(found)


def _traces(path: Path) -> list[tuple[str, int, int]]:
    """What changes while a process is at work: names, sizes and times of its files."""
    traces = []
    for folder in beside(path):
        with suppress(OSError):
            for entry in os.scandir(folder):
                status = entry.stat()
                traces.append((entry.path, status.st_size, status.st_mtime_ns))
    return sorted(traces)


def _owner(path: Path) -> Waiting | None:
    """The process that has got furthest."""
    folders = [(arrived(folder), folder) for folder in beside(path)]
    for size, folder in sorted(folders, reverse=True):
        found = owner(folder)
        if found is not None and found[1] != os.getpid():
            return Waiting(*found, size)
    return None
