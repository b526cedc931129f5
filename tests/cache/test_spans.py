"""Test dividing the missing bytes of a file among streams."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.cache import spans
from dshub.cache.spans import Extents, Span, SpanAllocator

SIZE = 60
RANGES = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), max_size=6)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "claim a part", "reserve", "fill", "fail", "release", "revoke"]),
        st.integers(0, 9),
        st.integers(1, 20),
    ),
    max_size=40,
)


@pytest.fixture(scope="module", autouse=True)
def spans_of_few_bytes() -> Iterator[None]:
    with patch.object(spans, "SMALLEST", 2), patch.object(spans, "LARGE", 16):
        yield


def numbers(ranges: Extents | list[tuple[int, int]]) -> set[int]:
    return {number for start, stop in ranges for number in range(start, stop)}


class Streams:
    """Streams that fill a file, checked against sets of byte offsets."""

    def __init__(self, arrived: list[tuple[int, int]]) -> None:
        self.allocator = SpanAllocator(Extents(*arrived))
        self.arrived = numbers(arrived)
        self.spans: list[Span] = []

    def missing(self, span: Span) -> set[int]:
        return set(range(span.position, SIZE if span.stop is None else span.stop))

    def claimed(self) -> set[int]:
        """Return the claimed offsets, including those of spans revoked during a write."""
        ours = [span for span in self.spans if span.live or span.reserved > span.position]
        return set().union(*map(self.missing, ours))

    def claim(self, most: int | None) -> bool:
        free = set(range(SIZE)) - self.arrived - self.claimed()
        left = [len(self.missing(span)) - span.reserved + span.position for span in self.live]
        span = self.allocator.claim(SIZE, most)
        if span is None:
            assert not free
            assert most is None or max(left, default=0) < 4
            return False
        if free:
            assert span.start == min(free)
        assert not span.full
        assert not self.missing(span) & self.claimed()
        assert most is None or len(self.missing(span)) <= most
        self.spans.append(span)
        return True

    @property
    def live(self) -> list[Span]:
        return [span for span in self.spans if span.live]

    def fill(self, span: Span, count: int, *, fail: bool = False) -> None:
        count = span.reserved - span.position or self.allocator.reserve(span, count)
        start, count = span.position, 0 if fail else count
        if self.allocator.fill(span, count):
            assert span.stop is None or span.position <= span.stop
            self.arrived |= set(range(start, start + count))

    def step(self, action: str, which: int, count: int) -> None:
        if action.startswith("claim"):
            self.claim(None if action == "claim" else count)
        elif action == "revoke":
            self.allocator.revoke()
        elif self.spans:
            span = self.spans[which % len(self.spans)]
            if action in {"fill", "fail"}:
                self.fill(span, count, fail=action == "fail")
            elif span.reserved == span.position:
                getattr(self.allocator, action)(span, *[count][: action == "reserve"])

    def check(self) -> None:
        """Check that live spans do not overlap and that only bytes written to them have arrived."""
        assert numbers(self.allocator.arrived) == self.arrived
        live = [self.missing(span) for span in self.live]
        assert sum(map(len, live)) == len(set().union(*live))
        assert not self.arrived & set().union(*live)
        busy = any(not span.live and span.reserved > span.position for span in self.spans)
        assert self.allocator.settled == (not busy)


@given(RANGES, STEPS)
def test_streams_write_every_byte_once(
    arrived: list[tuple[int, int]], steps: list[tuple[str, int, int]]
) -> None:
    streams = Streams(arrived)
    for step in steps:
        streams.step(*step)
        streams.check()
    for span in streams.spans:
        streams.fill(span, 0)
    streams.allocator.revoke()
    while streams.claim(7):
        streams.fill(streams.spans[-1], 7)
        streams.allocator.release(streams.spans[-1])
        streams.check()
    assert list(streams.allocator.arrived) == [(0, SIZE)]


def test_one_stream_fills_a_file_of_unknown_size() -> None:
    allocator = SpanAllocator(Extents((0, 10), (20, 30)))
    span = allocator.claim(None)
    assert span is not None
    assert (span.start, span.stop) == (10, None)
    assert allocator.claim(None) is None
    assert allocator.claim(None, 5) is None
    allocator.release(span)
    assert allocator.claim(None) is not None


def test_a_closed_allocator_hands_out_nothing() -> None:
    allocator = SpanAllocator(Extents())
    span = allocator.claim(SIZE)
    assert span is not None
    allocator.closed = True
    allocator.revoke()
    assert allocator.reserve(span, 5) == 0
    assert allocator.claim(SIZE) is None


@given(RANGES, RANGES)
def test_extents_are_a_set_of_numbers(
    added: list[tuple[int, int]], removed: list[tuple[int, int]]
) -> None:
    extents, expected = Extents(*added), numbers(added)
    for pair in removed:
        start, stop = sorted(pair)
        extents.remove(start, stop)
        expected -= set(range(start, stop))
    assert numbers(extents) == expected
    assert numbers(list(extents.gaps(SIZE))) == set(range(SIZE)) - expected
    assert extents.total == len(expected)
    assert extents.end == max(expected, default=-1) + 1
    assert extents.front == min(set(range(SIZE + 1)) - expected)
