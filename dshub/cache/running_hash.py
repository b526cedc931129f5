"""The checksum of a file that arrives in any order: it follows the unbroken beginning.

Nothing is read a second time once the download is over. Bytes that arrive in order are hashed from
memory as they come; those that arrived ahead are read back when the beginning reaches them, while
they are still in the system's cache. For a large file a thread of its own does that, so that
receiving and hashing overlap; it also hands the bytes to the disk as it goes, so that the sync at
the end is short.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from dshub.checksums import CHUNK, Algorithm

LARGE = 32 << 20  # bytes from which a thread follows
SYNC_EVERY = 64 << 20

_sync = getattr(os, "fdatasync", os.fsync)


class Front:
    """Hashes a file from its beginning as far as it is there.

    Args:
        read: fills a buffer from an offset of the file; returns how many bytes it got.
        algorithm: of the checksum.
        file: descriptor to sync as the work goes on.
    """

    def __init__(
        self, read: Callable[[memoryview, int], int], algorithm: Algorithm, *, file: int
    ) -> None:
        self._read, self._algorithm, self._file = read, algorithm, file
        self._hasher = hashlib.new(algorithm)
        self._hashed, self._reached, self._synced = 0, 0, 0
        self._changed = threading.Condition()
        self._busy = threading.Lock()
        self._buffer: memoryview | None = None
        self._thread: threading.Thread | None = None
        self._ended = False
        self._error: OSError | None = None

    def advance(self, reached: int, arrived: memoryview, at: int) -> None:
        """The file is there up to `reached`; `arrived` are the bytes from offset `at` on.

        Raises:
            OSError: the file cannot be read back.
        """
        with self._changed:
            self._reached = max(self._reached, reached)
            if self._thread is None and reached >= LARGE and not self._ended:
                self._thread = threading.Thread(target=self._follow, daemon=True, name="dshub-hash")
                self._thread.start()
            self._changed.notify_all()
        if self._error is not None:
            raise self._error
        if self._thread is None and self._busy.acquire(
            blocking=False
        ):  # whoever is at it goes on until all is hashed
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
                while self._hashed < self._reached and self._error is None:
                    self._changed.wait()
        else:
            with self._busy:
                self._catch_up()
        if self._error is not None:
            raise self._error
        return self._hasher.hexdigest()

    def end(self) -> None:
        """Stop; the file may be closed afterwards."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._busy:
            pass

    def _catch_up(self) -> None:
        if self._hashed < self._reached and self._buffer is None:
            self._buffer = memoryview(bytearray(CHUNK))
        while self._hashed < self._reached and not self._ended:
            buffer = self._buffer or memoryview(bytearray(CHUNK))
            count = self._read(buffer[: self._reached - self._hashed], self._hashed)
            if count == 0:
                raise OSError(f"the file ends at {self._hashed:,} bytes")
            self._hasher.update(buffer[:count])
            self._hashed += count

    def _follow(self) -> None:
        try:
            with self._busy:
                while self._wait():
                    self._catch_up()
                    self._hand_to_disk()
                    self._notify()
        except OSError as error:
            self._error = error
            self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait(self) -> bool:
        """Until there is something to hash; False once nobody wants it any more."""
        with self._changed:
            while self._hashed >= self._reached and not self._ended:
                self._changed.wait()
            return not self._ended

    def _hand_to_disk(self) -> None:
        if self._hashed - self._synced >= SYNC_EVERY:
            with suppress(OSError):  # the sync before the rename is the one that counts
                _sync(self._file)
            self._synced = self._hashed
