"""Columns of tokens, as the shared tasks of CoNLL publish them.

Layout, as on the page of CoNLL-2003's task: a line for each token, whose fields (the token and its
tags) are separated by one blank; an empty line after each sentence; and between documents a line
whose first field is `-DOCSTART-`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats._texts import gathered, line_texts, only_part, spread

if TYPE_CHECKING:
    from dshub.formats import File, Output

LARGEST_SENTENCE = 1 << 20  # characters; a file without an empty line is another format


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads one row a sentence; each column holds a list of text, one for each token.

    Empty lines and lines between documents end a sentence that has begun. They never make an empty
    row, at the end of a file neither.

    Attributes:
        columns: the fields of a line, in order.
        separator: what stands between two of them.
        document: the first field of lines that stand between documents and are no token; empty
            where there are none.
    """

    text_labels: ClassVar[bool] = True

    columns: tuple[str, ...]
    separator: Literal[" ", "\t"] = " "
    document: str = ""

    def __post_init__(self) -> None:
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise ValueError("`columns` must name each field of a line once")

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        _, found = only_part(files, reader="conll")
        kind = pa.list_(pa.string())
        sentences = (sentence for file in found for sentence in self._sentences(file))
        yield from gathered(sentences, pa.schema([(name, kind) for name in self.columns]))

    def _sentences(self, file: "File") -> Iterator[list[list[str]]]:
        tokens: list[list[str]] = []
        size = 0
        for number, text in line_texts(file):
            fields = text.split(self.separator)
            if not text.strip(" \t") or (self.document and fields[0] == self.document):
                if tokens:
                    yield _turned(tokens)
                tokens, size = [], 0
                continue
            self._check(fields, file, number)
            tokens.append(fields)
            size += len(text)
            if size > LARGEST_SENTENCE:
                reason = f"line {number}: a sentence is longer than {LARGEST_SENTENCE:,} characters"
                raise ReadError(file=file.name, reason=reason)
        if tokens:
            yield _turned(tokens)

    def _check(self, fields: Sequence[str], file: "File", number: int) -> None:
        if len(fields) != len(self.columns) or "" in fields:
            filled = len([field for field in fields if field])
            reason = f"line {number} has {filled} fields, not {len(self.columns)}"
            if filled == len(self.columns):
                reason = f"line {number} has more than one {self.separator!r} between its fields"
            raise ReadError(file=file.name, reason=reason)

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Further columns hold the row's number for every token."""
        known = [name for name in self.columns if name in rows.schema.names]
        lengths = [1] * rows.num_rows
        if known:
            lengths = [len(values) for values in rows.column(known[0]).to_pylist()]
        made = [[str(first + i)] * length for i, length in enumerate(lengths)]
        for name in self.columns:
            if name not in known:
                rows = rows.append_column(name, pa.array(made, pa.list_(pa.string())))
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        _, output = only_part(parts, reader="conll")
        for sink, some in spread(rows.select(list(self.columns)), output):
            if self.document:
                fields = [self.document, *["-X-"] * (len(self.columns) - 1)]
                sink.write(f"{self.separator.join(fields)}\n\n".encode())
            for row in some.to_pylist():
                sink.write(f"{self._sentence(row)}\n".encode())

    def _sentence(self, row: Mapping[str, Any]) -> str:
        lengths = {len(values) for values in row.values()}
        if len(lengths) != 1 or 0 in lengths:
            told = f"{sorted(lengths)} in one row"
            raise SchemaError(where="a sentence", expected="lists of one length", got=told)
        return "".join(self._line(tuple(map(str, fields))) for fields in zip(*row.values()))  # noqa: B905

    def _line(self, fields: tuple[str, ...]) -> str:
        for field in fields:
            if not field.strip(" \t") or any(sign in field for sign in f"{self.separator}\r\n"):
                raise SchemaError(where="a token", expected="one field", got=repr(field))
        return f"{self.separator.join(fields)}\n"


def _turned(tokens: Sequence[Sequence[str]]) -> list[list[str]]:
    """From fields of each token to tokens of each field."""
    return [list(column) for column in zip(*tokens, strict=True)]
