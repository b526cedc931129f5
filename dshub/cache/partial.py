"""A download under way: the bytes that have arrived, in any order, and the rename at the end.

::

    partial-v1/<checksum>/                          waits for the next process
    partial-v1/<checksum>.<host>-<pid>-<random>/    one process writes to it
      data                                          the bytes, each at its place
      journal                                       which of them have arrived, and from where

Small downloads that arrive from their beginning have no journal.
"""

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from dshub.cache.disk import clear, disk_faults
from dshub.cache.files import open_file
from dshub.cache.journal import Journal, Origin, arrived, read_journal
from dshub.cache.running_hash import Front
from dshub.cache.spans import Extents, read_at, write_at
from dshub.checksums import Digest

JOURNALED = 4 << 20  # bytes from which the place that a download has reached is worth a journal
SMALLEST = 1 << 20  # bytes of a span that are worth a request of their own
LARGE = 16 << 20  # bytes from which a span is for many to share; a smaller one for two

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Span:
    """A range of a file that one stream fills, from its start on.

    Attributes:
        start: offset of its first byte.
        position: offset of the next byte to be written.
        stop: offset behind its last byte, or None where the end of the file is not known. It may
            be moved nearer while the stream is at work, when others are given the rest.
        live: False once the bytes are wanted no more; what is still written is ignored.
    """

    def __init__(self, start: int, stop: int | None) -> None:
        self.start, self.position, self.stop = start, start, stop
        self.reserved = start
        self.live = True
        self.line: int | None = None  # of the journal

    @property
    def full(self) -> bool:
        """Whether nothing is left to write."""
        return not self.live or (self.stop is not None and self.position >= self.stop)

    def room(self, size: int) -> int:
        """How many of `size` bytes still belong to it."""
        if not self.live:
            return 0
        return size if self.stop is None else min(size, self.stop - self.position)


class Partial:
    """The bytes of one file that have arrived, hashed as the beginning grows.

    Several threads may each fill a span of it. Opening it reads and hashes the beginning that is
    there, so that a download goes on where an earlier process stopped. At the end, `publish`
    moves the bytes to their final name, `leave` keeps them for another process, or `discard`
    drops them.

    Args:
        path: the folder in which the bytes are gathered: a name that nobody else writes to.
        digest: what they must hash to.

    Attributes:
        version: raised whenever bytes that had arrived are taken back.
    """

    def __init__(self, path: Path, digest: Digest) -> None:
        self.path, self.digest = path, digest
        self.data = path / "data"
        self.origin = Origin()
        self.version = 0
        self._extents = Extents()
        self._spans: list[Span] = []
        self._changed = threading.Condition()
        self._open = False  # whether spans are handed out
        self._file: int | None = None
        self._journal: Journal | None = None

    def __enter__(self) -> Self:
        with disk_faults(self.path, "write"):
            if self.path.is_symlink() or not self.path.is_dir():
                self.path.mkdir()
            self._file = _open(self.data)
            end = os.fstat(self._file).st_size
        known = read_journal(self.path / "journal")
        origin, extents = known or (Origin(), Extents())
        if known is None:
            extents.add(0, end)
        extents.remove(end, max(end, extents.end))
        self._begin(extents)
        self.note(origin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def _descriptor(self) -> int:
        if self._file is None:
            raise ValueError("this partial is not open")
        return self._file

    def _read(self, buffer: memoryview, offset: int) -> int:
        return read_at(self._descriptor, buffer, offset)

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        with self._changed:
            return self._extents.total

    def complete(self, size: int | None) -> bool:
        """Whether a file of `size` bytes is there, every byte of it."""
        with self._changed:
            return size is not None and self._extents.front == self._extents.end == size

    @property
    def end(self) -> int:
        """Offset behind the last byte that has arrived."""
        with self._changed:
            return self._extents.end

    def note(self, origin: Origin) -> None:
        """The bytes come from there, from now on."""
        with self._changed:
            self.origin = origin
            if self._journal is not None:
                self._journal.note(origin)

    def claim(self, size: int | None, *, most: int | None = None) -> Span | None:
        """A part of the file that is missing and that nobody else fills: the first one.

        Where every missing byte is somebody's and `most` is given, the largest span is shortened
        and what it loses is handed out.

        Args:
            size: of the whole file; None where it is not known, and only one may fill it.
            most: bytes of the span at most.

        Returns:
            A span to `write` to and to `release`, or None if there is nothing to hand out.
        """
        with self._changed:
            if not self._open:
                return None
            found = self._free(size)
            if found is None and most is not None and size is not None:
                found = self._cut()
            if found is None:
                return None
            start, stop = found
            if most is not None and stop is not None:
                stop = min(stop, start + most)
            span = Span(start, stop)
            self._spans.append(span)
            if size is None or size >= JOURNALED or len(self._spans) > 1:
                self._enter(span)
            return span

    def _free(self, size: int | None) -> tuple[int, int | None] | None:
        if size is None:
            return None if self._spans else (self._extents.front, None)
        taken = Extents()
        for start, stop in self._extents:
            taken.add(start, stop)
        for span in self._spans:
            taken.add(span.start, size if span.stop is None else span.stop)
        return next(taken.gaps(size), None)

    def _cut(self) -> tuple[int, int] | None:
        """Take from the largest span what its stream will not reach soon."""
        spans = [(span.stop or 0) - span.reserved for span in self._spans]
        if max(spans, default=0) < 2 * SMALLEST:
            return None
        span = self._spans[spans.index(max(spans))]
        stop = span.stop or 0
        left = stop - span.reserved
        span.stop = span.reserved + left // (8 if left > LARGE else 2)
        return span.stop, stop

    def _enter(self, span: Span) -> None:
        with disk_faults(self.path, "write"):
            journal = self._journal or self._start_journal()
            span.line = journal.append(span.start, span.position)

    def _start_journal(self) -> Journal:
        if self._journal is not None:
            self._journal.close()
        self._journal = Journal(self.path / "journal", self.origin, self._extents)
        return self._journal

    def write(self, span: Span, piece: memoryview) -> int:
        """Put the next bytes of a span at their place.

        What is beyond its end, or was wanted no more, is ignored; returns how many bytes count.
        """
        with self._changed:
            piece = piece[: span.room(len(piece))]
            span.reserved = span.position + len(piece)
        try:
            with disk_faults(self.data, "write"):
                self._put(piece, span.position)
        except BaseException:
            with self._changed:
                span.reserved = span.position
                self._changed.notify_all()
            raise
        return self._arrived(span, piece)

    def _put(self, piece: memoryview, offset: int) -> None:
        done = 0
        while done < len(piece):
            done += write_at(self._descriptor, piece[done:], offset + done)

    def _arrived(self, span: Span, piece: memoryview) -> int:
        with self._changed:
            at, span.position = span.position, span.reserved
            if span.live:
                self._extents.add(at, span.position)
                self._record(span)
            front, reached, live = self._front, self._extents.front, span.live
            self._changed.notify_all()
        if live and reached > at:  # `front` may have ended by now, and another have begun
            with disk_faults(self.data, "read"):
                front.advance(reached, piece, at)
        return len(piece) if live else 0

    def _record(self, span: Span) -> None:
        if self._journal is not None and span.line is not None:
            with disk_faults(self.path, "write"):
                self._journal.update(span.line, span.start, span.position)

    def release(self, span: Span) -> None:
        """The stream of a span has ended; what it did not fill can be handed out again."""
        with self._changed:
            if span in self._spans:
                self._spans.remove(span)
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until something has arrived or a span was released, or for some seconds."""
        with self._changed:
            self._changed.wait(seconds)

    def revoke(self) -> None:
        """Take back every span: no byte is written to one any more when this returns."""
        with self._changed:
            for span in self._spans:
                span.live = False
            while any(span.reserved != span.position for span in self._spans):
                self._changed.wait()
            self._spans.clear()

    def _halt(self) -> None:
        """Hand nothing out until `_begin`: the file, or what counts of it, is about to change.

        A byte that were written meanwhile could be hashed, and then be lost with the old file.
        """
        with self._changed:
            self._open = False
        self.revoke()
        self._front.end()

    def restart(self) -> None:
        """Forget every byte and begin anew."""
        self._halt()
        with disk_faults(self.path, "write"):
            os.ftruncate(self._descriptor, 0)
        self._begin(Extents())

    def forget(self, *offsets: int) -> None:
        """Some bytes are not the right ones: they count as missing from now on.

        Args:
            *offsets: where such bytes begin and end, in turn.
        """
        self._halt()
        for start, stop in zip(offsets[::2], offsets[1::2], strict=True):
            self._extents.remove(start, stop)
        self._begin(self._extents)

    def _begin(self, extents: Extents) -> None:
        """Go on from what is there, whoever sent it."""
        self._extents, self.origin = extents, Origin()
        self._front = Front(self._read, self.digest.algorithm, file=self._descriptor)
        with disk_faults(self.path, "write"):
            if self._journal is not None or extents.front != extents.end:
                self._start_journal()
            if extents.front:
                self._front.advance(extents.front, memoryview(b""), 0)
        with self._changed:
            self._open = True
            self.version += 1

    def peek(self, start: int, most: int) -> tuple[int, bytes]:
        """What has arrived from `start` on, for one who follows from afar.

        Nobody has checked these bytes.

        Returns:
            `version`, and `most` bytes at most; none where they are not there, or the file is
            about to change. Bytes of two versions are not of one file.
        """
        with self._changed:  # so that the file is neither closed nor cut meanwhile
            stop = min(self._extents.reach(start), start + most) if self._open else start
            return self.version, self.read(start, stop) if stop > start else b""

    def read(self, start: int, stop: int) -> bytes:
        """Bytes that have arrived."""
        buffer = memoryview(bytearray(stop - start))
        with disk_faults(self.data, "read"):
            done = 0
            while done < len(buffer) and (got := self._read(buffer[done:], start + done)):
                done += got
        return bytes(buffer[:done])

    @property
    def actual(self) -> Digest:
        """The checksum of the unbroken beginning."""
        with disk_faults(self.data, "read"):
            return Digest(self.digest.algorithm, self._front.hexdigest())

    def publish(self, target: Path) -> None:
        """Move the bytes to `target`, whole and on the disk; the caller has checked them."""
        self._halt()
        with disk_faults(target, "write"):
            os.ftruncate(self._descriptor, self._extents.end)
            os.fsync(self._descriptor)
            self._close()
            self.data.replace(target)
        self._remove()

    def reject(self, aside: Path) -> None:
        """Move the bytes to another name, and begin anew."""
        self._swap(self.data, aside)

    def replace(self, path: Path) -> None:
        """Take the bytes of another file of this folder for those that have arrived."""
        self._swap(path, self.data)

    def _swap(self, source: Path, target: Path) -> None:
        self._halt()
        extents = Extents()
        with disk_faults(target, "write"):
            os.close(self._descriptor)
            self._file = None
            source.replace(target)
            self._file = _open(self.data)
            extents.add(0, os.fstat(self._file).st_size)
        self._begin(extents)

    def leave(self, resting: Path) -> None:
        """Put unpublished bytes where the next process looks for them, if there are any."""
        if self._file is None:
            return
        mine = self.size
        self._close()
        with suppress(OSError):
            if mine and arrived(resting) <= mine:
                clear(resting)
                self.path.rename(resting)
        self._remove()

    def discard(self) -> None:
        """Drop the bytes and their folder."""
        self._close()
        self._remove()

    def _remove(self) -> None:
        """Remove the folder, which nobody else can be taking over."""
        clear(self.path)

    def _close(self) -> None:
        if self._file is None:
            return
        self._halt()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        os.close(self._file)
        self._file = None


def _open(path: Path) -> int:
    """Open a file for reading and writing; what cannot be gone on with is replaced by an empty one.

    That is anything but a regular file, and one that has a second name, which could be anybody's.
    """
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            clear(path)
        with open_file(path, "rb+") as file:
            return os.dup(file.fileno())
    return os.open(path, _NEW, 0o666)
