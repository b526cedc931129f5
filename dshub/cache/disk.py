"""Disk errors as errors of dshub, and removal in one step."""

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dshub.cache.owners import own_name
from dshub.cache.paths import PARTIAL
from dshub.errors import DiskFullError, StoreError

_FULL = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would exceed the size limit",
}


@contextmanager
def disk_faults(path: Path, action: str, *, hint: str = "") -> Iterator[None]:
    """Turn an OSError inside the block into a StoreError that names the path and the action.

    Args:
        path: the path to name if the error does not.
        action: such as `write`.
        hint: the next step, unless the disk is full; that of StoreError by default.
    """
    try:
        yield
    except OSError as error:
        name = str(error.filename or path)
        if error.errno in _FULL:
            raise DiskFullError(path=name, reason=_FULL[error.errno]) from error
        reason = error.strerror or str(error)
        raise StoreError(path=name, action=action, reason=reason, hint=hint) from error


def remove(root: Path, path: Path) -> None:
    """Remove a file or a folder of the cache at `root`, if it exists.

    A folder is renamed before its files are removed: another process sees it complete or not at
    all. If interrupted, its new name is that of a dead process, and `dshub cache gc` removes it.

    Raises:
        StoreError: the cache cannot be written, or a program holds the file open on Windows.
    """
    with disk_faults(path, "remove"), suppress(FileNotFoundError):
        refuse_links(root, path.parent)
        aside = root / PARTIAL / own_name("removed")
        if path.is_dir() and not path.is_symlink():
            refuse_links(root, aside.parent)
            aside.parent.mkdir(exist_ok=True)
        _remove(path, aside)


def clear(path: Path) -> None:
    """Remove a file or a folder in `partial-v1`, as far as possible."""
    with suppress(OSError):
        _remove(path, path.with_name(own_name("removed")))


def _remove(path: Path, aside: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rename(aside)
        shutil.rmtree(aside)
    else:
        path.unlink()


def refuse_links(root: Path, folder: Path) -> None:
    """Refuse to work in a folder of the cache at `root` that another user's link leads to.

    A bucket can be a link to a larger disk, made by you, root or the owner of the cache. Anyone
    else's link could lead into your own files.

    Raises:
        PermissionError: there is such a link.
    """
    user = getattr(os, "geteuid", None)
    if user is None or not folder.is_relative_to(root):
        return
    part = root
    for name in folder.relative_to(root).parts:
        part /= name
        try:
            status = os.lstat(part)
        except FileNotFoundError:
            return
        if stat.S_ISLNK(status.st_mode) and status.st_uid not in {0, user(), root.stat().st_uid}:
            raise PermissionError(errno.EPERM, "it is a link that another user made", str(part))


def empty(folder: Path, keep: Collection[str]) -> None:
    """Remove all files of a working folder but those in `keep`; raises OSError.

    Works on an open folder, because another user may replace its path with a link meanwhile.
    """
    if os.unlink not in os.supports_dir_fd or os.scandir not in os.supports_fd:  # Windows
        for path in folder.iterdir():
            if path.name not in keep:
                path.unlink()
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with os.scandir(opened) as entries:
            names = [entry.name for entry in entries if entry.name not in keep]
        for name in names:
            os.unlink(name, dir_fd=opened)
    finally:
        os.close(opened)
