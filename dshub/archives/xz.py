"""xz (LZMA2), several streams in a row included, each checked at its end.

Python's `lzma.LZMAFile` takes whatever follows a stream and is not one for the end of the file, so
damage there would pass for a shorter file. Here it is an error, as it is to the xz tool.
"""

import io
import lzma
from typing import TYPE_CHECKING, BinaryIO, ClassVar, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE = 1 << 16  # compressed bytes read at a time


class Xz:
    """One compressed stream."""

    suffix: ClassVar[str] = ".xz"
    errors: ClassVar[tuple[type[Exception], ...]] = (lzma.LZMAError, EOFError)

    def matches(self, head: bytes) -> bool:
        return head.startswith(b"\xfd7zXZ\x00")

    def open(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Plain(raw), _PIECE))

    def write(self, raw: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", lzma.LZMAFile(raw, "wb", preset=0))


class _Plain(io.RawIOBase):
    """The bytes inside, stream after stream."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._pending = raw, b""
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            if self._decoder.eof and not self._begin():
                break
            data = self._decoder.decompress(self._piece(), len(view) - filled)
            view[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _piece(self) -> bytes:
        if not self._decoder.needs_input:
            return b""
        piece = self._pending or self._raw.read(_PIECE)
        self._pending = b""
        if not piece:
            raise EOFError("it ends within a stream")
        return piece

    def _begin(self) -> bool:
        """Begin another stream, if one follows; zero bytes before it and at the end are padding."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest:
            piece = self._raw.read(_PIECE)
            if not piece:
                return False
            rest = piece.lstrip(b"\0")
        self._decoder, self._pending = lzma.LZMADecompressor(lzma.FORMAT_XZ), rest
        return True


archive = Xz()
