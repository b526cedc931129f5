"""Elements of a MATLAB file, level 5, plain and compressed; `_matlab` says what they are."""

import struct
import zlib
from math import prod
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from dshub.errors import ReadError
from dshub.formats._records import Bytes
from dshub.formats._stored import DIMENSIONS

MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR = 1, 2, 4
NUMERIC = range(6, 16)  # classes: double, single, int8 to uint64
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_PIECE = 1 << 16  # bytes
_LARGEST_NAME = 1 << 16  # bytes of a variable's lengths, its name or the names of its fields


class Matrix(NamedTuple):
    """What stands before the values of a variable, a cell or a field.

    Attributes:
        kind: its class, such as CELL.
        lengths: of its axes.
    """

    kind: int
    complex: bool
    lengths: tuple[int, ...]
    name: str


class Source:
    """Bytes in the form of elements.

    Attributes:
        name: of the file, for errors.
        order: the byte order of numbers.
        left: how many bytes there are still.
        offset: how many were read, for errors.
    """

    def __init__(self, stream: BinaryIO | Bytes, name: str, order: str, left: int) -> None:
        self._stream, self.name, self.order, self.left, self.offset = stream, name, order, left, 0
        self._returned = b""

    def fault(self, reason: str) -> ReadError:
        """What is wrong, and where."""
        return ReadError(file=self.name, reason=f"{reason} (at byte {self.place():,})")

    def place(self) -> int:
        """Where in the file it stands."""
        return self.offset

    def readinto(self, view: Any) -> int:
        """As of a stream: fewer bytes only at the end of the element."""
        view = memoryview(view).cast("B")[: self.left]
        if self._returned:
            count = min(len(view), len(self._returned))
            view[:count], self._returned = self._returned[:count], self._returned[count:]
        else:
            count = self._raw(view) if len(view) else 0
        self.left -= count
        self.offset += count
        return count

    def _raw(self, view: memoryview) -> int:
        count: int = cast("Any", self._stream).readinto(view)
        return count

    def at_end(self) -> bool:
        """Whether no byte follows."""
        if not self._returned:
            following = bytearray(1)
            self._returned = bytes(following[: self._raw(memoryview(following))])
        return not self._returned

    def give_back(self, data: bytes) -> None:
        """Bytes that are to be read next, out of the tag where they stood."""
        self._returned += data
        self.left += len(data)
        self.offset -= len(data)

    def take(self, size: int) -> bytes:
        """So many bytes."""
        pieces, left = [], size
        while left:
            piece = bytearray(min(left, _PIECE))
            count = self.readinto(piece)
            if not count:
                raise self.fault("it is cut short")
            pieces.append(bytes(piece[:count]))
            left -= count
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        while size:
            size -= len(self.take(min(size, _PIECE)))

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type and size of an element, and its bytes where they stand within the tag."""
        head = self.take(8)
        kind, size = struct.unpack(f"{self.order}2I", head)
        if kind >> 16:
            size = kind >> 16
            if size > 4:
                raise self.fault(f"a short element of {size:,} bytes")
            return kind & 0xFFFF, size, head[4 : 4 + size]
        return kind, size, None

    def small_bytes(self) -> bytes:
        """The bytes of an element that cannot be large."""
        return self._element(_LARGEST_NAME)[1]

    def _element(self, most: int) -> tuple[int, bytes]:
        kind, size, data = self.tag()
        if size > most:
            raise self.fault(f"an element of {size:,} bytes where at most {most:,} can be")
        if data is None:
            data = self.take(size)
            self.skip(-size % 8)
        return kind, data

    def dtype(self, kind: int) -> np.dtype:
        """The type of an element's numbers."""
        if kind not in TYPES:
            raise self.fault(f"an element of type {kind} where numbers must be")
        return np.dtype(self.order + TYPES[kind])

    def whole_numbers(self, least: int) -> list[int]:
        """The numbers of an element that cannot be large."""
        found = self.numbers()
        if found.dtype.kind not in "iu" or len(found) < least:
            raise self.fault(f"{len(found)} {found.dtype} where whole numbers must be")
        whole_numbers: list[int] = found.tolist()
        return whole_numbers

    def numbers(self) -> np.ndarray:
        """The numbers of an element that cannot be large."""
        kind, data = self._element(_LARGEST_NAME)
        dtype = self.dtype(kind)
        if len(data) % dtype.itemsize:
            raise self.fault(f"an element of {len(data):,} bytes where numbers must be")
        return np.frombuffer(data, dtype) if data else np.empty(0, dtype)

    def matrix(self) -> Matrix:
        """What stands before the values."""
        flags = self.whole_numbers(1)[0]
        lengths = tuple(self.whole_numbers(2))
        if len(lengths) > DIMENSIONS or min(lengths) < 0:
            raise self.fault(f"a variable with {len(lengths)} lengths from {min(lengths)}")
        name = self.small_bytes().decode("latin-1")
        return Matrix(flags & 0xFF, bool(flags & 0x0800), lengths, name)

    def value(self, *, wanted: bool) -> Any:
        """The text or the number in a cell or a field; None where it is not wanted."""
        kind, size, _ = self.tag()
        if kind != MATRIX or size > self.left:
            raise self.fault("a cell or a field is none")
        inside = Held(self, size)
        return inside.scalar() if wanted else None

    def scalar(self) -> Any:
        """One text or one number."""
        matrix = self.matrix() if self.left else None
        if matrix is not None and matrix.kind == CHAR:
            lines = self.lines(matrix.lengths)
            if len(lines) <= 1:
                return "".join(lines)
        elif matrix is not None and matrix.kind in NUMERIC and not matrix.complex:
            numbers = self.numbers()
            if len(numbers) == 1 and prod(matrix.lengths) == 1:
                return numbers[0].item()
        raise self.fault("a cell or a field holds something other than one text or one number")

    def lines(self, lengths: tuple[int, ...]) -> list[str]:
        """The rows of a matrix of characters."""
        kind, data = self._element(self.left)
        if kind not in TEXTS or len(lengths) != 2:
            raise self.fault(f"a text of type {kind}, {'x'.join(map(str, lengths))}")
        ends = {"<": "-le", ">": "-be"}[self.order]
        try:
            text = data.decode(TEXTS[kind] + (ends if TEXTS[kind] in {"utf-16", "utf-32"} else ""))
        except UnicodeDecodeError as error:
            raise self.fault(f"a text that is none: {error}") from None
        rows, columns = lengths
        if len(text) != rows * columns:
            raise self.fault(f"a text of {len(text):,} characters for {rows}x{columns}")
        return [text[row::rows] for row in range(rows)] if columns else [""] * min(rows, 1)

    def leave(self) -> None:
        """Pass over what is left of the element in the file."""
        raise NotImplementedError

    def end(self) -> None:
        """Pass over what is left, which must be as much as was promised."""
        raise NotImplementedError


class Element(Source):
    """An element as it is."""

    def __init__(self, outer: Source, size: int) -> None:
        super().__init__(outer, outer.name, outer.order, size)
        self._outer = outer

    def place(self) -> int:
        return self._outer.place()

    def leave(self) -> None:
        self.skip(self.left)

    def end(self) -> None:
        self.leave()


class Held(Source):
    """The next bytes of an element, in memory: thousands of small elements are read fast."""

    def __init__(self, outer: Source, size: int) -> None:
        super().__init__(outer, outer.name, outer.order, size)
        self._begin, self._data = outer.place(), outer.take(size)

    def place(self) -> int:
        return self._begin + self.offset

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise self.fault("it is cut short")
        self.offset += size
        self.left -= size
        return self._data[self.offset - size : self.offset]


class Inflated(Source):
    """An element that is compressed."""

    def __init__(self, outer: Source, size: int) -> None:
        super().__init__(outer, outer.name, outer.order, 1 << 62)
        self._outer, self._packed = outer, size
        self._zlib = zlib.decompressobj()

    def place(self) -> int:
        return self._outer.place()

    def _raw(self, view: memoryview) -> int:
        piece = self._inflate(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def _inflate(self, most: int) -> bytes:
        piece = b""
        while not (piece or self._zlib.eof):
            packed = self._zlib.unconsumed_tail
            if not packed:
                packed = self._outer.take(min(self._packed, _PIECE))
                self._packed -= len(packed)
                if not packed:
                    raise self.fault("what is compressed is cut short")
            try:
                piece = self._zlib.decompress(packed, most)
            except zlib.error as error:
                raise self.fault(f"what is compressed is damaged: {error}") from error
        return piece

    def leave(self) -> None:
        self._outer.skip(self._packed)
        self._packed = 0

    def end(self) -> None:
        self.skip(self.left)
        if self._inflate(1) or self._packed or self._zlib.unused_data:
            raise self.fault("more bytes are compressed than the element promises")
        self.leave()
