"""The checksum of a file that arrives in any order: it follows the unbroken beginning.

Nothing is read again once the download is over. Bytes that arrive in order are hashed from memory;
those that arrived early are read back when the beginning reaches them, while the system still
caches them. For a large file a thread does that, so that receiving and hashing overlap. It also
syncs the file now and then, so that the sync at the end is short.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property

from dshub.checksums import CHUNK, Algorithm

LARGE = 32 << 20  # bytes from which a thread follows
SYNC_EVERY = 64 << 20

_sync = getattr(os, "fdatasync", os.fsync)


class RunningHash:
    """Hashes a file from its beginning as far as it has arrived.

    Args:
        read: fills a buffer from an offset of the file; returns how many bytes it got.
        algorithm: of the checksum.
        file: descriptor to sync from time to time.
    """

    def __init__(
        self, read: Callable[[memoryview, int], int], algorithm: Algorithm, *, file: int
    ) -> None:
        self._read, self._file = read, file
        self._hasher = hashlib.new(algorithm)
        self._hashed, self._reached, self._synced = 0, 0, 0
        self._changed = threading.Condition()
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._error: OSError | None = None

    @cached_property
    def _buffer(self) -> memoryview:
        return memoryview(bytearray(CHUNK))

    def advance(self, reached: int, arrived: memoryview, at: int) -> None:
        """Go on up to `reached`; `arrived` are the bytes from offset `at` on.

        Raises:
            OSError: the file cannot be read back.
        """
        with self._changed:
            self._reached = max(self._reached, reached)
            if self._thread is None and reached >= LARGE and not self._ended:
                self._thread = threading.Thread(target=self._follow, daemon=True, name="dshub-hash")
                self._thread.start()
            self._changed.notify_all()
        self._check()
        # a thread that holds the lock goes on until all is hashed
        if self._thread is None and self._busy.acquire(blocking=False):
            try:
                if at == self._hashed:
                    self._hasher.update(arrived)
                    self._hashed += len(arrived)
                self._catch_up()
            finally:
                self._busy.release()

    def hexdigest(self) -> str:
        """The checksum of everything that was reached; waits until it is hashed."""
        if self._thread is not None:
            with self._changed:
                self._changed.wait_for(lambda: self._hashed >= self._reached or self._error)
        else:
            with self._busy:
                self._catch_up()
        self._check()
        return self._hasher.hexdigest()

    def end(self) -> None:
        """Stop; the file can be closed afterwards."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._busy:
            pass

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _catch_up(self) -> None:
        while self._hashed < self._reached and not self._ended:
            count = self._read(self._buffer[: self._reached - self._hashed], self._hashed)
            if count == 0:
                raise OSError(f"the file ends at {self._hashed:,} bytes")
            self._hasher.update(self._buffer[:count])
            self._hashed += count

    def _follow(self) -> None:
        try:
            with self._busy:
                while self._wait():
                    self._catch_up()
                    self._hand_to_disk()
        except OSError as error:
            self._error = error
        with self._changed:
            self._changed.notify_all()

    def _wait(self) -> bool:
        """Wait for something to hash; False at the end."""
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._hashed < self._reached or self._ended)
            return not self._ended

    def _hand_to_disk(self) -> None:
        if self._hashed - self._synced >= SYNC_EVERY:
            with suppress(OSError):  # the sync before the rename is the one that counts
                _sync(self._file)
            self._synced = self._hashed
