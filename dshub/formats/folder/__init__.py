"""Files in folders, with one row per file: the content, and columns from the path.

Most image datasets have this format, such as `train/n01440764/n01440764_44.JPEG`. Rows are in
member order for a tar archive, and sorted by name for a zip archive.
"""

import fnmatch
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._records import Format, check_columns, mismatch, only_part
from dshub.formats._texts import Encoding, decoded, read_all
from dshub.formats.folder.names import DERIVED, MemberName

BATCH_BYTES = 16 << 20  # bytes of content per batch; a larger file has a batch to itself
BATCH_ROWS = 1 << 14
LARGEST_FILE = 1 << 30  # bytes; Arrow's offsets are 32 bits wide


class Reader(Format, frozen=True):
    """Read the only part; the content becomes a column named after the part.

    Attributes:
        path: pattern of member names with columns in braces, such as `train/{label}/{name}.JPEG`
            (see `dshub.formats.folder.names`). A member that does not match is an error.
        skip: patterns (`*`, `?`, `[…]`) of members to ignore.
        text: whether the content is text instead of bytes.
        encoding: encoding of text; `utf-8-sig` is UTF-8 with an optional byte order mark.
    """

    text_labels: ClassVar[bool] = True

    path: str
    skip: tuple[str, ...] = ()
    text: bool = False
    encoding: Encoding | Literal["utf-8-sig"] = "utf-8"

    def __post_init__(self) -> None:
        MemberName(self.path)
        if self.encoding != "utf-8" and not self.text:
            raise ValueError("`encoding` requires `text = true`")

    @cached_property
    def _name(self) -> MemberName:
        return MemberName(self.path)

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        part = self._part(files)
        rows: list[dict[str, str | int]] = []
        contents: list[bytes] = []
        size = 0
        for file in self._rows(files[part]):
            columns, content = self._columns(file), read_all(file, LARGEST_FILE)
            if self.text:
                content = self._as_utf8(content, file)
            if rows and (size + len(content) > BATCH_BYTES or len(rows) == BATCH_ROWS):
                yield self._batch(part, contents, rows)
                rows, contents, size = [], [], 0
            rows.append(columns)
            contents.append(content)
            size += len(content)
        if rows:
            yield self._batch(part, contents, rows)

    def read_names(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with the name of each file, as bytes or text, instead of its content."""
        part = self._part(files)
        rows = self._rows(files[part])
        for start in range(0, len(rows), BATCH_ROWS):
            block = rows[start : start + BATCH_ROWS]
            names = [file.name.encode() for file in block]
            yield self._batch(part, names, [self._columns(file) for file in block])

    def _as_utf8(self, content: bytes, file: File) -> bytes:
        """Convert text to UTF-8; raise ReadError if it does not have the encoding."""
        if self.encoding == "utf-8-sig":
            content = content.removeprefix(BOM_UTF8)
        if self.encoding in {"utf-8", "utf-8-sig"}:
            decoded(content, file)
            return content
        return decoded(content, file, encoding=cast("Encoding", self.encoding)).encode()

    def skip_rows(
        self, files: Mapping[str, Sequence[File]], count: int
    ) -> Mapping[str, Sequence[File]]:
        """Drop the first `count` files, because each file is a row."""
        part = self._part(files)
        return {part: self._rows(files[part])[count:]}

    def _rows(self, files: Sequence[File]) -> list[File]:
        skipped = [re.compile(fnmatch.translate(pattern)).match for pattern in self.skip]
        return [file for file in files if not any(match(file.member) for match in skipped)]

    def _part(self, parts: Mapping[str, Any]) -> str:
        part, _ = only_part(parts)
        if part in {*DERIVED, *(field.name for field in self._name.fields)}:
            raise mismatch(part, f"the part {part!r} is also a column of `path`")
        return part

    def _columns(self, file: File) -> dict[str, str | int]:
        columns = self._name.read(file.member)
        if columns is None:
            hint = "add it to the reader's `skip`, or change its `path`, in the manifest"
            reason = f"its name does not match {self.path!r}"
            raise ReadError(file=file.name, reason=reason, hint=hint)
        try:
            file.member.encode()
        except UnicodeEncodeError as error:
            reason = f"its name is not valid UTF-8 at character {error.start + 1}"
            raise ReadError(file=file.name, reason=reason) from None
        return columns

    def _batch(
        self, part: str, contents: Sequence[bytes], rows: Sequence[Mapping[str, str | int]]
    ) -> pa.RecordBatch:
        columns = {part: pa.array(contents, pa.string() if self.text else pa.binary())}
        columns |= {name: pa.array([row[name] for row in rows]) for name in rows[0]}
        return pa.RecordBatch.from_pydict(columns)

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Fill missing path columns with row numbers."""
        columns = dict(zip(rows.schema.names, rows.columns, strict=True))
        numbers = pa.array(np.arange(first, first + rows.num_rows))
        texts = pc.utf8_lpad(numbers.cast(pa.string()), 6, "0")
        for field in self._name.fields:
            numbered = texts if field.width is None else numbers
            values = columns.get(field.name, pa.nulls(rows.num_rows))
            columns[field.name] = pc.coalesce(_cast(values, numbered.type, field.name), numbered)
        named = pa.RecordBatch.from_pydict({f.name: columns[f.name] for f in self._name.fields})
        derived = [self._name.derived(self._name.write(row)) for row in named.to_pylist()]
        for name in DERIVED:
            columns[name] = pa.array([row[name] for row in derived], pa.string())
        return pa.RecordBatch.from_pydict(columns)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        part = self._part(parts)
        check_columns(rows, [part], where=f"folder part {part}")
        written: set[str] = set()
        for row in rows.to_pylist():
            member = self._member(row, parts[part].members)
            if member in written:
                got = "two rows with this name"
                raise SchemaError(where=member, expected="one row per name", got=got)
            written.add(member)
            data = row[part]
            with parts[part].create(member) as sink:
                sink.write(data.encode(self.encoding) if isinstance(data, str) else data)

    def _member(self, row: Mapping[str, Any], patterns: Sequence[str]) -> str:
        """Return the file name for a row, after checking that it reads back as the same row."""
        columns = {field.name: row[field.name] for field in self._name.fields}
        member = self._name.write(columns)
        if not columns.items() <= (self._name.read(member) or {}).items():
            got = f"{member!r} for {columns}"
            raise SchemaError(where="a folder", expected=f"names like {self.path!r}", got=got)
        if not any(fnmatch.fnmatchcase(member, pattern) for pattern in patterns):
            expected = f"names that match {', '.join(patterns)}"
            raise SchemaError(where="a folder", expected=expected, got=member)
        return member


def _cast(values: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    try:
        return values.cast(kind)
    except pa.ArrowException as error:
        where = f"a folder, column {name}"
        raise SchemaError(where=where, expected=str(kind), got=str(error)) from None
