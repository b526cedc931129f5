"""What unfinished downloads left on disk, and who may go on with it."""

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dshub.digest import CHUNK
from dshub.files import open_file
from dshub.store.faults import disk_faults
from dshub.store.journal import read_journal
from dshub.store.owners import is_orphan, own_name
from dshub.store.removal import clear


def claim(resting: Path) -> Path:
    """A name that is this process's alone, with the bytes of an earlier process if it left any.

    Those lie under the resting name, or, where that process was killed, under a name of its own.
    Taking them is a rename, which succeeds for one process only. What a process has gathered that
    lives, or of which nobody can tell here whether it does, is never taken but copied.

    Args:
        resting: the name under which unfinished bytes wait.
    """
    own, others = resting.with_name(own_name(resting.name)), beside(resting)
    with disk_faults(resting, "write"):
        found = [path for path in _nobodys(resting, others) if _is_ours(path)]
        for path in sorted(found, key=arrived, reverse=True):
            with suppress(OSError):  # taken by another, or not to be moved by us
                path.rename(own)
                break
        for path in found:
            clear(path)
    if others and not own.exists():
        _copy_most(others, own)
    return own


def _is_ours(path: Path) -> bool:
    """Whether a folder can be gone on with: in a shared cache another person's may be closed."""
    data = path / "data"
    mode = os.R_OK | os.W_OK
    return os.access(path, mode | os.X_OK) and (not data.exists() or os.access(data, mode))


def remains(resting: Path) -> list[Path]:
    """Folders with bytes of an unfinished download that nobody writes to any more."""
    return _nobodys(resting, beside(resting))


def _nobodys(resting: Path, others: Sequence[Path]) -> list[Path]:
    found = [resting] if resting.is_dir() and not resting.is_symlink() else []
    return found + list(filter(is_orphan, others))


def beside(resting: Path) -> list[Path]:
    """The folders of processes that work, or have worked, on the same thing."""
    prefix = f"{resting.name}."
    try:
        with os.scandir(resting.parent) as entries:  # a pattern would cost more than all the rest
            return [
                Path(item) for item in entries if item.name.startswith(prefix) and item.is_dir()
            ]
    except OSError:
        return []


def arrived(path: Path) -> int:
    """Bytes of an unfinished download in a folder; 0 where there is none."""
    if path.is_symlink() or not path.is_dir():
        return 0
    try:
        status = os.lstat(path / "data")
    except OSError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        return 0
    end = status.st_size
    known = read_journal(path / "journal")
    return end if known is None else min(known[1].total, end)


def _copy_most(others: Sequence[Path], own: Path) -> None:
    """Copy the most that another process has: the journal first, so that it promises no more.

    It may live, and not get on; or be of another machine, which cannot be asked.
    """
    source = max(others, key=arrived)
    if not arrived(source):
        return
    try:
        own.mkdir()
        with suppress(FileNotFoundError):
            _copy(source / "journal", own / "journal")
        _copy(source / "data", own / "data")
    except OSError:
        clear(own)


def _copy(source: Path, target: Path) -> None:
    with open_file(source) as file, target.open("xb") as sink:
        shutil.copyfileobj(file, sink, CHUNK)
