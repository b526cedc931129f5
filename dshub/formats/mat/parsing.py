"""Read the variables of a MATLAB level 5 file sequentially.

Layout, from MathWorks' "MAT-File Format": a 128-byte header ends with the version and the letters
MI in the writer's byte order. Elements follow, padded to 8 bytes. An element begins with its type
and its size in bytes, two uint32. Data of up to four bytes can be stored in place of the size,
with the size in the upper half of the type. A variable is an element of type 14 that contains
elements for flags, shape, name and values. An element of type 15 is a variable compressed by zlib.
The first axis of the values is contiguous.

SciPy reads these files too, but it loads whole variables, and deeply nested cells crash the
process. This module allows no nesting: a cell or field contains one string or one number.
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
NUMERIC = range(6, 16)  # classes double, single, int8 to uint64
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_PIECE = 1 << 16  # bytes per read
_LARGEST_NAME = 1 << 16  # bytes in the shape, name or field names of a variable
HEADER = 128  # bytes
MOST_VALUES = 1 << 20  # cells or struct fields per variable
LARGEST_TEXT = 256 << 20  # bytes in a text variable, which is read into memory


class Matrix(NamedTuple):
    """The header of a variable, cell or field.

    Attributes:
        kind: MATLAB class, such as CELL.
    """

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str


class Elements:
    """A sequence of elements in a stream.

    Attributes:
        name: file name, for errors.
        order: byte order of numbers.
        left: number of bytes left in the current element.
        position: number of bytes read, for errors.
    """

    def __init__(
        self,
        stream: "io.BufferedReader[Any]",
        name: str,
        order: str,
        outer: "Elements | None" = None,
    ) -> None:
        """Read elements from a stream.

        Args:
            stream: bytes of the elements.
            name: file name, for errors.
            order: byte order of numbers.
            outer: elements of the file, if `stream` is the content of a compressed element.
        """
        self._stream, self.name, self.order, self._outer = stream, name, order, outer
        self.left = self.position = 0

    def fault(self, reason: str) -> ReadError:
        """Return a ReadError with the position in the file."""
        position = (self._outer or self).position
        return ReadError(file=self.name, reason=f"{reason} (at byte {position:,})")

    def readinto(self, view: Any) -> int:
        """Read into a buffer, up to the end of the element."""
        count = self._stream.readinto(memoryview(view)[: self.left])
        self.left -= count
        self.position += count
        return count

    def is_at_end(self) -> bool:
        """Return True if the stream has no more bytes."""
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
        """Read the type and size of an element, and its data if stored in the tag."""
        head = self.take(8)
        kind, size = struct.unpack(f"{self.order}2I", head)
        if kind >> 16:
            size = kind >> 16
            if size > 4:
                raise self.fault(f"a short element has {size:,} bytes, more than 4")
            return kind & 0xFFFF, size, head[4 : 4 + size]
        return kind, size, None

    def small(self, most: int = _LARGEST_NAME) -> tuple[int, bytes]:
        """Read the type and data of an element of limited size."""
        kind, size, data = self.tag()
        if size > most:
            raise self.fault(f"an element has {size:,} bytes, more than {most:,}")
        if data is None:
            data = self.take(size)
            self.skip(-size % 8)
        return kind, data

    def dtype(self, kind: int) -> np.dtype:
        """Return the dtype for an element type."""
        if kind not in TYPES:
            raise self.fault(f"an element has type {kind} instead of numbers")
        return np.dtype(self.order + TYPES[kind])

    def numbers(self) -> np.ndarray:
        """Read the numbers of a small element."""
        kind, data = self.small()
        return np.frombuffer(data, self.dtype(kind))

    def integers(self, least: int) -> list[int]:
        """Read at least `least` integers from a small element."""
        numbers = self.numbers()
        if numbers.dtype.kind not in "iu" or len(numbers) < least:
            raise self.fault(
                f"an element has {len(numbers)} {numbers.dtype}, not at least {least} integers"
            )
        return list(map(int, numbers))

    def matrix(self) -> Matrix:
        """Read the header of a matrix."""
        flags = self.integers(1)[0]
        shape = tuple(self.integers(2))
        if len(shape) > DIMENSIONS or min(shape) < 0:
            lengths = f"from {min(shape)} to {max(shape)}"
            raise self.fault(f"a variable has {len(shape)} dimensions with lengths {lengths}")
        name = self.small()[1].decode("latin-1")
        return Matrix(flags & 0xFF, bool(flags & 0x0800), shape, name)

    def cell(self, *, is_selected: bool) -> Any:
        """Read the string or number in a cell or field; skip it if it is not selected."""
        kind, size, small = self.tag()
        if kind != MATRIX or small is not None or size > self.left:
            raise self.fault("a cell or field is malformed")
        end = self.left - size
        value = self._scalar() if is_selected and size else None
        if self.left < end or (is_selected and value is None):
            raise self.fault("a cell or field contains something other than one string or number")
        self.skip(self.left - end)
        return value

    def _scalar(self) -> Any:
        """Read one string or one number; return None for anything else."""
        matrix = self.matrix()
        if matrix.kind == CHAR:
            lines = self.lines(matrix.shape)
            return "".join(lines) if len(lines) <= 1 else None
        if matrix.kind in NUMERIC and not matrix.is_complex and prod(matrix.shape) == 1:
            numbers = self.numbers()
            return numbers[0].item() if len(numbers) == 1 else None
        return None

    def lines(self, shape: tuple[int, ...]) -> list[str]:
        """Read the rows of a character matrix."""
        kind, data = self.small(self.left)
        if kind not in TEXTS or len(shape) != 2:
            raise self.fault(f"a string has type {kind} and shape {'x'.join(map(str, shape))}")
        try:
            text = data.decode(TEXTS[kind].format("le" if self.order == "<" else "be"))
        except UnicodeDecodeError as error:
            raise self.fault(f"a string cannot be decoded: {error}") from None
        rows, columns = shape
        if len(text) != rows * columns:
            raise self.fault(f"a string of shape {rows}x{columns} has {len(text):,} characters")
        return [text[row::rows] for row in range(rows)] if columns else [""] * min(rows, 1)


class Inflated(io.RawIOBase):
    """Decompressed content of the current element of `outer`."""

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
    """A variable of an open file, which is positioned at the variable's values."""

    def __init__(self, elements: Elements, matrix: Matrix) -> None:
        self.elements, self.matrix = elements, matrix
        self.name = f"{elements.name}:{matrix.name}"

    @property
    def is_text(self) -> bool:
        """Whether the variable is text, or cells or structs of strings and numbers."""
        return self.matrix.kind in {CELL, STRUCT, CHAR}

    def stored(self, axis: int) -> Stored:
        """Return the array of numbers.

        Args:
            axis: axis that counts rows, ignored for a single row or column.

        Raises:
            ReadError: the variable is not an array of real numbers, or the axis does not exist.
        """
        matrix, elements = self.matrix, self.elements
        if matrix.kind not in NUMERIC or matrix.is_complex:
            raise elements.fault(f"{matrix.name} has neither real numbers nor text")
        kind, size, small = elements.tag()
        dtype = elements.dtype(kind)
        shape = matrix.shape
        if size != dtype.itemsize * prod(shape):
            text = "x".join(map(str, shape))
            raise elements.fault(f"{matrix.name} has shape {text}, but {size:,} bytes of values")
        if sum(length != 1 for length in shape) < 2:  # a single row or column
            shape, axis = (prod(shape),), 0
        stream = elements if small is None else io.BytesIO(small)
        return Stored(stream, self.name, dtype, shape, fortran=True, axis=axis)

    def values(self, field: str) -> list[Any]:
        """Return the values of a variable of text, cells or structs.

        Args:
            field: name of a struct field; empty for text or cells.

        Raises:
            ReadError: the field does not exist, or a value is not one string or number.
        """
        name, elements = self.matrix.name, self.elements
        if elements.left > LARGEST_TEXT:
            raise elements.fault(f"{name} has more than {LARGEST_TEXT:,} bytes of text")
        if self.matrix.kind == CHAR:
            return elements.lines(self.matrix.shape)
        fields = self._fields() if self.matrix.kind == STRUCT else [""]
        if fields.count(field) != 1:
            raise elements.fault(f"{name} has no field {field!r}, only: {', '.join(fields)}")
        count = prod(self.matrix.shape)
        if 8 * count * len(fields) > elements.left:
            raise elements.fault(f"{name} has fewer than {count:,} values")
        if count * len(fields) > MOST_VALUES:
            raise elements.fault(f"{name} has more than {MOST_VALUES:,} values")
        place = fields.index(field)
        rows = ([elements.cell(is_selected=f == field) for f in fields] for _ in range(count))
        return [row[place] for row in rows]

    def _fields(self) -> list[str]:
        (width, *_) = self.elements.integers(1)
        _, names = self.elements.small()
        if width < 1:
            raise self.elements.fault(f"its field names have a length of {width} bytes")
        pieces = [names[i : i + width] for i in range(0, len(names), width)]
        return [piece.partition(b"\0")[0].decode("latin-1") for piece in pieces]


class MatFile:
    """An open MATLAB file, read from the beginning."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read the header.

        Raises:
            ReadError: the file is not a MATLAB level 5 file.
        """
        self._elements = Elements(io.BufferedReader(cast("Any", stream)), name, "<")
        self._elements.left = HEADER
        head = self._elements.take(HEADER)
        if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
            reason = "it is a MATLAB 7.3 file (HDF5), which is not supported"
            raise ReadError(file=name, reason=reason, hint="save it in MATLAB with the option -v7")
        marks = {b"IM": "<", b"MI": ">"}
        if head[126:128] not in marks:
            raise ReadError(file=name, reason="it is not a MATLAB level 5 file")
        self._elements.order = marks[head[126:128]]

    def find(self, name: str) -> Variable:
        """Skip to a variable.

        Raises:
            ReadError: the variable does not exist, or the file is damaged.
        """
        names = []
        for variable in self._variables():
            if variable.matrix.name == name:
                return variable
            names.append(variable.matrix.name)
        listed = ", ".join(names) or "none"
        raise self._elements.fault(f"it has no variable {name!r}; its variables are: {listed}")

    def finish(self, variable: Variable) -> None:
        """Check that no data follows in the variable's element, and that its name is unique."""
        elements, name = variable.elements, variable.matrix.name
        elements.skip(elements.left)
        if elements is not self._elements and not elements.is_at_end():
            raise elements.fault("more bytes follow the compressed variable")
        if any(other.matrix.name == name for other in self._variables()):
            raise self._elements.fault(f"it has two variables named {name!r}")

    def _variables(self) -> Iterator[Variable]:
        file = self._elements
        while True:
            file.skip(file.left)
            if file.is_at_end():
                return
            file.left = 8
            kind, file.left, _ = file.tag()
            if kind not in {MATRIX, COMPRESSED}:
                raise file.fault(f"an element has type {kind} instead of a variable")
            elements = file if kind == MATRIX else self._inflated()
            yield Variable(elements, elements.matrix())

    def _inflated(self) -> Elements:
        file = self._elements
        stream = io.BufferedReader(Inflated(file), 1 << 16)
        elements = Elements(stream, file.name, file.order, outer=file)
        elements.left = 8
        kind, elements.left, _ = elements.tag()
        if kind != MATRIX:
            raise file.fault(f"a compressed element has type {kind} instead of a variable")
        return elements
