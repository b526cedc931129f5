"""A download under way: bytes so far, their running checksum, and the rename at the end."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from dshub.digest import CHUNK, Digest
from dshub.store.faults import disk_faults


class Partial:
    """The bytes of one file that have arrived, hashed as they come.

    Opening it reads and hashes what an earlier process left, so that a download goes on where
    that one stopped. It is a context manager; leaving it keeps the bytes, unless `publish` has
    moved them or `discard` has dropped them.

    Args:
        path: where the bytes are gathered.
        digest: what they must hash to.
    """

    def __init__(self, path: Path, digest: Digest) -> None:
        self.path, self.digest = path, digest
        self.size = 0
        self._hasher = hashlib.new(digest.algorithm)
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        with disk_faults(self.path, "write"):
            self._file = self._open()
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
        if self._file is not None and self.size == 0:
            self.discard()  # nothing to keep
        elif self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        """The file, for reading and writing; a link or a folder in its place is put aside."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            self.path.rename(self.path.with_name(f"{self.path.name}.odd-{os.getpid()}"))
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
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

    def discard(self) -> None:
        """Drop the bytes and their file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            self.path.unlink()
