"""Threads that share the rows of a batch."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait


class Workers:
    """Threads that call a function for each row of a batch.

    Threads suffice because decoders and kernels release the interpreter lock. Batches that are
    prepared at the same time share the threads.

    Args:
        threads: number of threads; 0 and 1 use the caller's thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, function: Callable[[int], None], count: int) -> None:
        """Call a function with 0 … count-1, in any order.

        Raises:
            Exception: the error of the first row that failed, as without threads.
        """
        threads = min(self.threads, count)
        if threads <= 1:
            for number in range(count):
                function(number)
            return
        rows = _Rows(count)
        executor = self._threads()
        futures = [executor.submit(rows.work, function) for _ in range(threads)]
        wait(futures)
        for future in futures:
            future.result()  # raises KeyboardInterrupt and SystemExit
        if rows.errors:
            raise min(rows.errors, key=lambda failed: failed[0])[1]

    def _threads(self) -> ThreadPoolExecutor:
        """Return the executor, a new one in a forked process, which has no threads."""
        if self._executor is None or self._process != os.getpid():
            self._executor = ThreadPoolExecutor(self.threads, "dshub-decoder")
            self._process = os.getpid()
        return self._executor


class _Rows:
    """Rows of a batch, each for one of several threads.

    Attributes:
        errors: rows that failed, and their errors.
    """

    def __init__(self, count: int) -> None:
        self._numbers, self._lock = iter(range(count)), threading.Lock()
        self.errors: list[tuple[int, Exception]] = []

    def work(self, function: Callable[[int], None]) -> None:
        """Call a function with rows until there are none, or an earlier row has failed."""
        while (number := self._next()) is not None:
            if self.errors and any(number > failed for failed, _ in self.errors):
                return
            try:
                function(number)
            except Exception as error:  # noqa: BLE001  # raised in the caller's thread
                self.errors.append((number, error))

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)
