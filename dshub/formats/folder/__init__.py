"""Files in folders: one row for each, whose columns are its content and what its name says.

Most sets of pictures come so: `train/n01440764/n01440764_44.JPEG`. The rows are in the order of
the archive: that of its members for a tar, sorted by name for a zip.
"""

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.errors import ReadError, SchemaError
from dshub.formats.folder.names import DERIVED, MemberName

if TYPE_CHECKING:
    from dshub.formats import File, Output

BATCH_BYTES = 16 << 20  # of content in a batch; one file that is larger is a batch of its own
BATCH_ROWS = 1 << 14
LARGEST_FILE = 1 << 30  # bytes; Arrow's offsets are 32 bits wide


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Reads one part: its content becomes a column of the part's name.

    Attributes:
        path: how members are named, with columns in braces: `train/{label}/{name}.JPEG`; see
            `dshub.formats.folder.names`. A member with another name is an error.
        skip: patterns (`*`, `?`, `[…]`) of members that are no rows.
        text: whether the content is text, in UTF-8, rather than bytes.
    """

    text_labels: ClassVar[bool] = True

    path: str
    skip: tuple[str, ...] = ()
    text: bool = False

    def __post_init__(self) -> None:
        MemberName(self.path)

    @cached_property
    def _name(self) -> MemberName:
        return MemberName(self.path)

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        part = self._part(files, next((f.name for found in files.values() for f in found), ""))
        rows = _Rows(part, self.text)
        for file in files[part]:
            if any(fits(file.member) for fits in self._skipped):
                continue
            rows.names.append(self._columns(file))
            with file.open() as stream:
                yield from rows.take(file, stream)
        yield from rows.finished(len(rows.names))

    def skip_rows(
        self, files: Mapping[str, Sequence["File"]], count: int
    ) -> Mapping[str, Sequence["File"]]:
        """See `dshub.formats.Skipping`: each file is a row."""
        part = self._part(files, "a folder")
        rows = [f for f in files[part] if not any(fits(f.member) for fits in self._skipped)]
        return {part: rows[count:]}

    @cached_property
    def _skipped(self) -> tuple[Any, ...]:
        return tuple(re.compile(fnmatch.translate(pattern)).match for pattern in self.skip)

    def _part(self, parts: Mapping[str, Any], where: str) -> str:
        if len(parts) != 1:
            raise ReadError(file=where, reason=f"a folder is one part, not {', '.join(parts)}")
        part = next(iter(parts))
        if part in {*DERIVED, *(field.name for field in self._name.fields)}:
            raise ReadError(file=where, reason=f"the part {part!r} is also a column of its names")
        return part

    def _columns(self, file: "File") -> dict[str, str | int]:
        columns = self._name.read(file.member)
        if columns is None:
            raise ReadError(file=file.name, reason=f"it is not named like {self.path!r}")
        try:
            file.member.encode()
        except UnicodeEncodeError as error:
            reason = f"its name is not UTF-8 from character {error.start} on"
            raise ReadError(file=file.name, reason=reason) from None
        return columns

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """What the path names and the rows lack holds their number."""
        columns = {name: rows.column(name) for name in rows.schema.names}
        numbers = pa.array(np.arange(first, first + rows.num_rows))
        texts = pc.utf8_lpad(numbers.cast(pa.string()), 6, "0")
        for field in self._name.fields:
            made = texts if field.width is None else numbers
            found = columns.get(field.name, pa.nulls(rows.num_rows))
            columns[field.name] = pc.coalesce(_cast(found, made.type, field.name), made)
        named = pa.RecordBatch.from_pydict({f.name: columns[f.name] for f in self._name.fields})
        derived = [self._name.derived(self._name.write(row)) for row in named.to_pylist()]
        for name in DERIVED:
            columns[name] = pa.array([row[name] for row in derived], pa.string())
        return pa.RecordBatch.from_pydict(columns)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        part = self._part(parts, "a folder")
        if part not in rows.schema.names:
            found = ", ".join(rows.schema.names)
            where = f"folder part {part}"
            raise SchemaError(where=where, expected="that column", got=f"only {found}")
        written: set[str] = set()
        for row in rows.to_pylist():
            member = self._member(row, parts[part].members)
            if member in written:
                raise SchemaError(where=member, expected="names that differ", got="two rows for it")
            written.add(member)
            data = row[part]
            with parts[part].create(member) as sink:
                sink.write(data.encode() if isinstance(data, str) else data)

    def _member(self, row: Mapping[str, Any], patterns: Sequence[str]) -> str:
        """The name of a row's file, which has to be read back as it was meant."""
        columns = {field.name: row[field.name] for field in self._name.fields}
        member = self._name.write(columns)
        back = self._name.read(member) or {}
        if any(back.get(name) != value for name, value in columns.items()):
            got = f"{member!r} for {columns}"
            raise SchemaError(where="a folder", expected=f"names like {self.path!r}", got=got)
        if not any(fnmatch.fnmatchcase(member, pattern) for pattern in patterns):
            expected = f"names that fit {', '.join(patterns)}"
            raise SchemaError(where="a folder", expected=expected, got=member)
        return member


class _Rows:
    """Rows that wait for their batch: their content lies in one block of memory."""

    def __init__(self, part: str, text: bool) -> None:  # noqa: FBT001  # the reader's option
        self.names: list[dict[str, str | int]] = []
        self._files: list[str] = []
        self._part, self._text = part, text
        self._block, self._ends = np.empty(BATCH_BYTES, np.uint8), [0]

    def take(self, file: "File", stream: BinaryIO) -> Iterator[pa.RecordBatch]:
        """Read a file; yields the rows before it where there is no room for all."""
        self._files.append(file.name)
        start = end = self._ends[-1]
        while True:
            count = cast("Any", stream).readinto(memoryview(cast("Any", self._block))[end:])
            end += count or 0
            if not count and end < len(self._block):
                break
            if end - start > LARGEST_FILE:
                reason = f"it is larger than {LARGEST_FILE:,} bytes, which no row may be"
                raise ReadError(file=file.name, reason=reason)
            if end == len(self._block):
                begun = self._block[start:end]
                yield from self.finished(len(self._files) - 1)
                self._block = np.empty(max(BATCH_BYTES, 2 * len(begun)), np.uint8)
                self._block[: len(begun)] = begun
                start, end = 0, len(begun)
        self._ends.append(end)
        if len(self._files) == BATCH_ROWS or end >= BATCH_BYTES:
            yield from self.finished(len(self._files))

    def finished(self, count: int) -> Iterator[pa.RecordBatch]:
        """The first rows, which are whole, as a batch; they wait no longer."""
        if not count:
            return
        names, files = self.names[:count], self._files[:count]
        content = self._content(files)
        self.names, self._files = self.names[count:], self._files[count:]
        self._block, self._ends = np.empty(BATCH_BYTES, np.uint8), [0]
        columns = {name: pa.array([row[name] for row in names]) for name in names[0]}
        yield pa.RecordBatch.from_pydict({self._part: content, **columns})

    def _content(self, files: Sequence[str]) -> pa.Array:
        """The content of rows, without a copy."""
        offsets = pa.py_buffer(np.array(self._ends, np.int32))
        data = pa.py_buffer(self._block[: self._ends[-1]])
        kind = pa.string() if self._text else pa.binary()
        content = pa.Array.from_buffers(kind, len(files), [None, offsets, data])
        if self._text:
            try:
                content.validate(full=True)
            except pa.ArrowInvalid:
                raise self._not_text(files) from None
        return content

    def _not_text(self, files: Sequence[str]) -> ReadError:
        """What is wrong with the first file that is no text."""
        for file, start, end in zip(files, self._ends, self._ends[1:], strict=False):
            try:
                self._block[start:end].tobytes().decode()
            except UnicodeDecodeError as error:
                return ReadError(file=file, reason=f"it is not UTF-8 at byte {error.start:,}")
        raise AssertionError(files)


def _cast(values: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    try:
        return values.cast(kind)
    except pa.ArrowException as error:
        where = f"a folder, column {name}"
        raise SchemaError(where=where, expected=str(kind), got=str(error)) from None
