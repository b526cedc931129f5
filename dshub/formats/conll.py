"""Columns of tokens in the format of the CoNLL shared tasks.

Layout, from the CoNLL-2003 page: each line has a token and its tags, separated by single spaces.
An empty line ends a sentence. A line that begins with the field `-DOCSTART-` separates documents.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._records import Format, only_part, spread
from dshub.formats._texts import gathered, line_texts

LARGEST_SENTENCE = 1 << 20  # maximum characters per sentence
_TOKENS = pa.list_(pa.string())


class Reader(Format, frozen=True):
    """Read one row per sentence; each column is a list of text, one item per token.

    Empty lines and document lines end a sentence. They never create an empty row.

    Attributes:
        columns: column name of each field of a line, in order.
        separator: character between two fields.
        document: first field of the lines between documents; empty without such lines.
    """

    text_labels: ClassVar[bool] = True

    columns: tuple[str, ...]
    separator: Literal[" ", "\t"] = " "
    document: str = ""

    def __post_init__(self) -> None:
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise ValueError("`columns` is empty or repeats a name")

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        sentences = (
            [list(column) for column in zip(*tokens, strict=True)]
            for file in only_part(files)[1]
            for tokens in self._sentences(file)
        )
        yield from gathered(sentences, pa.schema([(name, _TOKENS) for name in self.columns]))

    def _sentences(self, file: File) -> Iterator[list[list[str]]]:
        """Yield the tokens of each sentence. A token is a list of fields."""
        tokens, size = list[list[str]](), 0
        for number, text in chain(line_texts(file), [(0, "")]):  # ends the last sentence
            fields = text.split(self.separator)
            size += len(text)
            if text.strip(" \t") and (not self.document or fields[0] != self.document):
                self._check(fields, size, file, number)
                tokens.append(fields)
                continue
            if tokens:
                yield tokens
            tokens, size = [], 0

    def _check(self, fields: Sequence[str], size: int, file: File, number: int) -> None:
        filled = sum(map(bool, fields))
        if filled != len(self.columns):
            reason = f"line {number:,}: got {filled} fields, expected {len(self.columns)}"
        elif "" in fields:
            reason = f"line {number:,} has more than one {self.separator!r} between two fields"
        elif size > LARGEST_SENTENCE:
            reason = f"line {number:,}: a sentence is longer than {LARGEST_SENTENCE:,} characters"
        else:
            return
        raise ReadError(file=file.name, reason=reason)

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Fill missing columns with the row number for every token."""
        existing = [name for name in self.columns if name in rows.schema.names]
        lengths = [1] * rows.num_rows
        if existing:
            lengths = pc.list_value_length(rows.column(existing[0])).to_pylist()
        numbers = [[str(first + i)] * length for i, length in enumerate(lengths)]
        for name in self.columns:
            if name not in existing:
                rows = rows.append_column(name, pa.array(numbers, _TOKENS))
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows.select(list(self.columns)), only_part(parts)[1]):
            if self.document:
                fields = [self.document, *["-X-"] * (len(self.columns) - 1)]
                sink.write(f"{self.separator.join(fields)}\n\n".encode())
            for row in some.to_pylist():
                sink.write(f"{self._sentence(row)}\n".encode())

    def _sentence(self, row: Mapping[str, Any]) -> str:
        lengths = {len(values) for values in row.values()}
        if len(lengths) != 1 or 0 in lengths:
            expected, got = "lists of equal, nonzero length", f"lengths {sorted(lengths)}"
            raise SchemaError(where="a sentence", expected=expected, got=got)
        return "".join(map(self._line, zip(*row.values(), strict=True)))

    def _line(self, fields: Sequence[Any]) -> str:
        texts = list(map(str, fields))
        for text in texts:
            if not text.strip(" \t") or any(sign in text for sign in f"{self.separator}\r\n"):
                expected = "text that is not blank and has no separator or line break"
                raise SchemaError(where="a token", expected=expected, got=repr(text))
        return f"{self.separator.join(texts)}\n"
