"""Read the lines of delimited text in blocks, and parse the lines of a block together."""

import codecs
import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from dshub.errors import ReadError
from dshub.formats import File
from dshub.formats._texts import LARGEST_LINE, Encoding, decoded

BLOCK = 8 << 20  # bytes that a block has at least; the last one can have fewer

_PIECE_ROWS = 1 << 12  # rows that are converted to Arrow together


class Lines:
    r"""Lines of a text file, without the final `\n`, read in blocks of whole lines.

    A byte order mark is skipped. UTF-16 is converted to UTF-8.

    Attributes:
        number: number of the next line, from 1.
        encoding: encoding of the blocks.
    """

    def __init__(self, file: File, encoding: Encoding) -> None:
        self.number = 1
        self.encoding: Encoding = "utf-8" if encoding == "utf-16" else encoding
        self._file, self._is_wide = file, encoding == "utf-16"
        self._blocks = self._read()
        self._block, self._start = b"", 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        if not self.has_more():
            raise StopIteration
        end = self._block.find(b"\n", self._start)
        end = len(self._block) if end < 0 else end
        line, number = self._block[self._start : end], self.number
        self._start, self.number = end + 1, number + 1
        return decoded(line, self._file, line=number, encoding=self.encoding)

    def is_within_block(self) -> bool:
        """Return True if the current block has another line."""
        return self._start < len(self._block)

    def has_more(self) -> bool:
        """Return True if there is another line; read the next block if necessary."""
        if not self.is_within_block():
            self._block, self._start = next(self._blocks, b""), 0
        return self.is_within_block()

    def rest(self) -> bytes:
        """Return the remaining lines of the current block."""
        return self._block[self._start :] if self._start else self._block

    def skip_rest(self) -> None:
        """Skip the remaining lines of the current block."""
        self.number += self._block.count(b"\n", self._start)
        self._start = len(self._block)

    def _read(self) -> Iterator[bytes]:
        """Yield blocks of whole lines.

        Raises:
            ReadError: a line is longer than 64 MiB, or the file is not UTF-16.
        """
        rest, is_first = b"", True
        with self._file.open() as stream:
            for piece in self._pieces(stream):
                end = piece.find(b"\n")
                if len(rest) + (end if end >= 0 else len(piece)) > LARGEST_LINE:
                    reason = f"line {self.number:,} is longer than {LARGEST_LINE:,} bytes"
                    raise ReadError(file=self._file.name, reason=reason)
                block = rest + piece
                if is_first and self.encoding == "utf-8":
                    block = block.removeprefix(BOM_UTF8)
                is_first, cut = False, block.rfind(b"\n") + 1
                rest = block[cut:]
                if cut:
                    yield block[:cut]
        if rest:
            yield rest

    def _pieces(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield pieces of a file, of which only the last has less than `BLOCK` bytes."""
        decoder = codecs.getincrementaldecoder("utf-16")()
        while data := _read_fully(stream):
            yield self._from_wide(decoder, data) if self._is_wide else data
        if self._is_wide:
            yield self._from_wide(decoder, b"")

    def _from_wide(self, decoder: codecs.IncrementalDecoder, data: bytes) -> bytes:
        """Convert UTF-16 to UTF-8; no data means the end of the file."""
        try:
            return decoder.decode(data, final=not data).encode()
        except UnicodeError as error:
            raise ReadError(file=self._file.name, reason=f"it is not utf-16: {error}") from None


def _read_fully(stream: BinaryIO) -> bytes:
    """Read `BLOCK` bytes, or fewer at the end of the file."""
    data = stream.read(BLOCK)
    if not data or len(data) == BLOCK:
        return data
    pieces, size = [data], len(data)
    while size < BLOCK and (data := stream.read(BLOCK - size)):
        pieces.append(data)
        size += len(data)
    return b"".join(pieces)


def parse(block: bytes, width: int, delimiter: str, encoding: Encoding) -> list[pa.Array] | None:
    """Parse lines in which quotes have no meaning into columns of text.

    Returns None if a line does not have `width` fields, or if the lines are unusual, so that the
    caller must parse them one by one.

    Args:
        block: whole lines.
        width: number of fields per line.
        delimiter: one character.
        encoding: encoding of the lines.
    """
    if block.count(b"\r") != block.count(b"\r\n") or block.startswith(BOM_UTF8):
        return None  # Arrow ends lines with a lone CR, too, and skips a byte order mark
    names = list(map(str, range(width)))
    try:
        text = block if encoding == "utf-8" else block.decode(encoding).encode()
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            arrow_csv.ReadOptions(use_threads=False, block_size=len(text), column_names=names),
            arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return [column.combine_chunks() for column in table.columns]


def parse_quoted(
    block: bytes, width: int, delimiter: str, encoding: Encoding, *, spaces: bool
) -> list[pa.Array] | None:
    """Parse lines with CSV quotes into columns of text; see `parse`.

    Also returns None if a row continues after the block.

    Args:
        spaces: whether to ignore spaces after a delimiter.
    """
    if len(block) > 2 * BLOCK:
        return None
    pieces = []
    try:
        lines = io.StringIO(block.decode(encoding), newline="\n")
        rows = filter(
            None, csv.reader(lines, delimiter=delimiter, skipinitialspace=spaces, strict=True)
        )
        while piece := list(islice(rows, _PIECE_ROWS)):
            if set(map(len, piece)) != {width}:
                return None
            pieces.append(columns_of(piece))
    except (csv.Error, UnicodeDecodeError):
        return None
    return [pa.concat_arrays(column) for column in zip(*pieces, strict=True)]


def columns_of(rows: Sequence[Sequence[str]]) -> list[pa.Array]:
    """Convert rows to columns of text."""
    return [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
