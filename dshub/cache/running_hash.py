"""Hash a file while its bytes arrive in any order.

Only the contiguous beginning of the file is hashed. Bytes that arrive in order are hashed from
memory. Bytes that arrive early are read back when the beginning reaches them, usually from the
page cache. A large file is hashed in a thread, in parallel with the download. The file is also
synced to disk at intervals, so that the final sync is short.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

from dshub.checksums import CHUNK, Algorithm

LARGE = 32 << 20  # minimum bytes for hashing in a thread
SYNC_EVERY = 64 << 20  # bytes between syncs

_sync = getattr(os, "fdatasync", os.fsync)


class RunningHash:
    """Incremental checksum of the contiguous beginning of a file.

    Args:
        read: function that fills a buffer from an offset of the file and returns the byte count.
        algorithm: hash algorithm.
        file: descriptor of the file to sync.
    """

    def __init__(
        self, read: Callable[[memoryview, int], int], algorithm: Algorithm, *, file: int
    ) -> None:
        self._read, self._file = read, file
        self._hasher = hashlib.new(algorithm)
        self._hashed = self._reached = self._synced = 0
        self._lock = threading.Lock()  # guards `_reached` and `_task`
        self._busy = threading.Lock()  # held by the thread that hashes
        self._thread = ThreadPoolExecutor(1, "dshub-hash")  # starts no thread before the first task
        self._task: Future[None] | None = None
        self._ended = False

    @cached_property
    def _buffer(self) -> memoryview:
        return memoryview(bytearray(CHUNK))

    def advance(self, reached: int, arrived: memoryview, at: int) -> None:
        """Hash up to the offset `reached`.

        Args:
            reached: end of the contiguous beginning of the file.
            arrived: latest bytes of the file, to hash from memory.
            at: offset of `arrived`.

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
        # if another thread holds the lock, it also hashes up to the new `_reached`
        if self._busy.acquire(blocking=False):
            try:
                if at == self._hashed:
                    self._hasher.update(arrived)
                    self._hashed += len(arrived)
                self._hash_reached()
            finally:
                self._busy.release()

    def hexdigest(self) -> str:
        """Return the checksum of the file up to the highest `reached` offset.

        Raises:
            OSError: the file cannot be read back.
        """
        self._finish_task()
        self._catch_up()
        return self._hasher.hexdigest()

    def end(self) -> None:
        """Stop hashing, so that the file can be closed."""
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
                with suppress(OSError):  # only the sync before the rename must succeed
                    _sync(self._file)
                self._synced = self._hashed
