"""Making batches ahead of their use, in threads, within a bound of bytes.

Threads, not processes: gathering and scaling let other threads run, and nothing has to be sent.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

A = TypeVar("A")
T = TypeVar("T")
AHEAD = 2  # batches for each thread, where that is within the bound


def ahead(
    make: Callable[[A], T],
    asked: Iterable[A],
    *,
    threads: int,
    most: int,
    size: Callable[[T], int],
) -> Iterator[T]:
    """`make` of everything asked, in its order, some of it before it is wanted.

    Args:
        make: makes one batch; what it raises is raised where the batch would come.
        asked: what the batches are made of.
        threads: how many make them; 0 makes each when it is asked for.
        most: bytes that may wait; one batch always may.
        size: bytes of a batch.
    """
    if not threads:
        yield from map(make, asked)
        return
    waiting: deque[Future[T]] = deque()
    allowed = 1
    workers = ThreadPoolExecutor(threads, thread_name_prefix="dshub-loader")
    try:
        for one in asked:
            waiting.append(workers.submit(make, one))
            if len(waiting) < allowed:
                continue
            found = waiting.popleft().result()
            allowed = max(1, min(threads * AHEAD, most // max(1, size(found)))) + 1
            yield found
            del found
        while waiting:
            yield waiting.popleft().result()
    finally:  # also where an iteration is left in the middle
        workers.shutdown(wait=True, cancel_futures=True)


def batch_bytes(batch: Any) -> int:
    """About how many bytes a batch holds."""
    if isinstance(batch, dict):
        return sum(map(batch_bytes, batch.values()))
    if isinstance(batch, tuple | list):
        return sum(map(batch_bytes, batch)) if len(batch) < 10_000 else 100 * len(batch)
    return int(getattr(batch, "nbytes", 50))
