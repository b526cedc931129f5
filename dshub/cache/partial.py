"""Store the bytes of a download in progress until a rename publishes the file.

The bytes can arrive in any order::

    partial-v1/<checksum>/                          left for the next process
    partial-v1/<checksum>.<host>-<pid>-<random>/    written by one process
      data                                          bytes at their final offsets
      journal                                       arrived ranges and their source

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
from dshub.cache.journal import Journal, Origin, partial_size, read_journal
from dshub.cache.running_hash import RunningHash
from dshub.cache.spans import Extents, Span, SpanAllocator
from dshub.checksums import Digest

JOURNALED = 4 << 20  # minimum size of a download with a journal, in bytes

_seeking = threading.Lock()  # Windows has no call that both seeks and reads


class Partial:
    """Partially downloaded file, hashed while its contiguous beginning grows.

    Several threads can each fill a span. Opening a download that an earlier process left reads and
    hashes its beginning. At the end, call `publish` to move the file to its final path, `leave` to
    keep it for another process, or `discard` to delete it.

    Args:
        path: folder that only this process writes to.
        digest: expected checksum of the complete file.

    Attributes:
        data: path of the unfinished file.
        origin: source of the bytes.
        version: number that increases when bytes that have arrived are dropped.
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
        """Number of bytes that have arrived."""
        with self._changed:
            return self._spans.arrived.total

    @property
    def end(self) -> int:
        """Offset after the last arrived byte."""
        with self._changed:
            return self._spans.arrived.end

    @property
    def actual(self) -> Digest:
        """Checksum of the contiguous beginning of the file."""
        with disk_faults(self.data, "read"):
            return Digest(self.digest.algorithm, self._hash.hexdigest())

    def complete(self, size: int | None) -> bool:
        """Return whether the file has exactly `size` bytes without gaps; False for None."""
        with self._changed:
            return size is not None and self._spans.arrived.front == self._spans.arrived.end == size

    def note(self, origin: Origin) -> None:
        """Record the source of the bytes that arrive from now on."""
        with self._changed:
            self.origin = origin
            self._journal.note(origin)

    def claim(self, size: int | None, *, max_length: int | None = None) -> Span | None:
        """Claim a missing part of the file to `write` and then `release`.

        See `SpanAllocator.claim`.
        """
        with self._changed:
            span = self._spans.claim(size, max_length)
            large = size is None or size >= JOURNALED or self._spans.streams > 1
            if span is not None and large and not self._journal.begun:
                self._journal.begin(self.origin, self._spans.arrived)
            return span

    def write(self, span: Span, piece: memoryview) -> int:
        """Write the next bytes of a span, and return how many of them belong to the file.

        Bytes after the end of the span, and bytes of a revoked span, are ignored.
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
        if counts and front > at:  # `self._hash` may have been replaced since
            with disk_faults(self.data, "read"):
                running_hash.advance(front, piece, at)
        return written if counts else 0

    def release(self, span: Span) -> None:
        """Unregister a stream, so that the unfilled part of its span can be claimed again."""
        with self._changed:
            self._spans.release(span)
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until bytes arrive, a span is released, or `seconds` have passed."""
        with self._changed:
            self._changed.wait(seconds)

    def revoke(self) -> None:
        """Revoke every span, and wait for writes in progress."""
        with self._changed:
            self._spans.revoke()
            self._changed.wait_for(lambda: self._spans.settled)

    def _halt(self) -> None:
        """Revoke every span, and allow no new ones before `_begin`.

        Call it before changing the file. A byte that arrives during the change could be hashed
        and then lost with the old file.
        """
        with self._changed:
            self._spans.closed = True
        self.revoke()
        self._hash.end()

    def _begin(self, extents: Extents) -> None:
        """Start a new version that contains `extents` of the current file."""
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
        """Drop all bytes and start over with an empty file."""
        self._halt()
        with disk_faults(self.data, "write"):
            self._file.truncate(0)
        self._begin(Extents())

    def forget(self, *offsets: int) -> None:
        """Mark wrong bytes as missing.

        Args:
            *offsets: start and stop of the first range, then of the next, and so on.
        """
        self._halt()
        for start, stop in zip(offsets[::2], offsets[1::2], strict=True):
            self._spans.arrived.remove(start, stop)
        self._begin(self._spans.arrived)

    def peek(self, start: int, max_bytes: int) -> tuple[int, bytes]:
        """Read unverified bytes from `start` on, for a reader that follows the download.

        Returns:
            `version` and at most `max_bytes`, or no bytes if the byte at `start` is missing or the
            file is about to change. Do not join bytes of different versions.
        """
        with self._changed:  # prevents closing or truncating the file
            spans = self._spans
            stop = start if spans.closed else min(spans.arrived.reach(start), start + max_bytes)
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
        """Sync the file to disk and move it to `target`. The caller has verified its checksum."""
        self._halt()
        with disk_faults(target, "write"):
            self._file.truncate(self._spans.arrived.end)
            os.fsync(self._file.fileno())
            self._close()
            self.data.replace(target)
        clear(self.path)

    def reject(self, aside: Path) -> None:
        """Move the bytes to `aside`, and start over with an empty file."""
        self._swap(self.data, aside)

    def replace(self, path: Path) -> None:
        """Move the file at `path` here, to replace all bytes."""
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
            if size and partial_size(resting) <= size:
                clear(resting)
                self.path.rename(resting)
        clear(self.path)

    def discard(self) -> None:
        """Delete the download and its folder."""
        self._close()
        clear(self.path)

    def _close(self) -> None:
        if not self._file.closed:
            self._halt()
            self._journal.close()
            self._file.close()


def _open(path: Path) -> io.FileIO:
    """Open a file for reading and writing; create it if it is missing.

    Anything but a regular file is replaced with an empty file. So is a file with a second hard
    link, which could be another user's.
    """
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            clear(path)
    if not os.path.lexists(path):
        path.touch(exist_ok=False)
    return open_file(path, "rb+")


def _read_at(file: io.FileIO, buffer: memoryview, offset: int) -> int:
    """Read into `buffer` and return the number of bytes, 0 at the end; raises OSError."""
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [buffer], offset)
    return _transfer(file, file.readinto, buffer, offset)


def _write_at(file: io.FileIO, piece: memoryview, offset: int) -> None:
    """Write all of `piece` at `offset`; raises OSError."""
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
