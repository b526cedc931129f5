"""Ranges of a file: the bytes that have arrived, and those that streams are downloading."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter

SMALLEST = 1 << 20  # bytes of a span that are worth a request of their own
LARGE = 16 << 20  # bytes of the smallest span that many streams share, not just two


class Extents:
    """Disjoint ranges of offsets in ascending order: `[(0, 100), (200, 300)]`.

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
        """The end of the range that begins at 0."""
        return self.reach(0)

    @property
    def end(self) -> int:
        """The end of the last range."""
        return self._ranges[-1][1] if self._ranges else 0

    @property
    def total(self) -> int:
        """Bytes in all ranges together."""
        return sum(stop - start for start, stop in self._ranges)

    def reach(self, start: int) -> int:
        """The end of the range that holds `start`, or `start` if none does."""
        index = bisect_right(self._ranges, start, key=itemgetter(0)) - 1
        return max(start, self._ranges[index][1]) if index >= 0 else start

    def add(self, start: int, stop: int) -> None:
        """Include `start` to `stop`; an empty range changes nothing."""
        if start < stop:
            first = bisect_left(self._ranges, start, key=itemgetter(1))
            last = bisect_right(self._ranges, stop, key=itemgetter(0))
            touching = self._ranges[first:last] or [(start, stop)]
            merged = min(start, touching[0][0]), max(stop, touching[-1][1])
            self._ranges[first:last] = [merged]

    def remove(self, start: int, stop: int) -> None:
        """Exclude `start` to `stop`."""
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
    """A range of a file that one stream fills, from its start on.

    Attributes:
        start: offset of its first byte.
        position: offset of the next byte to write.
        reserved: offset after the bytes that are being written.
        stop: offset after its last byte, or None if the size of the file is unknown. It decreases
            when another stream gets the rest.
        live: False once the allocator has taken the span back; further bytes are ignored.
    """

    def __init__(self, start: int, stop: int | None) -> None:
        self.start, self.position, self.reserved, self.stop = start, start, start, stop
        self.live = True

    @property
    def full(self) -> bool:
        """Whether all of it is written."""
        return not self.room(1)

    def room(self, size: int) -> int:
        """How many of `size` bytes still belong to it."""
        if not self.live:
            return 0
        return size if self.stop is None else max(0, min(size, self.stop - self.position))


class SpanAllocator:
    """Divides the missing bytes of a file among streams.

    A stream claims a span and fills it from its start: it reserves the next bytes, writes them,
    and counts them as arrived. Nothing here touches a file or a thread; the caller holds a lock.

    Args:
        arrived: the bytes that have arrived.

    Attributes:
        closed: set to hand out no more spans.
    """

    def __init__(self, arrived: Extents) -> None:
        self.arrived = arrived
        self.closed = False
        self._spans: list[Span] = []

    @property
    def streams(self) -> int:
        """Number of spans that are being filled."""
        return len(self._spans)

    @property
    def settled(self) -> bool:
        """Whether no bytes are being written to a span that was taken back."""
        return all(span.live for span in self._spans)

    def claim(self, size: int | None, most: int | None = None) -> Span | None:
        """Hand out the first missing part of the file that is not claimed.

        If every missing byte is claimed and `most` is given, shorten the largest span and hand out
        the rest of it.

        Args:
            size: of the whole file; None if unknown, and then only one stream fills it.
            most: bytes of the span at most.
        """
        if self.closed:
            return None
        gap = self._first_gap(size)
        if gap is None and size is not None and most is not None:
            gap = self._cut()
        if gap is None:
            return None
        start, stop = gap
        span = Span(start, stop if stop is None or most is None else min(stop, start + most))
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
        """Take from the largest span what its stream will not reach soon."""
        left, span, stop = max(
            ((span.stop - span.reserved, span, span.stop) for span in self._spans if span.stop),
            default=(0, None, 0),
            key=lambda item: item[0],
        )
        if span is None or left < 2 * SMALLEST:
            return None
        span.stop = span.reserved + left // (8 if left > LARGE else 2)
        return span.stop, stop

    def reserve(self, span: Span, count: int) -> int:
        """Keep the next bytes of a span for a write; returns how many of `count` belong to it."""
        count = span.room(count)
        span.reserved = span.position + count
        return count

    def fill(self, span: Span, count: int) -> bool:
        """End a write that `reserve` began; returns whether its `count` bytes count as arrived."""
        start, span.position = span.position, span.position + count
        span.reserved = span.position
        if span.live:
            self.arrived.add(start, span.position)
        else:
            self.release(span)
        return span.live

    def release(self, span: Span) -> None:
        """Take a span back from its stream, so that its unfilled part can be claimed again."""
        span.live = False
        if span in self._spans:
            self._spans.remove(span)

    def revoke(self) -> None:
        """Revoke every span. One in the middle of a write stays claimed until the write ends."""
        for span in list(self._spans):
            span.live = False
            if span.reserved == span.position:
                self.release(span)
