"""The bytes of a download in progress, which arrive in any order until a rename publishes them.

::

    partial-v1/<checksum>/                          waits for the next process
    partial-v1/<checksum>.<host>-<pid>-<random>/    one process writes to it
      data                                          the bytes, each at its offset
      journal                                       which of them have arrived, and from where

Small downloads that arrive in order have no journal.
"""

import io
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from dshub.cache.disk import clear, disk_faults
from dshub.cache.files import open_file
from dshub.cache.journal import Journal, Origin, arrived, read_journal
from dshub.cache.running_hash import RunningHash
from dshub.cache.spans import Extents, Span, SpanAllocator
from dshub.checksums import Digest

JOURNALED = 4 << 20  # bytes of the smallest download with a journal

_seeking = threading.Lock()  # for Windows, which cannot seek and read in one call


class Partial:
    """The bytes of a file that have arrived, hashed as their unbroken beginning grows.

    Several threads may each fill a span. Opening it reads and hashes the beginning that an
    earlier process left. At the end, `publish` moves the bytes to their final name, `leave` keeps
    them for another process, or `discard` drops them.

    Args:
        path: the folder for the bytes; no other process writes to it.
        digest: the checksum that they must have.

    Attributes:
        data: the file with the bytes.
        origin: the source of the bytes.
        version: increased whenever arrived bytes are taken back.
    """

    def __init__(self, path: Path, digest: Digest) -> None:
        self.path, self.data, self.digest = path, path / "data", digest
        self.origin, self.version = Origin(), 0
        self._changed = threading.Condition()
        with disk_faults(path, "write"):
            if path.is_symlink() or not path.is_dir():
                path.mkdir()
            self._file = _open(self.data)
        self._journal, size = Journal(path / "journal"), self._file_size()
        origin, extents = read_journal(path / "journal") or (Origin(), Extents((0, size)))
        extents.remove(size, max(size, extents.end))
        self._begin(extents)
        self.note(origin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def _file_size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        with self._changed:
            return self._spans.arrived.total

    @property
    def end(self) -> int:
        """Offset after the last byte that has arrived."""
        with self._changed:
            return self._spans.arrived.end

    @property
    def actual(self) -> Digest:
        """The checksum of the unbroken beginning."""
        with disk_faults(self.data, "read"):
            return Digest(self.digest.algorithm, self._hash.hexdigest())

    def complete(self, size: int | None) -> bool:
        """Whether exactly the bytes of a file of `size` bytes have arrived."""
        with self._changed:
            return size is not None and self._spans.arrived.front == self._spans.arrived.end == size

    def note(self, origin: Origin) -> None:
        """Record the source of the bytes from now on."""
        with self._changed:
            self.origin = origin
            self._journal.note(origin)

    def claim(self, size: int | None, *, most: int | None = None) -> Span | None:
        """Claim a missing part of the file, to `write` and `release`; see `SpanAllocator`."""
        with self._changed:
            span = self._spans.claim(size, most)
            large = size is None or size >= JOURNALED or self._spans.streams > 1
            if span is not None and large and not self._journal.begun:
                self._journal.begin(self.origin, self._spans.arrived)
            return span

    def write(self, span: Span, piece: memoryview) -> int:
        """Write the next bytes of a span; returns how many of them count.

        Bytes after the end of the span, or of a span that was taken back, are ignored.
        """
        with self._changed:
            at, piece = span.position, piece[: self._spans.reserve(span, len(piece))]
        written = 0
        try:
            with disk_faults(self.data, "write"):
                _write_at(self._file, piece, at)
            written = len(piece)
        finally:
            with self._changed:
                self._changed.notify_all()
                counts = self._spans.fill(span, written)
                if counts:
                    self._journal.record(span.start, span.position)
                running_hash, front = self._hash, self._spans.arrived.front
        if counts and front > at:  # by now, that hash may have been replaced
            with disk_faults(self.data, "read"):
                running_hash.advance(front, piece, at)
        return written if counts else 0

    def release(self, span: Span) -> None:
        """End a stream; the rest of its span can be claimed again."""
        with self._changed:
            self._spans.release(span)
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until bytes arrive or a span is released, for some seconds at most."""
        with self._changed:
            self._changed.wait(seconds)

    def revoke(self) -> None:
        """Take back every span, and wait for writes in progress."""
        with self._changed:
            self._spans.revoke()
            self._changed.wait_for(lambda: self._spans.settled)

    def _halt(self) -> None:
        """Hand out no spans until `_begin`, because the file is about to change.

        A byte that arrived meanwhile could be hashed and then lost with the old file.
        """
        with self._changed:
            self._spans.closed = True
        self.revoke()
        self._hash.end()

    def _begin(self, extents: Extents) -> None:
        """Continue with bytes from any source."""
        self.origin, read = Origin(), partial(_read_at, self._file)
        running_hash = RunningHash(read, self.digest.algorithm, file=self._file.fileno())
        if self._journal.begun or extents.front != extents.end:
            self._journal.begin(self.origin, extents)
        if extents.front:
            with disk_faults(self.data, "read"):
                running_hash.advance(extents.front, memoryview(b""), 0)
        with self._changed:
            self._spans, self._hash = SpanAllocator(extents), running_hash
            self.version += 1

    def restart(self) -> None:
        """Drop every byte."""
        self._halt()
        with disk_faults(self.data, "write"):
            self._file.truncate(0)
        self._begin(Extents())

    def forget(self, *offsets: int) -> None:
        """Count bytes as missing from now on, because they are wrong.

        Args:
            *offsets: start and stop of each range, in turn.
        """
        self._halt()
        for start, stop in zip(offsets[::2], offsets[1::2], strict=True):
            self._spans.arrived.remove(start, stop)
        self._begin(self._spans.arrived)

    def peek(self, start: int, most: int) -> tuple[int, bytes]:
        """Read unchecked bytes from `start` on, for a reader that follows the download.

        Returns:
            `version`, and at most `most` bytes; none if they are missing or the file is about to
            change. Bytes of two versions do not belong together.
        """
        with self._changed:  # keeps the file open and complete
            spans = self._spans
            stop = start if spans.closed else min(spans.arrived.reach(start), start + most)
            return self.version, self.read(start, stop) if stop > start else b""

    def read(self, start: int, stop: int) -> bytes:
        """Read bytes that have arrived."""
        buffer = memoryview(bytearray(stop - start))
        with disk_faults(self.data, "read"):
            done = 0
            while done < len(buffer) and (got := _read_at(self._file, buffer[done:], start + done)):
                done += got
        return bytes(buffer[:done])

    def publish(self, target: Path) -> None:
        """Move the bytes to `target`, once they are on the disk; the caller has checked them."""
        self._halt()
        with disk_faults(target, "write"):
            self._file.truncate(self._spans.arrived.end)
            os.fsync(self._file.fileno())
            self._close()
            self.data.replace(target)
        clear(self.path)

    def reject(self, aside: Path) -> None:
        """Move the bytes to another name, and start again without them."""
        self._swap(self.data, aside)

    def replace(self, path: Path) -> None:
        """Replace the bytes with those of another file."""
        self._swap(path, self.data)

    def _swap(self, source: Path, target: Path) -> None:
        self._halt()
        with disk_faults(target, "write"):
            self._file.close()
            source.replace(target)
            self._file = _open(self.data)
        self._begin(Extents((0, self._file_size())))

    def leave(self, resting: Path) -> None:
        """Leave unpublished bytes for the next process."""
        if self._file.closed:
            return
        size = self.size
        self._close()
        with suppress(OSError):
            if size and arrived(resting) <= size:
                clear(resting)
                self.path.rename(resting)
        clear(self.path)

    def discard(self) -> None:
        """Drop the bytes and their folder."""
        self._close()
        clear(self.path)

    def _close(self) -> None:
        if not self._file.closed:
            self._halt()
            self._journal.close()
            self._file.close()


def _open(path: Path) -> io.FileIO:
    """Open a file for reading and writing; create it if it is missing.

    An empty file replaces anything that is not a regular file, and a file with a second name,
    which could be another user's.
    """
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            clear(path)
    if not os.path.lexists(path):
        path.touch(exist_ok=False)
    return open_file(path, "rb+")


def _read_at(file: io.FileIO, buffer: memoryview, offset: int) -> int:
    """Fill some of `buffer`; returns how much, 0 at the end. Raises OSError."""
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [buffer], offset)
    return _transfer(file, file.readinto, buffer, offset)


def _write_at(file: io.FileIO, piece: memoryview, offset: int) -> None:
    """Write all of `piece`; raises OSError."""
    while piece:
        if hasattr(os, "pwrite"):
            count = os.pwrite(file.fileno(), piece, offset)
        else:
            count = _transfer(file, file.write, piece, offset)
        piece, offset = piece[count:], offset + count


def _transfer(
    file: io.FileIO, call: Callable[[memoryview], int], buffer: memoryview, offset: int
) -> int:
    with _seeking:
        file.seek(offset)
        return call(buffer)
