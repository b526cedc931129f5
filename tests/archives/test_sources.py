"""Test prefetching items in a thread."""

import threading
from collections.abc import Generator

import pytest

from dshub.archives._sources import prefetched


def test_items_arrive_in_order() -> None:
    for most in (1, 2, 7):
        with prefetched((i for i in range(500)), most=most) as items:
            assert list(items) == list(range(500))
            assert list(items) == []


def test_items_are_produced_in_another_thread() -> None:
    made = threading.Event()

    def items() -> Generator[int, None, None]:
        yield threading.get_ident()
        made.set()
        yield 2

    with prefetched(items(), most=2) as items_read:
        assert next(items_read) != threading.get_ident()
        assert made.wait(10)


def test_waiting_items_are_limited() -> None:
    produced: list[int] = []

    def items() -> Generator[int, None, None]:
        for i in range(100):
            produced.append(i)
            yield i

    with prefetched(items(), most=3) as items_read:
        for i in items_read:
            assert len(produced) <= i + 1 + 3 + 1


def test_error_reaches_the_consumer() -> None:
    def items() -> Generator[int, None, None]:
        yield 1
        raise KeyError("two")

    received = []
    with pytest.raises(KeyError, match="two"), prefetched(items(), most=5) as items_read:
        received += [next(items_read)]
        next(items_read)
    assert received == [1]


@pytest.mark.parametrize("used", [0, 1, 5])
def test_leaving_early_ends_the_thread(used: int) -> None:
    """The generator is closed, so files that it reads can be removed."""
    before, ended = threading.active_count(), []

    def items() -> Generator[int, None, None]:
        try:
            yield from range(10**9)
        finally:
            ended.append(True)

    with pytest.raises(ZeroDivisionError), prefetched(items(), most=2) as prefetched_items:
        for _ in range(used):
            next(prefetched_items)
        _ = 1 / 0
    assert ended == [True] or used == 0
    assert threading.active_count() == before
