"""Regions of open files, scratch space, and prefetching in a thread."""

import io
import os
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dshub.archives._decoding import Damage, Readable
from dshub.cache.disk import disk_faults

if TYPE_CHECKING:
    from typing_extensions import Buffer

Item = TypeVar("Item")


@contextmanager
def prefetched(items: Generator[Item, None, None], *, most: int) -> Iterator[Iterator[Item]]:
    """Run a generator in a thread, ahead of its consumer.

    Items arrive in order, and an error is raised after the items that precede it. The generator is
    closed when the block ends.

    Args:
        items: generator that no other code uses.
        most: maximum number of items to prefetch.
    """
    end = object()
    with closing(items), ThreadPoolExecutor(1, "dshub-prefetch") as thread:
        waiting = deque(thread.submit(next, items, end) for _ in range(most + 1))

        def consume() -> Iterator[Item]:
            while (item := waiting[0].result()) is not end:
                waiting.popleft()
                yield item  # type: ignore[misc]  # not `end`
                waiting.append(thread.submit(next, items, end))

        try:
            yield consume()
        finally:
            for future in waiting:
                future.cancel()


class SharedFile:
    """An open file that several threads can read at the same time.

    Args:
        file: unbuffered file, closed with this object.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file, self._lock = file, threading.Lock()
        self.size = os.fstat(file.fileno()).st_size

    def read_at(self, place: int, view: memoryview) -> int:
        """Fill `view` from offset `place`; return the byte count, less only at the end."""
        filled = 0
        with self._lock:
            self._file.seek(place)
            while filled < len(view) and (count := self._file.readinto(view[filled:])):
                filled += count
        return filled

    def append(self, data: bytes) -> None:
        """Append bytes to the file."""
        view = memoryview(data)
        with self._lock:
            self._file.seek(self.size)
            while view:
                count = self._file.write(view)
                view = view[count:]
                self.size += count

    def close(self) -> None:
        """Close the file, after which its regions cannot be read."""
        self._file.close()


class Region:
    """A range of bytes in an open file, such as a member of a tar."""

    def __init__(self, file: SharedFile, start: int, size: int) -> None:
        self._file, self._start, self.size = file, start, size

    def read_at(self, place: int, view: "Buffer") -> int:
        """Fill `view` from offset `place`; return the byte count, less only at the end."""
        if place < 0:
            raise Damage(f"an offset is negative: {place:,}")
        view = memoryview(view).cast("B")[: max(0, self.size - place)]
        return self._file.read_at(self._start + place, view)

    def read(self, place: int, size: int) -> bytes:
        """Read `size` bytes from offset `place`, or fewer at the end of the region."""
        buffer = bytearray(max(0, min(size, self.size - place)))
        return bytes(buffer[: self.read_at(place, buffer)])

    def part(self, place: int, size: int) -> "Region":
        """Return a region within this region."""
        return Region(self._file, self._start + place, size)

    def open(self) -> "RegionStream":
        """Open the region as a stream."""
        return RegionStream(self)


class RegionStream(Readable):
    """A stream of the bytes of a region; raises Damage if the file ends within the region."""

    def __init__(self, region: Region) -> None:
        self._region, self._place = region, 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + (0, self._place, self._region.size)[whence]
        if place < 0:
            # a subclass of OSError, as callers expect
            raise io.UnsupportedOperation(f"cannot seek to negative position {place:,}")
        self._place = place
        return place

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")[: max(0, self._region.size - self._place)]
        if self._region.read_at(self._place, view) < len(view):
            raise Damage("the file is truncated")
        self._place += len(view)
        return len(view)


class Scratch:
    """Disk space for unpacked containers, in one unnamed file.

    The operating system frees the space when the process exits or is killed.

    Args:
        folder: folder of the file; the system's temporary folder if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._file: SharedFile | None = None
        self._lock = threading.Lock()

    def add(self, pieces: Iterable[bytes]) -> Region:
        """Write bytes and return their region; raise StoreError if writing fails."""
        with self._lock:
            if self._file is None:
                with disk_faults(self._folder, "write"):
                    self._file = SharedFile(
                        tempfile.TemporaryFile(buffering=0, dir=self._folder, prefix="scratch.")  # noqa: SIM115  # closed in `close`
                    )
            start = self._file.size
            for piece in pieces:
                with disk_faults(self._folder, "write"):
                    self._file.append(piece)
            return Region(self._file, start, self._file.size - start)

    def close(self) -> None:
        """Close the file, which frees its space."""
        if self._file is not None:
            self._file.close()
