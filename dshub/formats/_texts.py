"""Read lines of text files, and collect Python values into batches."""

import codecs
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, cast

import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File
from dshub.formats._records import BATCH_BYTES

Encoding = Literal["utf-8", "latin-1", "cp1252", "utf-16"]
"""Text encodings; UTF-16 begins with a byte order mark."""

Delimiter = Literal[",", "\t", ";", "|", " ", "::", ", ", "; ", "| ", "blanks"]
"""Text between two fields; see the reader of delimited text."""

BATCH_ROWS = 1 << 16
LARGEST_LINE = 64 << 20  # bytes; a file without line breaks must not fill the memory
LARGEST_DOCUMENT = 1 << 30  # bytes in a file with one document, which is read into memory
_PIECE = 1 << 20  # bytes per read


def numbered_lines(file: File) -> Iterator[tuple[int, bytes]]:
    r"""Yield the number of each line, from 1, and its bytes without the final `\n`.

    Only `\n` ends a line; Unicode's other line separators are part of the text.

    Raises:
        ReadError: a line is longer than 64 MiB.
    """
    with file.open() as stream:
        reader = io.BufferedReader(cast("Any", stream), _PIECE)
        lines = iter(partial(reader.readline, LARGEST_LINE + 1), b"")
        for number, line in enumerate(lines, 1):
            if len(line) > LARGEST_LINE and not line.endswith(b"\n"):
                reason = f"line {number:,} is longer than {LARGEST_LINE:,} bytes"
                raise ReadError(file=file.name, reason=reason)
            yield number, line.removesuffix(b"\n")


def read_all(file: File, limit: int) -> bytes:
    """Return all bytes of a file.

    Raises:
        ReadError: the file is larger than `limit` bytes.
    """
    pieces, size = list[bytes](), 0
    with file.open() as stream:
        while piece := stream.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                reason = f"it is larger than {limit:,} bytes, so it is not read into memory"
                raise ReadError(file=file.name, reason=reason)
    return b"".join(pieces)


def decoded(data: bytes, file: File, *, line: int = 0, encoding: Encoding = "utf-8") -> str:
    """Decode a line, or a whole file if `line` is 0.

    Raises:
        ReadError: the data is not text in this encoding.
    """
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        place = f"line {line:,}: " if line else ""
        reason = f"{place}byte {error.start + 1:,}, {data[error.start]:#04x}, is not {encoding}"
        raise ReadError(file=file.name, reason=reason) from None


def line_texts(file: File, encoding: Encoding = "utf-8") -> Iterator[tuple[int, str]]:
    r"""Yield the number of each line, from 1, and its text without the final `\n` or `\r\n`.

    A file truncated within its last `\r\n` yields the same lines.

    Raises:
        ReadError: a line is longer than 64 MiB, or not text in this encoding.
    """
    for number, text in texts_of_lines(file, encoding):
        yield number, text.removesuffix("\r")


def texts_of_lines(file: File, encoding: Encoding) -> Iterator[tuple[int, str]]:
    r"""Yield the number of each line, from 1, and its text without the final `\n`.

    Raises:
        ReadError: a line is longer than 64 MiB, or not text in this encoding.
    """
    if encoding == "utf-16":  # its line breaks are not bytes of their own
        yield from enumerate(_wide_lines(file), 1)
        return
    for number, line in numbered_lines(file):
        yield number, decoded(line, file, line=number, encoding=encoding)


def _wide_lines(file: File) -> Iterator[str]:
    """Yield the lines of UTF-16 text."""
    decoder, rest = codecs.getincrementaldecoder("utf-16")(), ""
    with file.open() as stream:
        while True:
            piece = stream.read(_PIECE)
            try:
                rest += decoder.decode(piece, final=not piece)
            except UnicodeError as error:
                raise ReadError(file=file.name, reason=f"it is not utf-16: {error}") from None
            if not piece:
                break
            *lines, rest = rest.split("\n")
            yield from lines
            if len(rest) > LARGEST_LINE:
                reason = f"a line is longer than {LARGEST_LINE:,} characters"
                raise ReadError(file=file.name, reason=reason)
    if rest:
        yield rest


def gathered(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Collect rows with one value per field into batches of about 8 MiB.

    The types of fields of type null are inferred.

    Raises:
        ReadError: the values of such a field have different types.
    """
    waiting, size = list[Sequence[Any]](), 0
    for row in rows:
        waiting.append(row)
        size += sum(map(size_of, row))
        if size >= BATCH_BYTES or len(waiting) >= BATCH_ROWS:
            yield _batch(waiting, schema)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, schema)


def size_of(value: object) -> int:
    """Return the approximate bytes of a value in memory."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(size_of, value)) + 8 if isinstance(value, list) else 8


def _batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(schema, zip(*rows, strict=True), strict=True)
    arrays = [
        inferred(values, field.name)
        if pa.types.is_null(field.type)
        else pa.array(values, field.type)
        for field, values in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema.names)


def inferred(values: Sequence[Any], name: str) -> pa.Array:
    """Convert Python values to a column of the type that holds all of them.

    Raises:
        ReadError: the values have different types.
    """
    try:
        return pa.array(values)
    except OverflowError:
        kind = pa.uint64()
    except pa.ArrowException as error:
        raise ReadError(file=f"column {name}", reason=f"its values differ: {error}") from None
    try:
        return pa.array(values, kind)
    except (OverflowError, pa.ArrowException):
        reason = "its integers need more than 64 bits"
        raise ReadError(file=f"column {name}", reason=reason) from None
