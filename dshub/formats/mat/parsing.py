"""Variables of a MATLAB file, level 5, read forward and one at a time.

Layout, from MathWorks' "MAT-File Format": 128 bytes of header, whose last four are the version and
the letters MI in the writer's byte order; then elements. An element begins with its type and its
number of bytes, two uint32. Up to four bytes can take the place of the second one, with their
number in the upper half of the first. Elements are padded to 8 bytes. A variable is an element of
type 14 that holds others: flags, shape, name and values; or one of type 15, which is such an
element compressed by zlib. Values lie with the first axis fastest.

SciPy reads these files too, but all of a variable at once, and a file that nests cells deeply ends
the whole process there. Here nothing is nested: a cell or a field holds a text or a number.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import numpy as np

from dshub.errors import ReadError
from dshub.formats._stored import DIMENSIONS, Stored

if TYPE_CHECKING:
    from typing_extensions import Buffer

MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR = 1, 2, 4
NUMERIC = range(6, 16)  # classes: double, single, int8 to uint64
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_PIECE = 1 << 16  # bytes
_LARGEST_NAME = 1 << 16  # bytes of a variable's shape, its name or the names of its fields
HEADER = 128  # bytes
MOST_VALUES = 1 << 20  # cells, or fields of structs, of a variable
LARGEST_TEXT = 256 << 20  # bytes of a variable of text, which is in memory as a whole


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
        data = self._stream.read(min(size, self.left))
        self.left -= len(data)
        self.position += len(data)
        if len(data) < size:
            raise self.fault("it is truncated")
        return data

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


class Variable:
    """A variable of an open file, whose values come next."""

    def __init__(self, elements: Elements, matrix: Matrix) -> None:
        self.elements, self.matrix = elements, matrix
        self.name = f"{elements.name}:{matrix.name}"

    @property
    def is_text(self) -> bool:
        """Whether it holds text, or cells or structs of text and numbers."""
        return self.matrix.kind in {CELL, STRUCT, CHAR}

    def stored(self, axis: int) -> Stored:
        """Return the array of numbers.

        Args:
            axis: the axis that counts rows, unless there is a single row or column.

        Raises:
            ReadError: it holds something else, or has no such axis.
        """
        matrix, elements = self.matrix, self.elements
        if matrix.kind not in NUMERIC or matrix.is_complex:
            raise elements.fault(f"{matrix.name} has neither real numbers nor text")
        kind, size, small = elements.tag()
        dtype = elements.dtype(kind)
        shape = matrix.shape
        if size != dtype.itemsize * prod(shape):
            text = "x".join(map(str, shape))
            raise elements.fault(f"{matrix.name} is {text}, but {size:,} bytes follow")
        if sum(length != 1 for length in shape) < 2:  # a column or a row: one value each
            shape, axis = (prod(shape),), 0
        stream = elements if small is None else io.BytesIO(small)
        return Stored(stream, self.name, dtype, shape, fortran=True, axis=axis)

    def values(self, field: str) -> list[Any]:
        """Return the texts or numbers of a variable that is not an array of numbers.

        Args:
            field: of a struct.

        Raises:
            ReadError: there is no such field, or one holds something else.
        """
        name, elements = self.matrix.name, self.elements
        if elements.left > LARGEST_TEXT:
            raise elements.fault(f"{name} has {elements.left:,} bytes of text")
        if self.matrix.kind == CHAR:
            return elements.lines(self.matrix.shape)
        fields = self._fields() if self.matrix.kind == STRUCT else [""]
        if fields.count(field) != 1:
            raise elements.fault(f"{name} has the fields {', '.join(fields)}, not {field!r}")
        count = prod(self.matrix.shape)
        if 8 * count * len(fields) > elements.left:
            raise elements.fault(f"{name} has fewer than {count:,} values")
        if count * len(fields) > MOST_VALUES:
            raise elements.fault(f"{name} has more than {MOST_VALUES:,} values")
        place = fields.index(field)
        rows = ([elements.cell(is_wanted=f == field) for f in fields] for _ in range(count))
        return [row[place] for row in rows]

    def _fields(self) -> list[str]:
        (width, *_) = self.elements.integers(1)
        _, names = self.elements.small()
        if width < 1:
            raise self.elements.fault(f"the names of its fields have {width} bytes")
        pieces = [names[i : i + width] for i in range(0, len(names), width)]
        return [piece.partition(b"\0")[0].decode("latin-1") for piece in pieces]


class MatFile:
    """An open file, read from its beginning."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read the header.

        Raises:
            ReadError: it is not a MATLAB file of level 5.
        """
        self._elements = Elements(io.BufferedReader(cast("Any", stream)), name, "<")
        self._elements.left = HEADER
        head = self._elements.take(HEADER)
        if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
            reason = "it is a MATLAB file of level 7.3, which is HDF5 and cannot be read"
            raise ReadError(file=name, reason=reason, hint="save it in MATLAB with the option -v7")
        marks = {b"IM": "<", b"MI": ">"}
        if head[126:128] not in marks:
            raise ReadError(file=name, reason="it is not a MATLAB file of level 5")
        self._elements.order = marks[head[126:128]]

    def find(self, name: str) -> Variable:
        """Skip to a variable.

        Raises:
            ReadError: there is none of that name, or the file is damaged before it.
        """
        names = []
        for variable in self._variables():
            if variable.matrix.name == name:
                return variable
            names.append(variable.matrix.name)
        listed = ", ".join(names) or "none"
        raise self._elements.fault(f"it has no variable {name!r}; its variables are: {listed}")

    def finish(self, variable: Variable) -> None:
        """Check that a variable ends as promised, and that no other has its name."""
        elements, name = variable.elements, variable.matrix.name
        elements.skip(elements.left)
        if elements is not self._elements and not elements.is_at_end():
            raise elements.fault("more bytes are compressed than the element promises")
        if any(other.matrix.name == name for other in self._variables()):
            raise self._elements.fault(f"it has two variables {name!r}")

    def _variables(self) -> Iterator[Variable]:
        file = self._elements
        while True:
            file.skip(file.left)
            if file.is_at_end():
                return
            file.left = 8
            kind, file.left, _ = file.tag()
            if kind not in {MATRIX, COMPRESSED}:
                raise file.fault(f"an element of type {kind} in place of a variable")
            elements = file if kind == MATRIX else self._inflated()
            yield Variable(elements, elements.matrix())

    def _inflated(self) -> Elements:
        file = self._elements
        stream = io.BufferedReader(Inflated(file), 1 << 16)
        elements = Elements(stream, file.name, file.order, outer=file)
        elements.left = 8
        kind, elements.left, _ = elements.tag()
        if kind != MATRIX:
            raise file.fault(f"a compressed element of type {kind} in place of a variable")
        return elements
