"""Which kinds there are, and which of them a file is.

That is told by its first bytes where it is read, and by its name only where it is written.
"""

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from dshub import plugins

if TYPE_CHECKING:
    import zstandard
    from typing_extensions import Buffer

    from dshub.archives import Container, Stream

HEAD = 512  # bytes that suffice to recognise every kind by its beginning: a header of tar
TAIL = 22 + 65_535  # bytes that hold the end of a zip with the longest comment


@cache
def streams() -> Sequence["Stream"]:
    """Every compression."""
    return [cast("Stream", kind) for kind in _all() if hasattr(kind, "write")]


@cache
def containers() -> Sequence["Container"]:
    """Every kind of archive with members."""
    return [cast("Container", kind) for kind in _all() if hasattr(kind, "write_members")]


def stream_of(head: bytes) -> "Stream | None":
    """The compression of a file that begins so."""
    return next((kind for kind in streams() if kind.matches(head)), None)


def container_of(head: bytes, tail: bytes = b"") -> "Container | None":
    """The container that begins or, where no beginning is known, ends so."""
    found = next((kind for kind in containers() if kind.matches(head, b"")), None)
    return found or next((kind for kind in containers() if kind.matches(head, tail)), None)


def stream_named(name: str) -> "Stream | None":
    """The compression that a file name tells of."""
    return next((kind for kind in streams() if name.lower().endswith(kind.suffix)), None)


def container_named(name: str) -> "tuple[Container, Stream | None] | None":
    """The container that a file name tells of, and the compression around it."""
    name = name.lower()
    for container in containers():
        if name.endswith(container.suffix):
            return container, None
        for stream in streams():
            short = stream.tar_suffixes if container.suffix == ".tar" else ()
            if name.endswith((container.suffix + stream.suffix, *short)):
                return container, stream
    return None


def _all() -> list[object]:
    return [plugins.module("archives", name).archive for name in plugins.names("archives")]


PIECE = 1 << 16  # compressed bytes read at a time; what follows a stream is copied, so not many
_BUFFER = 1 << 16
GZIP = 31

try:
    from isal import isal_zlib  # the extra `fast`: the same interface, twice the speed
except ImportError:
    _inflating: Any = zlib
else:
    _inflating = isal_zlib


class Damage(Exception):  # noqa: N818  # becomes part of a ReadError, which has the name
    """What is wrong with the bytes of an archive."""


class Decoder(Protocol):
    """One stream's decompressor, as `bz2` and `lzma` have them."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Inflate:
    """zlib's decompressor, or the faster one of ISA-L, with the manners of the others.

    Args:
        bits: zlib's `wbits`; GZIP for a member with header and checksum, -15 for neither.
    """

    def __init__(self, bits: int) -> None:
        self._inner, self.needs_input = _inflating.decompressobj(bits), True
        self._begun = bits != GZIP

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return cast("bytes", self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if not self._begun:
            self._begun = True
            if len(data) > 3 and data[3] & 0xE0:  # ISA-L does not look at them
                raise Damage("its header has flags that mean nothing (RFC 1952, 2.3.1.2)")
        try:
            found: bytes = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        except (zlib.error, _inflating.error) as error:
            raise Damage(str(error)) from error
        self.needs_input = len(found) < max_length
        return found


class Decoded(io.RawIOBase):
    """The bytes inside.

    Args:
        raw: the compressed bytes; stays open.
        begin: makes a decoder.
        many: whether streams may follow one another, with zero bytes between and behind them.
        marked: whether a stream says itself where it ends.
    """

    def __init__(
        self,
        raw: BinaryIO,
        begin: Callable[[], Decoder],
        *,
        many: bool = True,
        marked: bool = True,
    ) -> None:
        self._raw, self._begin, self._many, self._marked = raw, begin, many, marked
        self._pending, self._decoder = b"", begin()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view):
            if self._decoder.eof and not self._follows():
                break
            piece = self._piece()
            if not piece and self._decoder.needs_input:
                break
            data = self._decoder.decompress(piece, len(view) - filled)
            view[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _piece(self) -> bytes:
        if not self._decoder.needs_input:
            return b""
        piece = self._pending or self._raw.read(PIECE)
        self._pending = b""
        if not piece and self._marked:
            raise Damage("it ends within its compressed data")
        return piece

    def _follows(self) -> bool:
        """Begin another stream, if one follows; zero bytes before it and at the end are padding."""
        rest = self._decoder.unused_data
        if not self._many:
            if rest or self._raw.read(1):
                raise Damage("more bytes follow the end of its compressed data")
            return False
        rest = rest.lstrip(b"\0")
        while not rest:
            piece = self._raw.read(PIECE)
            if not piece:
                return False
            rest = piece.lstrip(b"\0")
        self._decoder, self._pending = self._begin(), rest
        return True


def buffered(raw: io.RawIOBase) -> BinaryIO:
    """The same bytes, for a reader that takes few at a time."""
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


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
