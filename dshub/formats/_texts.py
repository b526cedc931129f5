"""What readers of text files share: their one part, its lines, and batches of Python values."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

import pyarrow as pa

from dshub.errors import ReadError

if TYPE_CHECKING:
    from dshub.formats import File, Output

T = TypeVar("T")
Encoding = Literal["utf-8", "latin-1"]

BATCH_BYTES = 8 << 20
BATCH_ROWS = 1 << 16
LARGEST_LINE = 64 << 20  # bytes; a file of zeros must not be taken for one line
_PIECE = 1 << 20  # bytes read at a time


def only_part(parts: Mapping[str, T], *, reader: str) -> tuple[str, T]:
    """The one part, by its name.

    Raises:
        ReadError: there are several.
    """
    if len(parts) != 1:
        names = ", ".join(parts)
        raise ReadError(file=names, reason=f"the reader {reader!r} takes the files of one part")
    return next(iter(parts.items()))


def numbered_lines(file: "File") -> Iterator[tuple[int, bytes]]:
    r"""The number of each line, from 1, and its bytes without the `\n` that ends it.

    Only `\n` ends a line: other signs that Unicode counts as line ends stand within lines.

    Raises:
        ReadError: a line has no end within 64 MiB.
    """
    number, size = 0, 0
    begun: list[bytes] = []
    with file.open() as stream:
        while piece := stream.read(_PIECE):
            first, *others = piece.split(b"\n")
            begun.append(first)
            size += len(first)
            if size > LARGEST_LINE:
                reason = f"line {number + 1} has no end within {LARGEST_LINE:,} bytes"
                raise ReadError(file=file.name, reason=reason)
            if others:
                whole = [b"".join(begun), *others[:-1]]
                yield from enumerate(whole, number + 1)
                number += len(whole)
                begun, size = [others[-1]], len(others[-1])
    if size:
        yield number + 1, b"".join(begun)


def whole(file: "File", limit: int) -> bytes:
    """All bytes of a file.

    Raises:
        ReadError: they are more than `limit`.
    """
    pieces: list[bytes] = []
    size = 0
    with file.open() as stream:
        while piece := stream.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                reason = f"it is larger than {limit:,} bytes, too much to be read as a whole"
                raise ReadError(file=file.name, reason=reason)
    return b"".join(pieces)


def decoded(data: bytes, file: "File", *, place: str = "", encoding: Encoding = "utf-8") -> str:
    """Text of bytes.

    Args:
        data: the bytes.
        file: in which they stand, for errors.
        place: where in the file, for errors; such as `line 7: `.
        encoding: of the file.

    Raises:
        ReadError: they are no text in this encoding.
    """
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        told = f"byte {error.start + 1:,}, {data[error.start]:#04x}, is not {encoding}"
        raise ReadError(file=file.name, reason=f"{place}{told}") from None


def line_texts(file: "File", encoding: Encoding = "utf-8") -> Iterator[tuple[int, str]]:
    r"""The number of each line, from 1, and its text without the `\n` or `\r\n` that ends it.

    A file that was cut within its last `\r\n` has the same lines.

    Raises:
        ReadError: as in `numbered_lines` and `decoded`.
    """
    for number, line in numbered_lines(file):
        data = line.removesuffix(b"\r")
        yield number, decoded(data, file, place=f"line {number}: ", encoding=encoding)


def gathered(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Rows, a value for each field, as batches of about 8 MiB of text."""
    waiting: list[Sequence[Any]] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += sum(map(_size, row))
        if size >= BATCH_BYTES or len(waiting) >= BATCH_ROWS:
            yield _batch(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, schema)


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_size, value)) + 8 if isinstance(value, list) else 8


def _batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(schema.types, zip(*rows, strict=True), strict=True)
    arrays = [pa.array(values, kind) for kind, values in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def spread(rows: pa.RecordBatch, output: "Output") -> Iterator[tuple[BinaryIO, pa.RecordBatch]]:
    """Each file of a part, open, and the rows that it is to hold: about as many as the others."""
    count = len(output.members)
    for i, member in enumerate(output.members):
        begin, end = rows.num_rows * i // count, rows.num_rows * (i + 1) // count
        with output.create(fitting(member)) as sink:
            yield sink, rows.slice(begin, end - begin)


def fitting(pattern: str, number: int = 0) -> str:
    """A name that a pattern fits: a number for its stars, and what is shortest for the rest."""
    return re.sub(
        r"\[(?P<sign>[^]!])[^]]{0,99}\]|(?P<any>[*?])",
        lambda found: found["sign"] or (str(number) if found["any"] == "*" else "0"),
        pattern,
    )
