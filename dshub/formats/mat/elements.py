"""Elements of a MATLAB file, level 5; `parsing` describes the file."""

import io
import struct
import zlib
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dshub.errors import ReadError
from dshub.formats._stored import DIMENSIONS

if TYPE_CHECKING:
    from typing_extensions import Buffer

MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR = 1, 2, 4
NUMERIC = range(6, 16)  # classes: double, single, int8 to uint64
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_PIECE = 1 << 16  # bytes
_LARGEST_NAME = 1 << 16  # bytes of a variable's shape, its name or the names of its fields


class Matrix(NamedTuple):
    """The header of a variable, a cell or a field.

    Attributes:
        kind: its class, such as CELL.
    """

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str


class Elements:
    """A sequence of elements.

    Attributes:
        name: of the file, for errors.
        order: the byte order of numbers.
        left: number of bytes that may still be read; set it to the size of an element that holds
            others.
        position: number of bytes read, for errors.
    """

    def __init__(
        self,
        stream: "io.BufferedReader[Any]",
        name: str,
        order: str,
        outer: "Elements | None" = None,
    ) -> None:
        """Read from a stream.

        Args:
            stream: the bytes.
            name: of the file, for errors.
            order: the byte order of numbers.
            outer: the elements of the file, if these are inside a compressed one.
        """
        self._stream, self.name, self.order, self._outer = stream, name, order, outer
        self.left = self.position = 0

    def fault(self, reason: str) -> ReadError:
        """Return an error with the position in the file."""
        position = (self._outer or self).position
        return ReadError(file=self.name, reason=f"{reason} (at byte {position:,})")

    def readinto(self, view: Any) -> int:
        """Read like a stream, up to the end of the element."""
        count = self._stream.readinto(memoryview(view)[: self.left])
        self.left -= count
        self.position += count
        return count

    def is_at_end(self) -> bool:
        """Whether the stream has no more bytes."""
        return not self._stream.peek(1)

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        pieces, missing = [], size
        while missing:
            piece = self._stream.read(min(missing, self.left, _PIECE))
            if not piece:
                raise self.fault("it is truncated")
            self.left -= len(piece)
            self.position += len(piece)
            missing -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Read and drop `size` bytes."""
        while size:
            size -= len(self.take(min(size, _PIECE)))

    def tag(self) -> tuple[int, int, bytes | None]:
        """Read the type and size of an element, and its bytes if they are within the tag."""
        head = self.take(8)
        kind, size = struct.unpack(f"{self.order}2I", head)
        if kind >> 16:
            size = kind >> 16
            if size > 4:
                raise self.fault(f"a short element of {size:,} bytes")
            return kind & 0xFFFF, size, head[4 : 4 + size]
        return kind, size, None

    def small(self, most: int = _LARGEST_NAME) -> tuple[int, bytes]:
        """Read the type and the bytes of an element of limited size."""
        kind, size, data = self.tag()
        if size > most:
            raise self.fault(f"an element of {size:,} bytes, where at most {most:,} are allowed")
        if data is None:
            data = self.take(size)
            self.skip(-size % 8)
        return kind, data

    def dtype(self, kind: int) -> np.dtype:
        """Return the type of an element's numbers."""
        if kind not in TYPES:
            raise self.fault(f"an element of type {kind} in place of numbers")
        return np.dtype(self.order + TYPES[kind])

    def numbers(self) -> np.ndarray:
        """Read the numbers of a small element."""
        kind, data = self.small()
        return np.frombuffer(data, self.dtype(kind))

    def integers(self, least: int) -> list[int]:
        """Read at least so many integers from a small element."""
        numbers = self.numbers()
        if numbers.dtype.kind not in "iu" or len(numbers) < least:
            raise self.fault(f"{len(numbers)} {numbers.dtype} in place of {least} integers")
        return list(map(int, numbers))

    def matrix(self) -> Matrix:
        """Read the header of a matrix."""
        flags = self.integers(1)[0]
        shape = tuple(self.integers(2))
        if len(shape) > DIMENSIONS or min(shape) < 0:
            raise self.fault(f"a variable with {len(shape)} lengths from {min(shape)}")
        name = self.small()[1].decode("latin-1")
        return Matrix(flags & 0xFF, bool(flags & 0x0800), shape, name)

    def cell(self, *, is_wanted: bool) -> Any:
        """Read the text or number in a cell or a field; skip it if it is not wanted."""
        kind, size, small = self.tag()
        if kind != MATRIX or small is not None or size > self.left:
            raise self.fault("a cell or a field is malformed")
        rest = self.left - size
        value = self._scalar() if is_wanted and size else None
        if self.left < rest or (is_wanted and value is None):
            raise self.fault("a cell or a field holds something other than one text or one number")
        self.skip(self.left - rest)
        return value

    def _scalar(self) -> Any:
        """Read one text or one number; None for anything else."""
        matrix = self.matrix()
        if matrix.kind == CHAR:
            lines = self.lines(matrix.shape)
            return "".join(lines) if len(lines) <= 1 else None
        if matrix.kind in NUMERIC and not matrix.is_complex and prod(matrix.shape) == 1:
            numbers = self.numbers()
            return numbers[0].item() if len(numbers) == 1 else None
        return None

    def lines(self, shape: tuple[int, ...]) -> list[str]:
        """Read the rows of a matrix of characters."""
        kind, data = self.small(self.left)
        if kind not in TEXTS or len(shape) != 2:
            raise self.fault(f"a text of type {kind}, {'x'.join(map(str, shape))}")
        try:
            text = data.decode(TEXTS[kind].format("le" if self.order == "<" else "be"))
        except UnicodeDecodeError as error:
            raise self.fault(f"a text cannot be decoded: {error}") from None
        rows, columns = shape
        if len(text) != rows * columns:
            raise self.fault(f"a text of {len(text):,} characters for {rows}x{columns}")
        return [text[row::rows] for row in range(rows)] if columns else [""] * min(rows, 1)


class Inflated(io.RawIOBase):
    """The bytes inside a compressed element, which is all that is left of `outer`."""

    def __init__(self, outer: Elements) -> None:
        self._outer, self._zlib = outer, zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view, piece = memoryview(buffer), b""
        while not (piece or self._zlib.eof):
            packed = self._zlib.unconsumed_tail
            packed = packed or self._outer.take(max(1, min(self._outer.left, _PIECE)))
            try:
                piece = self._zlib.decompress(packed, len(view))
            except zlib.error as error:
                raise self._outer.fault(f"compressed data is damaged: {error}") from error
        if not piece and (self._zlib.unused_data or self._outer.left):
            raise self._outer.fault("more bytes follow the compressed data")
        view[: len(piece)] = piece
        return len(piece)
