"""Report disk errors as dshub errors, and remove cache content safely."""

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
        path: path to name if the OSError has no file name.
        action: verb for the message, such as `write`.
        hint: replacement for the default hint of the StoreError, unless the disk is full.
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
    """Remove a file or folder from the cache at `root`, if it exists.

    A folder is renamed first, so other processes never see it partly removed. If the removal is
    interrupted, `dshub cache gc` removes the renamed folder.

    Raises:
        StoreError: the cache is not writable or, on Windows, the file is open in a program.
    """
    with disk_faults(path, "remove"), suppress(FileNotFoundError):
        refuse_links(root, path.parent)
        aside = root / PARTIAL / own_name("removed")
        if path.is_dir() and not path.is_symlink():
            refuse_links(root, aside.parent)
            aside.parent.mkdir(exist_ok=True)
        _remove(path, aside)


def clear(path: Path) -> None:
    """Remove a file or folder in `partial-v1`, ignoring errors."""
    with suppress(OSError):
        _remove(path, path.with_name(own_name("removed")))


def _remove(path: Path, aside: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rename(aside)
        shutil.rmtree(aside)
    else:
        path.unlink()


def refuse_links(root: Path, folder: Path) -> None:
    """Refuse to work in a cache folder that is reached through another user's symlink.

    You, root and the owner of the cache can replace a bucket with a symlink to a larger disk. A
    symlink created by another user could point to your own files.

    Raises:
        PermissionError: a folder between `root` and `folder` is another user's symlink.
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
            raise PermissionError(errno.EPERM, "it is a symlink created by another user", str(part))


def empty(folder: Path, keep: Collection[str]) -> None:
    """Remove the files in a working folder, except the names in `keep`.

    The folder stays open during the removal, so another user cannot redirect it with a symlink.

    Raises:
        OSError: a file cannot be removed.
    """
    if os.unlink not in os.supports_dir_fd or os.scandir not in os.supports_fd:  # as on Windows
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
