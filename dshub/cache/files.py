"""Open and replace files in folders that other users can write to.

In such a folder, another user can replace a file with a symlink to one of your own files, or with
a named pipe that blocks forever.
"""

import errno
import io
import mmap
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # Windows has none of these three flags
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

_FICLONE = 0x40049409  # ioctl_ficlone(2)

_KINDS = {
    stat.S_IFLNK: "a symlink",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFileError(OSError):
    """Raised for a symlink, named pipe, socket or device instead of a regular file."""


def open_file(
    path: Path | str, mode: Literal["rb", "rb+", "ab"] = "rb", *, follow: bool = False
) -> io.FileIO:
    """Open a regular file without buffering, and without blocking on a named pipe.

    Args:
        path: path of the file. Symlinked parent folders are followed.
        mode: mode as in `open`. A file to write to must not have a second hard link, because that
            could be another user's file.
        follow: also follow a symlink at `path` itself.

    Raises:
        NotAFileError: `path` is a symlink, named pipe, socket or device.
        OSError: the file cannot be opened.
    """
    extra = _NO_WAIT | (0 if follow else _NO_FOLLOW)

    def opener(name: str, flags: int) -> int:
        if not follow and not _NO_FOLLOW:
            _check(name, os.lstat(name))
        try:
            file = os.open(name, flags | extra, 0o666)
        except OSError:  # the system's message for symlinks and sockets is unclear
            if not follow:
                _check(name, os.lstat(name))
            raise
        try:
            _check(name, os.fstat(file), writing=mode != "rb")
        except OSError:
            os.close(file)
            raise
        return file

    return io.FileIO(str(path), mode, opener=opener)


def read_file(path: Path) -> bytes:
    """Read a regular file, refusing a symlink; raises OSError."""
    with open_file(path) as file:
        return file.readall()


def new_file(path: Path) -> io.BufferedWriter:
    """Create an empty file, replacing an existing file or symlink; raises OSError."""
    path.unlink(missing_ok=True)
    return path.open("xb")


def clone_file(source: Path, target: Path) -> None:
    """Clone a file copy-on-write, so that both files share unmodified blocks.

    Raises:
        OSError: the file system cannot clone files. An empty target can remain.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "cloning is implemented for Linux only")
    import fcntl

    with open_file(source, follow=True) as file, target.open("xb") as clone:
        fcntl.ioctl(clone.fileno(), _FICLONE, file.fileno())


def map_file(path: Path) -> mmap.mmap:
    """Memory-map a regular file; raise OSError if it is a symlink or empty."""
    with open_file(path) as file:
        if not os.fstat(file.fileno()).st_size:
            raise OSError(errno.EINVAL, "it is empty", str(path))
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_WILLNEED"):
        mapped.madvise(mmap.MADV_WILLNEED)
    return mapped


def replace_file(target: Path, data: bytes, temporary: Path, *, sync: bool = False) -> None:
    """Write a file atomically.

    Args:
        target: path of the file. A symlink there is replaced, not followed.
        data: bytes to write.
        temporary: unpredictable path on the same file system.
        sync: sync the file to disk before the rename.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        with temporary.open("xb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def regular_size(path: Path) -> int | None:
    """Return the size of a regular file, or None for anything else or after an OSError."""
    with suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return status.st_size
    return None


def is_foreign(file: Path | int) -> bool:
    """Return whether a file belongs to a user other than this one and root; raises OSError.

    Args:
        file: path of the file, or descriptor of an open file.
    """
    user = getattr(os, "geteuid", None)
    status = os.fstat(file) if isinstance(file, int) else os.lstat(file)
    return user is not None and status.st_uid not in {user(), 0}


def _check(path: str, status: os.stat_result, *, writing: bool = False) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind in _KINDS:
        raise NotAFileError(errno.EINVAL, f"it is {_KINDS[kind]}, not a file", path)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if writing and status.st_nlink > 1:
        raise OSError(errno.EMLINK, "it has more than one hard link", path)
