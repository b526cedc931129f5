"""Track byte ranges of a file that have arrived or are being downloaded."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter

SMALLEST = 1 << 20  # minimum bytes of each half when a span is cut in two
LARGE = 16 << 20  # bytes; a stream keeps 1/8 of a larger remainder, 1/2 of a smaller one


class Extents:
    """Disjoint byte ranges in ascending order, such as `[(0, 100), (200, 300)]`.

    Args:
        *ranges: start and stop of each range.
    """

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self._ranges: list[tuple[int, int]] = []
        for start, stop in ranges:
            self.add(start, stop)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ranges[:])

    @property
    def front(self) -> int:
        """End of the range that starts at 0, or 0."""
        return self.reach(0)

    @property
    def end(self) -> int:
        """End of the last range, or 0."""
        return self._ranges[-1][1] if self._ranges else 0

    @property
    def total(self) -> int:
        """Total number of bytes in all ranges."""
        return sum(stop - start for start, stop in self._ranges)

    def reach(self, start: int) -> int:
        """Return the end of the range that contains `start`, or `start` if no range does."""
        index = bisect_right(self._ranges, start, key=itemgetter(0)) - 1
        return max(start, self._ranges[index][1]) if index >= 0 else start

    def add(self, start: int, stop: int) -> None:
        """Add the range from `start` to `stop`; an empty range has no effect."""
        if start < stop:
            first = bisect_left(self._ranges, start, key=itemgetter(1))
            last = bisect_right(self._ranges, stop, key=itemgetter(0))
            touching = self._ranges[first:last] or [(start, stop)]
            merged = min(start, touching[0][0]), max(stop, touching[-1][1])
            self._ranges[first:last] = [merged]

    def remove(self, start: int, stop: int) -> None:
        """Remove the bytes from `start` to `stop`."""
        before = [(first, min(last, start)) for first, last in self]
        after = [(max(first, stop), last) for first, last in self]
        self._ranges = sorted((first, last) for first, last in before + after if first < last)

    def gaps(self, end: int) -> Iterator[tuple[int, int]]:
        """Yield the missing ranges below `end`, in order."""
        position = 0
        for start, stop in [*self, (end, end)]:
            if position < min(start, end):
                yield position, min(start, end)
            position = max(position, stop)


class Span:
    """Range of a file that one stream fills from start to stop.

    Attributes:
        start: offset of the first byte.
        position: offset of the next byte to write.
        reserved: offset after the bytes that are being written.
        stop: offset after the last byte, or None if the size of the file is unknown. It decreases
            when another stream takes over the end of the span.
        live: False after the span is revoked or released. Further bytes are ignored.
    """

    def __init__(self, start: int, stop: int | None) -> None:
        self.start, self.position, self.reserved, self.stop = start, start, start, stop
        self.live = True

    @property
    def full(self) -> bool:
        """True if the stream can write no more bytes."""
        return not self.room(1)

    def room(self, size: int) -> int:
        """Return how many of the next `size` bytes fit into the span."""
        if not self.live:
            return 0
        return size if self.stop is None else max(0, min(size, self.stop - self.position))


class SpanAllocator:
    """Allocator of the missing bytes of a file to streams.

    A stream claims a span, then repeatedly calls `reserve`, writes bytes to the file, and calls
    `fill`. Not thread-safe: the caller holds a lock.

    Args:
        arrived: ranges that have arrived.

    Attributes:
        closed: True to refuse further claims.
    """

    def __init__(self, arrived: Extents) -> None:
        self.arrived = arrived
        self.closed = False
        self._spans: list[Span] = []

    @property
    def streams(self) -> int:
        """Number of claimed spans."""
        return len(self._spans)

    @property
    def settled(self) -> bool:
        """True if no write to a revoked span is in progress."""
        return all(span.live for span in self._spans)

    def claim(self, size: int | None, max_length: int | None = None) -> Span | None:
        """Return the first missing part of the file that is not claimed.

        If every missing byte is claimed and `max_length` is set, the largest span is cut in two
        and the second part is returned.

        Args:
            size: size of the file in bytes, or None if unknown, which allows only one stream.
            max_length: maximum length of the span in bytes.
        """
        if self.closed:
            return None
        gap = self._first_gap(size)
        if gap is None and size is not None and max_length is not None:
            gap = self._cut()
        if gap is None:
            return None
        start, stop = gap
        span = Span(
            start, stop if stop is None or max_length is None else min(stop, start + max_length)
        )
        self._spans.append(span)
        return span

    def _first_gap(self, size: int | None) -> tuple[int, int | None] | None:
        if size is None:
            return None if self._spans else (self.arrived.front, None)
        taken = Extents(*self.arrived)
        for span in self._spans:
            taken.add(span.start, size if span.stop is None else span.stop)
        return next(taken.gaps(size), None)

    def _cut(self) -> tuple[int, int] | None:
        """Cut off the end of the span with the most bytes remaining, and return it as a range."""
        remaining, span, stop = max(
            ((span.stop - span.reserved, span, span.stop) for span in self._spans if span.stop),
            default=(0, None, 0),
            key=lambda item: item[0],
        )
        if span is None or remaining < 2 * SMALLEST:
            return None
        span.stop = span.reserved + remaining // (8 if remaining > LARGE else 2)
        return span.stop, stop

    def reserve(self, span: Span, count: int) -> int:
        """Reserve up to `count` bytes of a span for a write, and return their number."""
        count = span.room(count)
        span.reserved = span.position + count
        return count

    def fill(self, span: Span, count: int) -> bool:
        """End a write of `count` reserved bytes; return False if the span was revoked."""
        start, span.position = span.position, span.position + count
        span.reserved = span.position
        if span.live:
            self.arrived.add(start, span.position)
        else:
            self.release(span)
        return span.live

    def release(self, span: Span) -> None:
        """Unregister a span, so that its unfilled part can be claimed again."""
        span.live = False
        if span in self._spans:
            self._spans.remove(span)

    def revoke(self) -> None:
        """Revoke every span. A span with a write in progress stays claimed until the write ends."""
        for span in list(self._spans):
            span.live = False
            if span.reserved == span.position:
                self.release(span)
