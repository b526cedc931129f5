"""Compressed bytes to plain ones, whichever library decompresses: never short, never too many.

The file classes of `gzip`, `bz2` and `lzma` differ in what they take for the end of a file; some
take whatever follows a stream and is not one for it, so damage there would pass for a shorter
file. Here it is an error, as it is to the command-line tools.
"""

import io
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

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
