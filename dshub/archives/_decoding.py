"""Kinds of archives, and decoders of compressed streams.

Which kinds there are, and which of them a file is.

That is told by its first bytes where it is read, and by its name only where it is written.
"""

import io
import sys
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from dshub import plugins

if TYPE_CHECKING:
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


_WINDOW_LOG = 27  # a frame may use a window of 128 MiB, which `zstd` itself accepts by default


def zstandard() -> Any:
    """The standard library's module; imported with the first such file, which takes 8 ms."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


class Unzstd:
    """Zstandard's decompressor of one frame, with errors of ours and a bounded window."""

    def __init__(self) -> None:
        zstd = zstandard()
        limit = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        self._inner, self._error = zstd.ZstdDecompressor(options=limit), zstd.ZstdError

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._inner.needs_input)

    @property
    def unused_data(self) -> bytes:
        return cast("bytes", self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            return cast("bytes", self._inner.decompress(data, max_length))
        except self._error as error:
            raise Damage(str(error)) from error


class Decoded(io.RawIOBase):
    """The bytes inside.

    Args:
        raw: the compressed bytes; stays open.
        begin: makes a decoder.
        many: whether streams may follow one another.
        padded: whether zero bytes may stand between and behind them.
        marked: whether a stream says itself where it ends.
    """

    def __init__(
        self,
        raw: BinaryIO,
        begin: Callable[[], Decoder],
        *,
        many: bool = True,
        padded: bool = True,
        marked: bool = True,
    ) -> None:
        self._raw, self._begin, self._many, self._marked = raw, begin, many, marked
        self._padding = b"\0" if padded else b""
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
        """Begin another stream, if one follows; skip padding before it and at the end."""
        rest = self._decoder.unused_data
        if not self._many:
            if rest or self._raw.read(1):
                raise Damage("more bytes follow the end of its compressed data")
            return False
        rest = rest.lstrip(self._padding)
        while not rest:
            piece = self._raw.read(PIECE)
            if not piece:
                return False
            rest = piece.lstrip(self._padding)
        self._decoder, self._pending = self._begin(), rest
        return True


def buffered(raw: io.RawIOBase) -> BinaryIO:
    """The same bytes, for a reader that takes few at a time."""
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))
