"""Plain text, with one row per line or per file.

Only LF and CRLF end a line, and nothing else is stripped from it.
"""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import pyarrow as pa

from dshub.errors import SchemaError
from dshub.formats import File, Output
from dshub.formats._records import Format, matching_name, only_part, spread
from dshub.formats._texts import Encoding, decoded, gathered, line_texts, read_all

LARGEST_FILE = 256 << 20  # bytes in a file that is one row


class Reader(Format, frozen=True):
    """Read one column of text, named after the part.

    Attributes:
        row: whether a row is a `line`, without its line break, or a whole `file`.
        blank: whether to `keep` or `drop` lines that are empty or only spaces and tabs.
        encoding: text encoding of the files.
    """

    text_labels: ClassVar[bool] = True

    row: Literal["line", "file"] = "line"
    blank: Literal["keep", "drop"] = "keep"
    encoding: Encoding = "utf-8"

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        part, of_part = only_part(files)
        rows = ([text] for file in of_part for text in self._texts(file))
        yield from gathered(rows, pa.schema([(part, pa.string())]))

    def _texts(self, file: File) -> Iterator[str]:
        if self.row == "file":
            yield decoded(read_all(file, LARGEST_FILE), file, encoding=self.encoding)
            return
        for _, text in line_texts(file, self.encoding):
            if self.blank == "keep" or text.strip(" \t"):
                yield text

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        part, output = only_part(parts)
        if self.row == "file":
            self._write_files(rows.column(part).to_pylist(), output)
            return
        for sink, some in spread(rows, output):
            encoder = codecs.getincrementalencoder(self.encoding)()  # one byte order mark per file
            for text in some.column(part).to_pylist():
                if "\n" in text or text.endswith("\r"):
                    raise SchemaError(where=f"text {part}", expected="one line", got=repr(text))
                sink.write(encoder.encode(f"{text}\n"))

    def _write_files(self, texts: Sequence[str], output: Output) -> None:
        """Write one file per row, with names from `output.members`."""
        members = list(output.members)
        members = members if len(members) > 1 else members * len(texts)
        for number, (member, text) in enumerate(zip(members, texts, strict=True)):
            with output.create(matching_name(member, number)) as sink:
                sink.write(text.encode(self.encoding))
