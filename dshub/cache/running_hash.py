"""The checksum of a file whose bytes arrive in any order.

It follows the unbroken beginning of the file, so that nothing is read again at the end. Bytes that
arrive in order are hashed from memory. Those that arrived early are read back when the beginning
reaches them, while the system still caches them. For a large file a thread does so, and receiving
and hashing overlap. It also syncs the file now and then, so that the sync at the end is short.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

from dshub.checksums import CHUNK, Algorithm

LARGE = 32 << 20  # bytes of the smallest file that a thread hashes
SYNC_EVERY = 64 << 20

_sync = getattr(os, "fdatasync", os.fsync)


class RunningHash:
    """Hashes a file from its beginning as far as it has arrived.

    Args:
        read: fills a buffer from an offset of the file; returns the number of bytes.
        algorithm: of the checksum.
        file: descriptor to sync from time to time.
    """

    def __init__(
        self, read: Callable[[memoryview, int], int], algorithm: Algorithm, *, file: int
    ) -> None:
        self._read, self._file = read, file
        self._hasher = hashlib.new(algorithm)
        self._hashed = self._reached = self._synced = 0
        self._lock = threading.Lock()  # for `_reached` and `_task`
        self._busy = threading.Lock()  # held by the thread that hashes
        self._thread = ThreadPoolExecutor(1, "dshub-hash")  # starts with its first task
        self._task: Future[None] | None = None
        self._ended = False

    @cached_property
    def _buffer(self) -> memoryview:
        return memoryview(bytearray(CHUNK))

    def advance(self, reached: int, arrived: memoryview, at: int) -> None:
        """Hash up to the offset `reached`; `arrived` are the bytes from the offset `at` on.

        Raises:
            OSError: the file cannot be read back.
        """
        with self._lock:
            self._reached = max(self._reached, reached)
            if reached >= LARGE and not self._ended:
                if self._task is None or self._task.done():
                    self._finish_task()
                    self._task = self._thread.submit(self._catch_up)
                return
        # another thread that is hashing goes on until it has hashed all
        if self._busy.acquire(blocking=False):
            try:
                if at == self._hashed:
                    self._hasher.update(arrived)
                    self._hashed += len(arrived)
                self._hash_reached()
            finally:
                self._busy.release()

    def hexdigest(self) -> str:
        """Return the checksum of everything up to the highest `reached`.

        Raises:
            OSError: the file cannot be read back.
        """
        self._finish_task()
        self._catch_up()
        return self._hasher.hexdigest()

    def end(self) -> None:
        """Stop; the file can be closed afterwards."""
        with self._lock:
            self._ended = True
        self._thread.shutdown()
        with self._busy:
            pass

    def _finish_task(self) -> None:
        if self._task is not None:
            self._task.result()

    def _catch_up(self) -> None:
        with self._busy:
            self._hash_reached()

    def _hash_reached(self) -> None:
        while self._hashed < self._reached and not self._ended:
            count = self._read(self._buffer[: self._reached - self._hashed], self._hashed)
            if count == 0:
                raise OSError(f"the file ends at {self._hashed:,} bytes")
            self._hasher.update(self._buffer[:count])
            self._hashed += count
            if self._hashed - self._synced >= SYNC_EVERY:
                with suppress(OSError):  # the sync before the rename is the one that counts
                    _sync(self._file)
                self._synced = self._hashed
