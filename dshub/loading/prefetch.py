"""Make batches in advance, in threads, within a limit of bytes.

Threads, not processes: gathering and scaling release the GIL, and nothing has to be pickled.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

A = TypeVar("A")
AHEAD = 2  # batches for each thread, if the limit allows


def prefetch(
    make: Callable[[A], Any], requests: Iterable[A], *, threads: int, limit: int
) -> Iterator[Any]:
    """Yield the batch `make(request)` for every request, in order, partly made in advance.

    Args:
        make: makes one batch; its errors are raised in place of the batch.
        requests: arguments of `make`.
        threads: number of threads; 0 makes each batch on demand.
        limit: bytes of waiting batches; one batch can always wait.
    """
    if not threads:
        yield from map(make, requests)
        return
    waiting: deque[Future[Any]] = deque()
    allowed = 1
    workers = ThreadPoolExecutor(threads, thread_name_prefix="dshub-loader")
    try:
        for request in requests:
            waiting.append(workers.submit(make, request))
            if len(waiting) < allowed:
                continue
            batch = waiting.popleft().result()
            allowed = max(1, min(threads * AHEAD, limit // max(1, _bytes_of(batch)))) + 1
            yield batch
            del batch
        while waiting:
            yield waiting.popleft().result()
    finally:  # also if the caller stops iterating
        workers.shutdown(wait=True, cancel_futures=True)


def _bytes_of(batch: Any) -> int:
    """Estimate the bytes of a batch."""
    if isinstance(batch, dict):
        return sum(map(_bytes_of, batch.values()))
    if isinstance(batch, tuple | list):
        return sum(map(_bytes_of, batch)) if len(batch) < 10_000 else 100 * len(batch)
    return int(getattr(batch, "nbytes", 50))
