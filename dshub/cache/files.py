"""Open and replace files in folders that other users can write to.

A name there may be a link to one of our files, or a named pipe that never answers.
"""

import errno
import io
import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)  # Windows has none of the three
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

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
        mode: a file that is written to must have no second name, which could be anybody's.
        follow: follow a link in its last place.

    Raises:
        NotAFileError: it is a link, a named pipe, a socket or a device.
        OSError: it cannot be opened.
    """
    return io.FileIO(str(path), mode, opener=_opener(follow=follow, shared=mode == "rb"))


def read_file(path: Path) -> bytes:
    """Read a regular file that is not a link; raises OSError."""
    with open_file(path) as file:
        return file.readall()


def new_file(path: Path) -> io.BufferedWriter:
    """Open an empty file in place of whatever file or link has that name; raises OSError."""
    path.unlink(missing_ok=True)
    return path.open("xb")


def map_file(path: Path) -> mmap.mmap:
    """Map a regular file that is not a link and not empty; raises OSError."""
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
        target: its name; whatever has it is replaced, never written through.
        data: its bytes.
        temporary: a name on the same file system that nobody can guess.
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


def is_foreign(file: Path | int) -> bool:
    """Whether another user than this one and root owns a file; raises OSError.

    Args:
        file: its path, or the descriptor of an open one.
    """
    user = getattr(os, "geteuid", None)
    status = os.fstat(file) if isinstance(file, int) else os.lstat(file)
    return user is not None and status.st_uid not in {user(), 0}


def _opener(*, follow: bool, shared: bool) -> Callable[[str, int], int]:
    flags = _NO_WAIT | (0 if follow else _NO_FOLLOW)

    def opened(path: str, wanted: int) -> int:
        if not follow and not _NO_FOLLOW:
            _check(path, os.lstat(path).st_mode)
        try:
            file = os.open(path, wanted | flags, 0o666)
        except OSError:  # of a link or a socket the system says little
            if not follow:
                _check(path, os.lstat(path).st_mode)
            raise
        try:
            status = os.fstat(file)
            _check(path, status.st_mode, 1 if shared else status.st_nlink)
        except OSError:
            os.close(file)
            raise
        return file

    return opened


def _check(path: str, mode: int, names: int = 1) -> None:
    kind = stat.S_IFMT(mode)
    if kind in _KINDS:
        raise NotAFileError(errno.EINVAL, f"it is {_KINDS[kind]}, not a file", path)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if names > 1:
        raise OSError(errno.EMLINK, "it has a second name", path)
