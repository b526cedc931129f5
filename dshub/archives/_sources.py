"""Where the bytes of a container come from: a file as it is, or what is inside a compression.

Both give pieces of it: of a file any piece at any time, of a stream one after the other.
"""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from dshub.archives import _kinds
from dshub.archives._decoding import Damage
from dshub.archives._layers import Budget, Layer, Peeled, translated
from dshub.manifest import Limits

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE = 1 << 18  # bytes read at a time where they are passed over


class Source:
    """A file on disk, which can be opened from its beginning as often as is needed.

    Attributes:
        path: the file.
        title: what to call it in errors.
        limits: what it may unpack to.
        packed: its size in bytes.
        streamed: whether it is compressed, and therefore can only be read forward.
        container: what is inside, where that is an archive with members.
    """

    def __init__(self, path: Path, title: str, limits: Limits) -> None:
        self.path, self.title, self.limits = path, title, limits
        with peeled_file(path, title, limits) as peeled:
            self.streamed, head = bool(peeled.kinds), peeled.head
        with translated(title, (OSError,)):
            self.packed = path.stat().st_size
            self.container = _kinds.container_of(head, b"" if self.streamed else self.tail())

    def open(self) -> BinaryIO:
        """The bytes inside, from the beginning.

        Raises:
            ReadError: it is damaged; raised by the read that meets the damage.
            UnsafeArchiveError: it grows beyond its limits; raised by the read that would.
        """
        return cast("BinaryIO", peeled_file(self.path, self.title, self.limits).stream)

    def tail(self) -> bytes:
        """The last bytes of the file itself, as many as the end of a zip may take."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.packed - _kinds.TAIL))
            return file.read()


def peeled_file(path: Path, title: str, limits: Limits) -> Peeled:
    """A file on disk with its compressions removed; raises as `Source.open`."""
    with translated(title, (OSError,)):
        packed = path.stat().st_size
        file = cast("BinaryIO", path.open("rb", buffering=0))
    layer = cast("BinaryIO", Layer(file, title, (OSError,)))
    return Peeled(layer, title, Budget(limits, packed, title, None))


class SharedFile:
    """One open file, of which several pieces may be read at the same time, also by threads."""

    def __init__(self, path: Path) -> None:
        self._file, self._lock = path.open("rb", buffering=0), threading.Lock()

    def read_at(self, place: int, view: "Buffer") -> int:
        """Fill `view` from a place on; the number of bytes is smaller only at the end."""
        view = memoryview(view)
        filled = 0
        with self._lock:
            self._file.seek(place)
            while filled < len(view):
                count = self._file.readinto(view[filled:])
                if not count:
                    break
                filled += count
        return filled

    def piece(self, place: int, size: int) -> BinaryIO:
        """The bytes from a place on."""
        return cast("BinaryIO", _Piece(_At(self, place).readinto, size))

    def close(self) -> None:
        """Close it; its pieces can be read no further."""
        self._file.close()


class Cursor:
    """A place in a stream, which only moves forward.

    Attributes:
        place: bytes from the beginning.
        lost: whether a read failed, after which nobody knows where the stream stands.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.place, self.lost = stream, 0, False

    def readinto(self, view: "Buffer") -> int:
        """Read on into `view`; the number of bytes."""
        self.lost = True
        count: int = self._stream.readinto(view)  # type: ignore[attr-defined]
        self.place, self.lost = self.place + count, False
        return count

    def read(self, size: int) -> bytes:
        """Read on; fewer bytes only at the end."""
        self.lost = True
        data = self._stream.read(size)
        self.place, self.lost = self.place + len(data), False
        return data

    def skip(self, size: int) -> int:
        """Read on without looking; the number of bytes that were there."""
        before, end = self.place, self.place + size
        while self.place < end and self.read(min(_PIECE, end - self.place)):
            pass
        return self.place - before

    def go_to(self, place: int) -> None:
        """Skip to a place; raises Damage where there is none."""
        self.skip(place - self.place)
        if self.place != place:
            raise Damage("it is shorter than it was")

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class FileCursor(Cursor):
    """A place in a file, which passes over bytes without reading them."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        super().__init__(stream)
        self._size = size

    def skip(self, size: int) -> int:
        before = self.place
        self.place = self._stream.seek(min(self.place + size, self._size))
        return self.place - before


class Cursors:
    """Some places in one stream, each of which moves forward.

    Whoever reads pieces in their order is served by one that goes through the stream once; two
    who do so in turns, by one each. A piece that lies behind all of them costs another opening.
    """

    IDLE = 4  # kept open for the next piece; each may hold a decompressor's window

    def __init__(self, source: Source) -> None:
        self._source, self._lock, self._closed = source, threading.Lock(), False
        self._idle: list[Cursor] = []  # the one used last at the end

    def piece(self, place: int, size: int) -> BinaryIO:
        """The bytes from a place on."""
        cursor = self._nearest(place)
        try:
            cursor.go_to(place)
        except BaseException:
            cursor.close()
            raise
        return cast("BinaryIO", _Piece(cursor.readinto, size, lambda: self._give_back(cursor)))

    def close(self) -> None:
        """Close those that are not in use; the others are closed with their pieces."""
        with self._lock:
            self._closed, idle = True, self._idle
            self._idle = []
        for cursor in idle:
            cursor.close()

    def _nearest(self, place: int) -> Cursor:
        with self._lock:
            before = [cursor for cursor in self._idle if cursor.place <= place]
            if before:
                nearest = max(before, key=lambda cursor: cursor.place)
                self._idle.remove(nearest)
                return nearest
        return Cursor(self._source.open())

    def _give_back(self, cursor: Cursor) -> None:
        surplus: Cursor | None = cursor
        with self._lock:
            if not (cursor.lost or self._closed):
                self._idle.append(cursor)
                surplus = self._idle.pop(0) if len(self._idle) > self.IDLE else None
        if surplus is not None:
            surplus.close()


class _At:
    """A place in a shared file."""

    def __init__(self, file: SharedFile, place: int) -> None:
        self._file, self._place = file, place

    def readinto(self, view: "Buffer") -> int:
        count = self._file.read_at(self._place, view)
        self._place += count
        return count


class _Piece(io.RawIOBase):
    """So many bytes, not one less."""

    def __init__(
        self,
        readinto: "Callable[[Buffer], int]",
        size: int,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._readinto, self._left, self._release = readinto, size, release

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")[: self._left]
        if not view:
            return 0
        count = self._readinto(view)
        if not count:
            raise Damage("it ends within this member")
        self._left -= count
        return count

    def close(self) -> None:
        if not self.closed and self._release is not None:
            self._release()
        super().close()
