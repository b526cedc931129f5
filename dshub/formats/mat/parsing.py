"""Variables of a MATLAB file, level 5, read forward and one at a time.

Layout, as in MathWorks' "MAT-File Format": 128 bytes of header, of which the last four are the
version and the letters MI in the writer's byte order; then elements. An element begins with its
type and its number of bytes, two uint32; four bytes or less may stand in place of the second one,
their number in the upper half of the first. Elements are padded to 8 bytes. A variable is an
element of type 14 that holds others: flags, lengths, name and values; or one of type 15, which is
such an element compressed by zlib. Values lie with the first axis fastest.

SciPy reads these files too, but all of a variable at once, and a file that nests cells deeply ends
the whole process there. Here nothing is nested: a cell or a field holds a text or a number.
"""

from collections.abc import Iterator
from math import prod
from typing import Any, BinaryIO

from dshub.errors import ReadError
from dshub.formats._stored import Header
from dshub.formats.mat.elements import (
    CELL,
    CHAR,
    COMPRESSED,
    MATRIX,
    NUMERIC,
    STRUCT,
    Element,
    Held,
    Inflated,
    Matrix,
    Source,
)

HEADER = 128  # bytes
MOST_VALUES = 1 << 20  # cells, or fields of structs, of a variable
LARGEST_TEXT = 256 << 20  # bytes of a variable of text, which is in memory as a whole


class Variable:
    """A variable of an open file, whose values come next."""

    def __init__(self, file: str, source: "Source", matrix: Matrix) -> None:
        self.name = f"{file}:{matrix.name}"
        self.source, self.matrix = source, matrix

    def header(self) -> Header | None:
        """Type and lengths where it holds numbers, which come next; None for text.

        Raises:
            ReadError: it holds what can be no column.
        """
        if self.matrix.kind in {CELL, STRUCT, CHAR}:
            return None
        if self.matrix.kind not in NUMERIC or self.matrix.complex:
            raise self.source.fault(f"{self.matrix.name} holds no real numbers and no text")
        kind, size, small = self.source.tag()
        dtype = self.source.dtype(kind)
        wanted = dtype.itemsize * prod(self.matrix.lengths)
        if size != wanted:
            shape = "x".join(map(str, self.matrix.lengths))
            raise self.source.fault(f"{self.matrix.name} is {shape}, but {size:,} bytes follow")
        if small is not None:
            self.source.give_back(small)
        return Header(dtype, self.matrix.lengths, fortran=True)

    def values(self, field: str) -> list[Any]:
        """The texts or numbers of a variable that holds no array of numbers.

        Args:
            field: of a struct, which.

        Raises:
            ReadError: there is no such field, or one holds something else.
        """
        if self.source.left > LARGEST_TEXT:
            raise self.source.fault(f"{self.matrix.name} has {self.source.left:,} bytes of text")
        if self.matrix.kind == CHAR:
            return self.source.lines(self.matrix.lengths)
        fields = self._fields() if self.matrix.kind == STRUCT else [""]
        if fields.count(field) != 1:
            told = ", ".join(fields) or "none"
            raise self.source.fault(f"{self.matrix.name} has the fields {told}, not {field!r}")
        count = prod(self.matrix.lengths)
        if 8 * count * len(fields) > self.source.left:
            raise self.source.fault(f"{self.matrix.name} holds fewer than {count:,} values")
        if count * len(fields) > MOST_VALUES:
            raise self.source.fault(f"{self.matrix.name} holds more than {MOST_VALUES:,} values")
        inside = Held(self.source, self.source.left)
        wanted = [name == field for name in fields]
        values = [[inside.value(wanted=one) for one in wanted] for _ in range(count)]
        return [row[wanted.index(True)] for row in values]

    def _fields(self) -> list[str]:
        (width, *_) = self.source.whole_numbers(1)
        names = self.source.small_bytes()
        if width < 1:
            raise self.source.fault(f"the names of its fields have {width} bytes")
        pieces = [names[i : i + width] for i in range(0, len(names), width)]
        return [piece.partition(b"\0")[0].decode("latin-1") for piece in pieces]


class MatFile:
    """An open file, read from its beginning."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read the header.

        Raises:
            ReadError: it is no MATLAB file of level 5.
        """
        self._source = Source(stream, name, "<", 1 << 62)
        self._current: Source | None = None
        head = stream.read(HEADER)
        if head.startswith((b"MATLAB 7.3", b"\x89HDF")):
            reason = "it is a MATLAB file of level 7.3, which is HDF5 and cannot be read"
            raise ReadError(file=name, reason=reason)
        marks = {b"IM": "<", b"MI": ">"}
        if len(head) < HEADER or head[126:128] not in marks:
            raise ReadError(file=name, reason="it is no MATLAB file of level 5")
        self._source.order = marks[head[126:128]]
        self._source.offset = HEADER

    def find(self, wanted: str) -> Variable:
        """A variable; those before it are passed over.

        Raises:
            ReadError: there is none of that name; the file is damaged before it.
        """
        names = []
        for variable in self._variables():
            if variable.matrix.name == wanted:
                return variable
            names.append(variable.matrix.name)
        told = ", ".join(names) or "none"
        raise self._source.fault(f"it holds no variable {wanted!r}, but {told}")

    def finish(self, wanted: str) -> None:
        """See that the variable ends as promised, and that the file holds no other so named."""
        if self._current is not None:
            self._current.end()
            self._current = None
        for variable in self._variables():
            if variable.matrix.name == wanted:
                raise self._source.fault(f"it holds two variables {wanted!r}")

    def _variables(self) -> Iterator[Variable]:
        while not self._source.at_end():
            kind, size, _ = self._source.tag()
            if kind not in {MATRIX, COMPRESSED}:
                raise self._source.fault(f"an element of type {kind}, which is no variable")
            inside = Element(self._source, size) if kind == MATRIX else Inflated(self._source, size)
            self._current = inside
            if kind == COMPRESSED:
                inner, inside.left, _ = inside.tag()
                if inner != MATRIX:
                    raise self._source.fault(f"what is compressed is an element of type {inner}")
            yield Variable(self._source.name, inside, inside.matrix())
            inside.leave()
