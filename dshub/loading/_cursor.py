"""Track the position of a loader, and compute the batch at any position.

`Loader` uses this module, and so do adapters that step through batches themselves (`cursor_of`). A
place is (epoch, position). The position counts rows in the order of the epoch, over all ranks.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dshub._validate import whole
from dshub.loading.bad_rows import BadRows
from dshub.loading.gathering import Gatherer
from dshub.loading.options import BatchOptions, Rows
from dshub.loading.order import Order, Share, key_of, permute
from dshub.loading.processes.child import Work
from dshub.loading.processes.parent import BatchProcess

CHUNK = 1 << 14  # rows of the order to compute at a time
SORT_WINDOW = 64  # batches that are sorted by length together
AHEAD = 2  # prefetched batches per thread, if the memory limit allows

Place = tuple[int, int]


class Cursor:
    """Position of a loader, with access to the batch at any position.

    Attributes:
        epoch, position: place after the last yielded batch.
        resume: position in `epoch` where the next iteration starts.
        ahead: number of batches that are prepared in advance at the same time.
        errors: rows that could not be decoded.
    """

    def __init__(self, rows: Rows, options: BatchOptions, order: Order) -> None:
        self.rows, self.options, self.order = rows, options, order
        self.share, self.ahead = options.share(order.length), options.ahead(rows)
        self._window = (-1, -1), np.empty(0, np.int64)
        self._process: tuple[BatchOptions, BatchProcess] | None = None
        self.errors = BadRows(options.on_error)
        self.seek(0, 0)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the gatherer, which can hold all images."""
        left_out = {"gatherer": None, "_process": None}
        return {n: value for n, value in (vars(self) | left_out).items() if n != "gatherer"}

    @cached_property
    def gatherer(self) -> Gatherer:
        """Gatherer of the loader's batches."""
        return Gatherer(self.rows, self.options, found=self.errors)

    @property
    def step(self) -> int:
        """Number of positions that one batch uses on all ranks."""
        return self.options.size * self.share.world

    def seek(self, epoch: int, position: int) -> None:
        """Set the place where the next iteration starts."""
        self.epoch, self.position, self.resume = epoch, position, position
        self._start: Place | None = None

    def begin(self) -> None:
        """Record the start of an iteration for `place_after`."""
        self._start = self.epoch, self.resume

    def advance(self, epoch: int, position: int) -> None:
        """Record the place after the last yielded batch."""
        if epoch != self.epoch:
            self.resume = 0
            self.errors.warn(before=epoch)
        self.epoch, self.position = epoch, min(position, self.share.total)

    def starts(self, position: int | None = None) -> range:
        """Return the start positions of the batches from `position`, by default from `resume`."""
        return self._starts(self.share, self.resume if position is None else position)

    def _starts(self, share: Share, position: int) -> range:
        size, rows = self.options.size, share.count(position)
        batches = rows // size if self.options.drop_last else -(-rows // size)
        return range(position, position + batches * self.step, self.step)

    def place(self, batches: int, start: Place | None = None) -> Place:
        """Return the place `batches` batches after `start`, by default the next iteration's start.

        Raises:
            ArgumentError: `batches` is not an integer of at least 0.
        """
        batches = whole("batches", batches, least=0)
        epoch, position = start or (self.epoch, self.resume)
        beyond = batches - len(self.starts(position))
        if beyond < 0:
            return epoch, position + batches * self.step
        epochs, remainder = divmod(beyond, max(1, len(self.starts(0))))
        return epoch + 1 + epochs, remainder * self.step

    def place_after(self, batches: int) -> Place:
        """Return the place after `batches` batches of the latest iteration."""
        return self.place(batches, self._start)

    def rows_at(self, position: int, epoch: int) -> np.ndarray:
        """Return the rows of the batch that starts at `position`, int64."""
        count = min(self.options.size, self.share.count(position))
        if self.options.bucket is not None:
            return self._bucket_rows(position, epoch)[:count]
        return self.order.rows(self.share.positions(position, count), epoch)

    def _bucket_rows(self, position: int, epoch: int) -> np.ndarray:
        """Return the rows of the batch that starts at `position`, which have similar lengths.

        In each window of `SORT_WINDOW` batches, rows are sorted by length and cut into batches,
        which are then shuffled. This keeps padding short, uses every row once, and allows any batch
        to be computed alone. The rows of a batch depend on the batch size, so a saved state is
        valid only for the same size.
        """
        number, batch = divmod(position // self.step, SORT_WINDOW)
        rows = self._window_rows(number, epoch)
        full = len(rows) // self.step
        if batch < full:  # an incomplete batch stays last
            key = key_of(self.options.seed + 1, epoch * 1_000_003 + number)
            batch = int(permute(np.array([batch]), full, key)[0])
        start = batch * self.step
        return rows[start + self.share.rank : start + self.step : self.share.world]

    def _window_rows(self, number: int, epoch: int) -> np.ndarray:
        """Return the rows of a window sorted by length, cached for all batches of the window."""
        window, rows = self._window
        if window == (number, epoch):
            return rows
        share, count = self.share, self.step * SORT_WINDOW
        start = number * count
        positions = np.arange(start, min(start + count, share.total), dtype=np.int64)
        rows = self.order.rows(positions % max(1, share.length), epoch)
        lengths = self.rows.lengths(self.options.bucket or "", rows)
        rows = rows[np.argsort(lengths, kind="stable")]
        self._window = (number, epoch), rows  # one assignment, because threads share it
        return rows

    def batch(self, position: int, epoch: int) -> Any:
        """Return the batch that starts at `position`."""
        return self.gatherer.batch(self.rows_at(position, epoch), epoch)

    def batches(
        self,
        make: Callable[[np.ndarray, int], Any],
        *,
        finish: Callable[[Any], Any] = lambda batch: batch,
        options: BatchOptions | None = None,
    ) -> Iterator[Any]:
        """Yield the batches of one epoch, prefetched in threads or in a child process.

        Args:
            make: function that creates a batch from rows and an epoch.
            finish: function that turns a batch of a child process into one of `make`.
            options: options of the child process, by default those of the loader.
        """
        starts, epoch = self.starts(), self.epoch
        self.begin()
        # the first rank has the most batches, and an epoch ends with the last batch of any rank
        last = self._starts(replace(self.share, rank=0), self.resume)[-1:]
        threads, limit = self.ahead, self.options.prefetch
        requests = self._rows_of(starts, epoch)
        batches: Iterator[Any]
        if not threads:
            batches = (make(rows, epoch) for rows in requests)
        else:
            engine: _Engine = _Threads(lambda rows: make(rows, epoch), threads)
            if self.options.where == "process":
                process = self._started(options or self.options)
                engine = _Child(process, epoch, finish, self.errors)
            batches = _prefetch(engine, requests, threads=threads, limit=limit)
        for position, batch in zip(starts, batches, strict=True):
            # callers that know `len(loader)` never ask again, so the last batch ends the epoch
            ended = position in last
            self.advance(*((epoch + 1, 0) if ended else (epoch, position + self.step)))
            yield batch
            del batch  # frees its memory before the next batch is created
        if starts[-1:] != last or not starts:
            self.advance(epoch + 1, 0)

    def _started(self, options: BatchOptions) -> BatchProcess:
        """Return the child process, which runs until the loader is deleted."""
        previous, process = self._process or (None, None)
        if process is None or previous is not options or not process.is_alive:
            if process is not None:
                process.close()
            process = BatchProcess(Work(self.rows, options, self.ahead))
            self._process = options, process
        return process

    def _rows_of(self, starts: range, epoch: int) -> Iterator[np.ndarray]:
        """Yield the rows of each batch, computed in chunks because long arrays are faster."""
        size = self.options.size
        if self.options.bucket is not None:
            yield from (self.rows_at(position, epoch) for position in starts)
            return
        batches = max(1, CHUNK // size)
        for first in range(0, len(starts), batches):
            chunk = starts[first : first + batches]
            count = min(len(chunk) * size, self.share.count(chunk[0]))
            rows = self.order.rows(self.share.positions(chunk[0], count), epoch)
            for start in range(0, count, size):
                yield rows[start : start + size]


class _Engine(Protocol):
    """Interface for making batches in advance."""

    def submit(self, rows: np.ndarray) -> Any:
        """Start to make a batch, and return a ticket for it."""

    def result(self, ticket: Any) -> Any:
        """Wait for a batch, and return it."""

    def close(self, tickets: Sequence[Any]) -> None:
        """Drop batches that were started."""


class _Threads(_Engine):
    """Threads that make batches.

    Gathering, decoding and scaling release the GIL, and batches need not be moved.
    """

    def __init__(self, make: Callable[[np.ndarray], Any], threads: int) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dshub-loader")

    def submit(self, rows: np.ndarray) -> Future[Any]:
        return self._pool.submit(self._make, rows)

    def result(self, ticket: Future[Any]) -> Any:
        return ticket.result()

    def close(self, tickets: Sequence[Any]) -> None:
        del tickets
        self._pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Child(_Engine):
    """A child process that makes batches of an epoch."""

    process: BatchProcess
    epoch: int
    finish: Callable[[Any], Any]
    errors: BadRows

    def submit(self, rows: np.ndarray) -> int:
        return self.process.submit(rows, self.epoch)

    def result(self, ticket: int) -> Any:
        batch = self.process.result(ticket)
        for epoch, row, message in self.process.take_bad_rows():
            self.errors.add(epoch, row, message)
        return self.finish(batch)

    def close(self, tickets: Sequence[int]) -> None:
        self.process.cancel(list(tickets))


def _prefetch(
    engine: _Engine, requests: Iterable[np.ndarray], *, threads: int, limit: int
) -> Iterator[Any]:
    """Yield the batch of each request, in order, making later ones in advance.

    Args:
        engine: maker of the batches; its errors are raised instead of yielding the batch.
        requests: rows of each batch.
        threads: number of threads of the engine.
        limit: maximum size of prefetched batches in bytes; one batch is always allowed.
    """
    waiting: deque[Any] = deque()
    allowed = 1
    try:
        for request in requests:
            waiting.append(engine.submit(request))
            if len(waiting) < allowed:
                continue
            batch = engine.result(waiting.popleft())
            allowed = max(1, min(threads * AHEAD, limit // max(1, _bytes_of(batch)))) + 1
            yield batch
            del batch
        while waiting:
            yield engine.result(waiting.popleft())
    finally:  # runs even if the caller stops iterating
        engine.close(waiting)


def _bytes_of(batch: Any) -> int:
    """Estimate the size of a batch in bytes."""
    if isinstance(batch, dict):
        return sum(map(_bytes_of, batch.values()))
    if isinstance(batch, tuple | list):
        return sum(map(_bytes_of, batch)) if len(batch) < 10_000 else 100 * len(batch)
    return int(getattr(batch, "nbytes", 50))
