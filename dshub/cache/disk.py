"""Disk errors as errors of dshub, and removal in one step.

What the operating system says about the disk, in dshub's own errors.
"""

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dshub.cache import paths as layout
from dshub.cache.owners import own_name
from dshub.errors import DiskFullError, StoreError

_FULL = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would pass the largest size allowed here",
}


@contextmanager
def disk_faults(path: Path, action: str) -> Iterator[None]:
    """Turn an OSError inside the block into a StoreError that names the path and the action."""
    try:
        yield
    except OSError as error:
        named = str(error.filename or path)
        if error.errno in _FULL:
            raise DiskFullError(path=named, reason=_FULL[error.errno]) from error
        reason = error.strerror or str(error)
        raise StoreError(path=named, action=action, reason=reason) from error


def remove(root: Path, path: Path) -> bool:
    """Remove a file or a folder of the cache at `root`; False where it is gone already.

    A folder is renamed away before its files go: another process finds it whole or not at all,
    and what an interruption leaves has the name of a dead process, which `dshub cache gc` clears.

    Raises:
        StoreError: the cache cannot be written, or a program holds the file open on Windows.
    """
    with disk_faults(path, "remove"):
        refuse_links(root, path.parent)
        try:
            if path.is_symlink() or not path.is_dir():
                path.unlink()
                return True
            aside = root / layout.PARTIAL / own_name("removed")
            refuse_links(root, aside.parent)
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
        except FileNotFoundError:
            return False
        shutil.rmtree(aside)
    return True


def refuse_links(root: Path, folder: Path) -> None:
    """Refuse to work in a folder of the cache at `root` to which somebody else's link leads.

    A bucket may be a link to a larger disk if you, root or the owner of the cache made it. A link
    of anybody else could lead into your own files.

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
    """Remove the files of a working folder but some; raises OSError.

    Not by its path: that another user may have turned into a link meanwhile.
    """
    if os.unlink not in os.supports_dir_fd or os.scandir not in os.supports_fd:  # Windows
        for path in folder.iterdir():
            if path.name not in keep:
                path.unlink()
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with os.scandir(opened) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            if name not in keep:
                os.unlink(name, dir_fd=opened)
    finally:
        os.close(opened)


def clear(path: Path) -> None:
    """Remove what is at a path of `partial-v1`, as well as it goes.

    A folder is renamed away before its files go: who takes it over at this moment has it whole.
    """
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        aside = path.with_name(own_name("removed"))
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
