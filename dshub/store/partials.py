"""A download under way: bytes so far, their running checksum, and the rename at the end."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dshub.digest import CHUNK, Digest
from dshub.store.faults import disk_faults
from dshub.store.owners import is_orphan, own_name

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Partial:
    """The bytes of one file that have arrived, hashed as they come.

    Opening it reads and hashes what is there, so that a download goes on where an earlier
    process stopped. At the end, `publish` moves the bytes to their final name, `leave` keeps
    them for another process, or `discard` drops them.

    Args:
        path: where the bytes are gathered: a name that nobody else writes to.
        digest: what they must hash to.
    """

    def __init__(self, path: Path, digest: Digest) -> None:
        self.path, self.digest = path, digest
        self.size = 0
        self._hasher = hashlib.new(digest.algorithm)
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        with disk_faults(self.path, "write"):
            self._file = self._create()
            while piece := self._file.read(CHUNK):
                self._hasher.update(piece)
                self.size += len(piece)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _create(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | _NOFOLLOW
        return os.fdopen(os.open(self.path, flags, 0o666), "rb+")

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("this partial is not open")
        return self._file

    def write(self, piece: bytes | memoryview) -> None:
        """Append bytes; they reach the disk's cache before this returns."""
        with disk_faults(self.path, "write"):
            self._opened.write(piece)
            self._opened.flush()
        self._hasher.update(piece)
        self.size += len(piece)

    def restart(self) -> None:
        """Forget every byte and begin anew."""
        with disk_faults(self.path, "write"):
            self._opened.seek(0)
            self._opened.truncate(0)
        self._hasher = hashlib.new(self.digest.algorithm)
        self.size = 0

    @property
    def actual(self) -> Digest:
        """The checksum of the bytes so far."""
        return Digest(self.digest.algorithm, self._hasher.hexdigest())

    def publish(self, target: Path) -> None:
        """Move the bytes to `target`, whole and on the disk; the caller has checked them."""
        with disk_faults(target, "write"):
            os.fsync(self._opened.fileno())
            self._opened.close()
            self._file = None
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(target)

    def reject(self, aside: Path) -> None:
        """Move the file to another name; `restart` then begins a new one."""
        with disk_faults(aside, "write"):
            self._opened.close()
            self.path.replace(aside)
            self._file = self._create()

    def leave(self, resting: Path) -> None:
        """Put unpublished bytes where the next process looks for them, if there are any."""
        if self._file is None:
            return
        with suppress(OSError):
            if self.size and not (resting.is_file() and resting.stat().st_size > self.size):
                self.path.replace(resting)
        self.discard()

    def discard(self) -> None:
        """Drop the bytes and their file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            self.path.unlink()


def claim(resting: Path, *, orphans: bool) -> Path:
    """A name that is this process's alone, with the bytes of an earlier process if it left any.

    Those lie under the resting name, or, where that process was killed, under a name of its own.
    Taking them is a rename, which succeeds for one process only. A file whose owner may still
    write to it is left alone.

    Args:
        resting: the name under which unfinished bytes wait.
        orphans: whether to take those of killed processes too: only while the lock is held.
    """
    own = resting.with_name(own_name(resting.name))
    with disk_faults(resting, "write"):
        found = sorted(remains(resting, orphans=orphans), key=_size, reverse=True)
        for path in found:
            with suppress(FileNotFoundError):
                path.rename(own)
                break
        for path in found:
            path.unlink(missing_ok=True)
    return own


def remains(resting: Path, *, orphans: bool) -> list[Path]:
    """Files with bytes of an unfinished download that nobody writes to any more."""
    found = [resting] if resting.is_file() and not resting.is_symlink() else []
    if orphans:
        left = resting.parent.glob(f"{resting.name}.*")
        found += [path for path in left if is_orphan(path) and path.is_file()]
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
