"""Open and replace files in folders that other users can write to.

A name there may be a link to one of your files, or a named pipe that never answers.
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

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # Windows has none of the three
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

_FICLONE = 0x40049409  # ioctl_ficlone(2)

_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFileError(OSError):
    """`it is a named pipe, not a file`."""


def open_file(
    path: Path | str, mode: Literal["rb", "rb+", "ab"] = "rb", *, follow: bool = False
) -> io.FileIO:
    """Open a regular file, unbuffered; never wait for a named pipe.

    Args:
        path: the file. Links in its folders are followed.
        mode: as for `open`. A file opened for writing must have no other hard link, because
            another user could own it.
        follow: also follow a link to the file itself.

    Raises:
        NotAFileError: it is a link, a named pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    extra = _NO_WAIT | (0 if follow else _NO_FOLLOW)

    def opener(name: str, flags: int) -> int:
        if not follow and not _NO_FOLLOW:
            _check(name, os.lstat(name))
        try:
            file = os.open(name, flags | extra, 0o666)
        except OSError:  # for links and sockets the system's reason is unclear
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
    """Read a regular file that is not a link; raises OSError."""
    with open_file(path) as file:
        return file.readall()


def new_file(path: Path) -> io.BufferedWriter:
    """Create an empty file, replacing a file or link of that name; raises OSError."""
    path.unlink(missing_ok=True)
    return path.open("xb")


def clone_file(source: Path, target: Path) -> None:
    """Clone a file copy-on-write: both share blocks until one is written to.

    Raises:
        OSError: the file system cannot clone; an empty target may remain.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOTSUP, "cloning is implemented for Linux only")
    import fcntl

    with open_file(source, follow=True) as file, target.open("xb") as clone:
        fcntl.ioctl(clone.fileno(), _FICLONE, file.fileno())


def map_file(path: Path) -> mmap.mmap:
    """Memory-map a regular file; raise OSError if it is a link or empty."""
    with open_file(path) as file:
        if not os.fstat(file.fileno()).st_size:
            raise OSError(errno.EINVAL, "it is empty", str(path))
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_WILLNEED"):
        mapped.madvise(mmap.MADV_WILLNEED)
    return mapped


def replace_file(target: Path, data: bytes, temporary: Path, *, sync: bool = False) -> None:
    """Write a file in one step.

    Args:
        target: the file; what has its name is replaced, never written through.
        data: its bytes.
        temporary: an unpredictable name on the same file system.
        sync: wait until the bytes are on the disk.

    Raises:
        OSError: it cannot be written.
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
    """Bytes of a regular file; None for anything else, and in folders closed to this user."""
    with suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            return status.st_size
    return None


def is_foreign(file: Path | int) -> bool:
    """Whether a file belongs to another user, root excepted; raises OSError.

    Args:
        file: its path, or the descriptor of an open one.
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
        raise OSError(errno.EMLINK, "it has a second name", path)
