"""Zstandard (RFC 8878): frames one after the other, skippable ones among them.

The library decompresses whatever it is given at once, and takes a file that was cut short for a
shorter one. So frames are taken apart here as far as their blocks, none of which unpacks to more
than 128 kB, and it is known where each ends.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from dshub.archives._decoding import Damage

if TYPE_CHECKING:
    import zstandard
    from typing_extensions import Buffer

MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW = 128 << 20  # bytes a frame may make us keep: what `zstd` itself accepts unasked
_LARGEST_BLOCK = 128 << 10
_PIECE = 1 << 16


def is_skippable(magic: bytes) -> bool:
    """Whether a frame that begins so holds no data (RFC 8878, 3.1.2)."""
    return magic[1:4] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50


class Frames(io.RawIOBase):
    """The bytes inside; `raw` stays open."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._blocks, self._data = raw, self._all(), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        while not self._data:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._data = memoryview(block)
        count = min(len(view), len(self._data))
        view[:count], self._data = self._data[:count], self._data[count:]
        return count

    def _all(self) -> Iterator[bytes]:
        """The content of every block of every frame."""
        import zstandard  # with the first such file: listing and fetching do without

        library = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        while magic := self._raw.read(4):
            if magic == MAGIC:
                try:
                    yield from self._frame(library.decompressobj())
                except zstandard.ZstdError as error:
                    raise Damage(str(error)) from error
            elif is_skippable(magic):
                self._skip(int.from_bytes(self._exactly(4), "little"))
            else:
                raise Damage("what follows a frame is not another one")

    def _frame(self, decoder: "zstandard.ZstdDecompressionObj") -> Iterator[bytes]:
        """The content of each block of a frame, from behind its magic number to its end."""
        first = self._exactly(1)
        flags = first[0]
        yield decoder.decompress(MAGIC + first + self._exactly(_header_size(flags) - 1))
        last = 0
        while not last:
            head = self._exactly(3)
            value = int.from_bytes(head, "little")
            last, kind, size = value & 1, value >> 1 & 3, value >> 3
            if size > _LARGEST_BLOCK:
                raise Damage("a block of it is larger than any may be")
            yield decoder.decompress(head + self._exactly(1 if kind == 1 else size))
        if flags & 0x04:
            yield decoder.decompress(self._exactly(4))
        if not decoder.eof:
            raise Damage("a frame of it goes on behind its last block")

    def _exactly(self, size: int) -> bytes:
        data = self._raw.read(size)
        if len(data) < size:
            raise Damage("it ends within a frame")
        return data

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._exactly(min(size, _PIECE)))


def _header_size(flags: int) -> int:
    """Bytes of a frame header, its first one included (RFC 8878, 3.1.1.1)."""
    single = flags >> 5 & 1
    content_size = (single, 2, 4, 8)[flags >> 6]
    return 1 + (not single) + (0, 1, 2, 4)[flags & 3] + content_size
