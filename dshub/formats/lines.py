"""Plain text: each line is a row, or each file is one.

A line ends with a line feed, or a carriage return and a line feed, as in POSIX and Windows text
files; nothing else ends one, and nothing else is taken from it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
import pyarrow as pa

from dshub.errors import SchemaError
from dshub.formats._texts import (
    Encoding,
    decoded,
    fitting,
    gathered,
    line_texts,
    only_part,
    spread,
    whole,
)

if TYPE_CHECKING:
    from dshub.formats import File, Output

LARGEST_FILE = 256 << 20  # bytes of a file that is one row


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads one column of text, named after the part.

    Attributes:
        row: what a row is: a line without its end, or a file as it stands.
        blank: whether lines that hold nothing, or nothing but blanks and tabs, are rows too.
        encoding: of the files.
    """

    text_labels: ClassVar[bool] = True

    row: Literal["line", "file"] = "line"
    blank: Literal["keep", "drop"] = "keep"
    encoding: Encoding = "utf-8"

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        name, found = only_part(files, reader="lines")
        texts = (text for file in found for text in self._texts(file))
        yield from gathered(([text] for text in texts), pa.schema([(name, pa.string())]))

    def _texts(self, file: "File") -> Iterator[str]:
        if self.row == "file":
            yield decoded(whole(file, LARGEST_FILE), file, encoding=self.encoding)
            return
        for _, text in line_texts(file, self.encoding):
            if self.blank == "keep" or text.strip(" \t"):
                yield text

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:  # noqa: ARG002
        """Such files hold nothing besides."""
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        name, output = only_part(parts, reader="lines")
        rows = rows.select([name])
        if self.row == "file":
            self._write_files(rows, output)
            return
        for sink, some in spread(rows, output):
            for (text,) in zip(*some.to_pydict().values(), strict=True):
                if "\n" in text or text.endswith("\r"):
                    raise SchemaError(where=f"text {name}", expected="one line", got=repr(text))
                sink.write(f"{text}\n".encode(self.encoding))

    def _write_files(self, rows: pa.RecordBatch, output: "Output") -> None:
        """One file a row: under the names there are, or those that a pattern fits."""
        members = list(output.members)
        if len(members) == 1 and rows.num_rows != 1:
            members = [fitting(members[0], number) for number in range(rows.num_rows)]
        for member, text in zip(members, rows.column(0).to_pylist(), strict=True):
            with output.create(fitting(member)) as sink:
                sink.write(text.encode(self.encoding))
