"""Sources of bytes: regions of files, scratch files, reading ahead in a thread.

Making what comes next in a thread of its own, while what came before is used.
"""

import io
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Generic, Protocol, TypeVar, cast

from dshub.archives import _decoding as _kinds
from dshub.archives._decoding import Damage
from dshub.archives._members import Peeled
from dshub.cache.disk import disk_faults
from dshub.cache.files import open_file
from dshub.progress import Progress, Task

if TYPE_CHECKING:
    from typing_extensions import Buffer

Item = TypeVar("Item")


@contextmanager
def prefetched(items: Generator[Item, None, None], *, most: int) -> Iterator[Iterator[Item]]:
    """The same items in the same order; what making them raises is raised where they are used.

    When the block ends, however it ends, the thread has ended too and `items` is closed.

    Args:
        items: made in the thread; nobody else may use it meanwhile.
        most: how many may wait to be used. One more may be in the making, one in use.
    """
    worker = _Worker(items, most)
    worker.thread.start()
    try:
        yield worker.items()
    finally:
        worker.stop()


class _Worker(Generic[Item]):
    def __init__(self, items: Generator[Item, None, None], most: int) -> None:
        self._source = items
        self._made: deque[Item] = deque()
        self._failure: BaseException | None = None
        self._room = threading.Semaphore(most)
        self._ready = threading.Semaphore(0)  # one for each item, and one at the end
        self._stopped = False
        self.thread = threading.Thread(target=self._work, name="dshub-prefetch", daemon=True)

    def items(self) -> Iterator[Item]:
        while True:
            self._ready.acquire()
            if not self._made:
                break
            item = self._made.popleft()
            self._room.release()
            yield item
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._stopped = True
        self._room.release()
        self.thread.join()

    def _work(self) -> None:
        try:
            self._make()
        except BaseException as error:  # noqa: BLE001  # raised again where the items are used
            self._failure = error
        finally:
            self._ready.release()

    def _make(self) -> None:
        try:
            for item in self._source:
                self._room.acquire()
                if self._stopped:
                    return
                self._made.append(item)
                self._ready.release()
        finally:
            self._source.close()


_PIECE = 1 << 20  # bytes unpacked at a time
_AHEAD = 4  # pieces unpacked before they are looked at


class SharedFile:
    """One open file, of which several pieces may be read at the same time, also by threads.

    Args:
        file: unbuffered; closed with this.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file, self._lock = file, threading.Lock()
        self.size = os.fstat(file.fileno()).st_size

    def read_at(self, place: int, view: memoryview) -> int:
        """Fill `view` from a place on; the number of bytes is smaller only at the end."""
        filled = 0
        with self._lock:
            self._file.seek(place)
            while filled < len(view):
                count = self._file.readinto(view[filled:])
                if not count:
                    break
                filled += count
        return filled

    def append(self, data: bytes) -> None:
        """Write at the end."""
        view = memoryview(data)
        with self._lock:
            self._file.seek(self.size)
            while view:
                count = self._file.write(view)
                view = view[count:]
                self.size += count

    def cut(self, size: int) -> None:
        """Drop what lies behind so many bytes."""
        with self._lock:
            self._file.truncate(size)
            self.size = size

    def close(self) -> None:
        """Close it; its regions can be read no further."""
        self._file.close()


class Region:
    """Bytes of an open file, from one place to another: a whole file, or a member of a tar.

    Attributes:
        size: how many they are.
    """

    def __init__(self, file: SharedFile, start: int, size: int) -> None:
        self._file, self._start, self.size = file, start, size

    def read_at(self, place: int, view: "Buffer") -> int:
        """Fill `view` from a place in it on; the number of bytes is smaller only at the end."""
        wanted = memoryview(view).cast("B")[: max(0, self.size - place)]
        return self._file.read_at(self._start + place, wanted)

    def piece(self, place: int, size: int) -> BinaryIO:
        """A stream of the bytes from a place on: so many, or Damage where the file has fewer."""
        return cast("BinaryIO", _Piece(self, place, size))

    def part(self, place: int, size: int) -> "Region":
        """Some of it."""
        return Region(self._file, self._start + place, size)


class Scratch:
    """Room on disk for what is unpacked, in one file without a name.

    The system frees it with the process, however that ends.

    Args:
        folder: where the file lies; the system's own for such files where None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: SharedFile | None = None
        self._lock = threading.Lock()

    @contextmanager
    def filling(self) -> Iterator["Filling"]:
        """Add something; what was written goes again where the block fails."""
        with self._lock:
            with disk_faults(self._place, "write"):
                file = self._opened()
            found = Filling(file, self._place)
            try:
                yield found
            except BaseException:
                with suppress(OSError):  # it is freed at the end in any case
                    file.cut(found.start)
                raise

    @property
    def _place(self) -> Path:
        return self._folder or Path(tempfile.gettempdir())

    def _opened(self) -> SharedFile:
        if self._file is None:
            raw = tempfile.TemporaryFile(buffering=0, dir=self._folder, prefix="scratch.")  # noqa: SIM115  # closed with this
            self._file = SharedFile(raw)
        return self._file

    def close(self) -> None:
        """Free it."""
        if self._file is not None:
            self._file.close()


class Filling:
    """What is added to a scratch file."""

    def __init__(self, file: SharedFile, folder: Path) -> None:
        self._file, self.start, self._folder = file, file.size, folder

    def append(self, data: bytes) -> None:
        """Write on; raises StoreError where the disk is full or refuses."""
        with disk_faults(self._folder, "write"):
            self._file.append(data)

    @property
    def region(self) -> Region:
        """What was written so far."""
        return Region(self._file, self.start, self._file.size - self.start)


class Origin(Protocol):
    """A file, or a member of an archive, that may be a container.

    Attributes:
        packed: its size in bytes, as it is stored.
        region: where it lies as it is stored; None where it does not lie in a file as it is.
    """

    @property
    def packed(self) -> int: ...
    @property
    def region(self) -> Region | None: ...
    def peel(self) -> Peeled:
        """Its bytes with all compressions removed."""


class Source:
    """The plain bytes of a container: what a kind of container opens.

    Those that are compressed are unpacked once, when they are first read.

    Args:
        title: what to call it in errors and in front of its progress.
        progress: is told how far unpacking has come, in bytes as they are stored.

    Attributes:
        container: the kind; None where it is no archive with members.
        most: entries that it may have; nobody wants to know of more than one more.
    """

    def __init__(
        self, origin: Origin, scratch: Scratch, title: str, progress: Progress, *, most: int
    ) -> None:
        self._origin, self._scratch, self.most = origin, scratch, most
        self._task = Task(progress, f"unpacking {title}", origin.packed)
        with origin.peel() as peeled:
            in_place, head = not peeled.kinds, peeled.head
        self._region = origin.region if in_place else None
        tail = b"" if self._region is None else self.tail()
        self.container = _kinds.container_of(head, tail)

    @contextmanager
    def forward(self) -> Iterator["Cursor"]:
        """A cursor at the beginning, to be moved to the very end.

        Raises:
            ReadError, UnsafeArchiveError: it is damaged, or grows beyond its limits; raised by
                the move that meets it.
            StoreError: there is no space to unpack it.
        """
        if self._region is not None:
            yield _InPlace(self._region)
            return
        with (
            self._scratch.filling() as filling,
            self._task as task,
            prefetched(_pieces(self._origin, task), most=_AHEAD) as pieces,
        ):
            cursor = _Incoming(pieces, filling.append)
            yield cursor
            while cursor.skip(_PIECE):
                pass
            self._region = filling.region

    @property
    def region(self) -> Region:
        """Where they lie; raises as `forward`."""
        if self._region is None:
            with self.forward():
                pass
        return cast("Region", self._region)

    def tail(self) -> bytes:
        """The last bytes, as many as the end of a zip may take."""
        begin = max(0, self.region.size - _kinds.TAIL)
        with self.region.piece(begin, self.region.size - begin) as stream:
            return stream.read()


def _pieces(origin: Origin, task: Task) -> Generator[bytes, None, None]:
    taken = 0
    with origin.peel() as peeled:
        while piece := peeled.stream.read(_PIECE):
            task.advance(peeled.taken - taken)
            taken = peeled.taken
            yield piece


class Cursor(Protocol):
    """A place in a container, which only moves forward.

    Attributes:
        place: bytes from the beginning.
    """

    place: int

    def read(self, size: int) -> bytes:
        """Read on; fewer bytes only at the end."""

    def skip(self, size: int) -> int:
        """Pass over bytes; the number of those that were there."""


class _InPlace:
    """A place in a region, which passes over bytes without reading them."""

    def __init__(self, region: Region) -> None:
        self._region, self.place = region, 0

    def read(self, size: int) -> bytes:
        buffer = bytearray(size)
        count = self._region.read_at(self.place, buffer)
        self.place += count
        return bytes(buffer[:count])

    def skip(self, size: int) -> int:
        before = self.place
        self.place = min(self.place + size, self._region.size)
        return self.place - before


class _Incoming:
    """A place in pieces that arrive; each is kept."""

    def __init__(self, pieces: Iterator[bytes], keep: Callable[[bytes], None]) -> None:
        self._pieces, self._keep = pieces, keep
        self._rest, self.place = memoryview(b""), 0

    def read(self, size: int) -> bytes:
        found = []
        while size and (piece := self._some(size)):
            found.append(piece)
            size -= len(piece)
        return b"".join(found)

    def skip(self, size: int) -> int:
        before, end = self.place, self.place + size
        while self.place < end and self._some(end - self.place):
            pass
        return self.place - before

    def _some(self, size: int) -> memoryview:
        """The next bytes, at most so many; none at the end."""
        if not self._rest and (piece := next(self._pieces, b"")):
            self._keep(piece)
            self._rest = memoryview(piece)
        found, self._rest = self._rest[:size], self._rest[size:]
        self.place += len(found)
        return found


class _Piece(io.RawIOBase):
    """So many bytes, not one less."""

    def __init__(self, region: Region, place: int, size: int) -> None:
        self._region, self._place, self._end = region, place, place + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")[: self._end - self._place]
        if not view:
            return 0
        count = self._region.read_at(self._place, view)
        if not count:
            raise Damage("it ends within this member")
        self._place += count
        return count


def file_region(path: Path, stack: ExitStack) -> Region:
    """A whole file on disk, open until the stack is; raises OSError."""
    file = SharedFile(open_file(path, follow=True))
    stack.callback(file.close)
    return Region(file, 0, file.size)
