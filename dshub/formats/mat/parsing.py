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
from collections.abc import Iterator
from math import prod
from typing import Any, BinaryIO, cast

from dshub.errors import ReadError
from dshub.formats._stored import Stored
from dshub.formats.mat.elements import (
    CELL,
    CHAR,
    COMPRESSED,
    MATRIX,
    NUMERIC,
    STRUCT,
    Elements,
    Inflated,
    Matrix,
)

HEADER = 128  # bytes
MOST_VALUES = 1 << 20  # cells, or fields of structs, of a variable
LARGEST_TEXT = 256 << 20  # bytes of a variable of text, which is in memory as a whole


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
