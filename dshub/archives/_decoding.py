"""Detect archive formats, and decode compressed streams."""

import io
import sys
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from dshub import plugins

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dshub.archives import Container, Stream

ByteStream = io.RawIOBase | io.BufferedIOBase

HEAD = 512  # bytes that identify a format at the start of a file; the size of a tar header
TAIL = 22 + 65_535  # bytes in the end record of a zip with the longest comment


@cache
def _all() -> list[object]:
    return [plugins.module("archives", name).archive for name in plugins.names("archives")]


@cache
def streams() -> Sequence["Stream"]:
    """Return every compression format."""
    return [cast("Stream", kind) for kind in _all() if hasattr(kind, "write")]


@cache
def containers() -> Sequence["Container"]:
    """Return every archive format with members."""
    return [cast("Container", kind) for kind in _all() if hasattr(kind, "write_members")]


def stream_of(head: bytes) -> "Stream | None":
    """Return the compression format of a file with these first bytes."""
    return next((kind for kind in streams() if kind.matches(head)), None)


def container_of(head: bytes, tail: bytes = b"") -> "Container | None":
    """Return the container format of a file with these first and last bytes.

    The first bytes have priority.
    """
    tries = ((kind, end) for end in (b"", tail) for kind in containers())
    return next((kind for kind, end in tries if kind.matches(head, end)), None)


class Damage(Exception):  # noqa: N818  # `as_read_error` converts it to a ReadError
    """Damaged bytes in an archive; the message describes the problem."""


try:
    from isal import isal_zlib  # from the extra `fast`: same interface, twice as fast
except ImportError:
    _inflating: Any = zlib
else:
    _inflating = isal_zlib

PIECE = 1 << 16  # compressed bytes per read; small, because bytes after a stream are copied
GZIP, DEFLATE = 31, -15  # zlib's `wbits`, with and without gzip's header and checksum


class Inflate:
    """A zlib or ISA-L decompressor with the attribute `needs_input`, as in `bz2` and `lzma`."""

    def __init__(self, bits: int) -> None:
        self._inner, self.needs_input = _inflating.decompressobj(bits), True

    def __getattr__(self, name: str) -> Any:  # forwards `eof` and `unused_data`
        return getattr(self._inner, name)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            plain: bytes = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        except (zlib.error, _inflating.error) as error:
            raise Damage(str(error)) from error
        self.needs_input = len(plain) < max_length
        return plain


class Readable(io.RawIOBase):
    """A readable stream."""

    def readable(self) -> bool:
        return True


class Decoded(Readable):
    """The decompressed bytes of a stream; truncated or trailing data raises Damage.

    Args:
        raw: compressed bytes.
        begin: function that creates the decompressor of one stream, as in `bz2` and `lzma`.
        errors: exceptions that the decompressor raises for damaged bytes.
        many: whether several streams can be concatenated.
        padding: bytes to ignore between and after streams.
        marked: whether compressed data ends with a mark.
    """

    def __init__(
        self,
        raw: ByteStream,
        begin: Callable[[], Any],
        errors: type[Exception] | tuple[type[Exception], ...] = (),
        *,
        many: bool = True,
        padding: bytes = b"\0",
        marked: bool = True,
    ) -> None:
        self._raw, self._begin, self._errors = raw, begin, errors
        self._many, self._padding, self._marked = many, padding, marked
        self._pending, self._decoder = b"", begin()

    def readinto(self, buffer: "Buffer") -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view):
            if self._decoder.eof and not self._begin_next():
                break
            piece = self._next_piece()
            if not piece and self._decoder.needs_input:
                break
            try:
                data = self._decoder.decompress(piece, len(view) - filled)
            except self._errors as error:
                raise Damage(str(error)) from error
            view[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _next_piece(self) -> bytes:
        if not self._decoder.needs_input:
            return b""
        piece = self._pending or self._raw.read(PIECE) or b""
        self._pending = b""
        if not piece and self._marked:
            raise Damage("its compressed data is truncated")
        return piece

    def _begin_next(self) -> bool:
        """Begin the next stream; return False if there are no more streams."""
        data: bytes = self._decoder.unused_data
        if not self._many:
            if data or self._raw.read(1):
                raise Damage("more data follows its compressed data")
            return False
        while not (data := data.lstrip(self._padding)):
            data = self._raw.read(PIECE) or b""
            if not data:
                return False
        self._decoder, self._pending = self._begin(), data
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()


_WINDOW_LOG = 27  # a window of 128 MiB, the default limit of `zstd`


def zstandard() -> Any:
    """Import the `zstd` module on first use, because the import takes 8 ms."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def unzstd(raw: ByteStream) -> Decoded:
    """Decode Zstandard frames in bounded memory."""
    zstd = zstandard()
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    begin = partial(zstd.ZstdDecompressor, options=options)
    return Decoded(raw, begin, zstd.ZstdError, padding=b"")
