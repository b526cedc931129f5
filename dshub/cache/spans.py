"""Ranges of bytes that have arrived, merged where they touch."""

import os
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Extents:
    """Disjoint ranges of offsets in ascending order: `[(0, 100), (200, 300)]`."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._stops, strict=True)))

    @property
    def front(self) -> int:
        """The end of the range that begins at 0."""
        return self._stops[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def end(self) -> int:
        """The end of the last range."""
        return self._stops[-1] if self._stops else 0

    @property
    def total(self) -> int:
        """Bytes in all ranges together."""
        return sum(self._stops) - sum(self._starts)

    def reach(self, start: int) -> int:
        """Up to where everything from `start` on is there; `start` itself where nothing is."""
        found = bisect_right(self._starts, start) - 1
        return max(start, self._stops[found]) if found >= 0 else start

    def add(self, start: int, stop: int) -> None:
        """Include `start` to `stop`; nothing where the range is empty."""
        if start >= stop:
            return
        first, last = bisect_left(self._stops, start), bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last], self._stops[first:last] = [start], [stop]

    def remove(self, start: int, stop: int) -> None:
        """Leave out `start` to `stop`."""
        kept = [
            piece
            for old in self
            for piece in ((old[0], min(old[1], start)), (max(old[0], stop), old[1]))
        ]
        self._starts, self._stops = [], []
        for begin, end in kept:
            self.add(begin, end)

    def gaps(self, end: int) -> Iterator[tuple[int, int]]:
        """The ranges below `end` that are missing, in order."""
        position = 0
        for start, stop in self:
            if position < min(start, end):
                yield position, min(start, end)
            position = max(position, stop)
        if position < end:
            yield position, end


_seeking = threading.Lock()  # of systems that cannot do both in one call


def write_at(file: int, piece: memoryview, offset: int) -> int:
    """Write some of `piece` at an offset of a descriptor; returns how many bytes."""
    if hasattr(os, "pwrite"):
        return os.pwrite(file, piece, offset)
    with _seeking:
        os.lseek(file, offset, os.SEEK_SET)
        return os.write(file, piece)


def read_at(file: int, buffer: memoryview, offset: int) -> int:
    """Fill some of `buffer` from an offset of a descriptor; returns how much, 0 at the end."""
    if hasattr(os, "preadv"):
        return os.preadv(file, [buffer], offset)
    with _seeking:
        os.lseek(file, offset, os.SEEK_SET)
        piece = os.read(file, len(buffer))
    buffer[: len(piece)] = piece
    return len(piece)
