"""Tables in folders whose names hold columns, such as `year=2024/part-0.parquet`.

Programs such as Hive, Spark and pandas write these (Apache Hive, "Partitioned Tables"). Values are
percent-encoded text; `__HIVE_DEFAULT_PARTITION__` is a missing value.
"""

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, BinaryIO, ClassVar
from urllib.parse import quote, unquote

import pyarrow as pa

from dshub import formats
from dshub.errors import ReadError
from dshub.formats import File, Output
from dshub.formats._records import Format, mismatch, only_part
from dshub.formats.folder.names import MemberName

MISSING = "__HIVE_DEFAULT_PARTITION__"
_PLAIN = " !$&'()+,;@~"  # characters in values that are not encoded


class Reader(Format, frozen=True):
    """Read the files of the only part in order, and add the columns of their names.

    A column that the files have, too, keeps the values in the files.

    Attributes:
        of: reader of each file: its `format` and options.
        path: pattern of member names with columns in braces, such as `year={year}/{name:path}`
            (see `dshub.formats.folder.names`). The last is the rest of the name, and not a column.
    """

    text_labels: ClassVar[bool] = True

    of: dict[str, Any]
    path: str

    def __post_init__(self) -> None:
        if not MemberName(self.path).fields[-1].folders:
            raise ValueError(f"{self.path!r} must end with the rest of the name, as {{name:path}}")

    @cached_property
    def _reader(self) -> formats.Reader:
        return formats.create(self.of)

    @cached_property
    def _name(self) -> MemberName:
        return MemberName(self.path)

    @property
    def _columns(self) -> list[str]:
        return [field.name for field in self._name.fields[:-1]]

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        part, inputs = only_part(files)
        if not inputs:
            yield from self._reader.read(files)  # checks its options
        for file in inputs:
            values = self._name.read(file.member)
            if values is None:
                raise mismatch(file.name, f"its name does not match {self.path!r}")
            for batch in self._reader.read({part: [file]}):
                yield _extended(batch, {name: values[name] for name in self._columns})

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Add the columns of the files, and constants as the columns of their names."""
        own = rows.select([name for name in rows.schema.names if name not in self._columns])
        own = self._reader.complete(own, first)
        given = {n: rows.column(n) for n in self._columns if n in rows.schema.names}
        return _extended(own, dict.fromkeys(self._columns, "0"), given)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        part, output = only_part(parts)
        own = rows.select([name for name in rows.schema.names if name not in self._columns])
        values = rows.select(self._columns).to_pylist()
        begin = 0
        for row in range(1, len(values) + 1):
            if row < len(values) and values[row] == values[begin]:
                continue
            stored = {name: _stored(value) for name, value in values[begin].items()}
            stored[self._name.fields[-1].name] = f"{begin:06}"
            member = _Member(output, self._name.write(stored))
            self._reader.write(own.slice(begin, row - begin), {part: member})
            begin = row


class _Member:
    """One member of an output."""

    def __init__(self, output: Output, name: str) -> None:
        self.members: Sequence[str] = (glob.escape(name),)
        self._output = output

    def create(self, member: str) -> AbstractContextManager[BinaryIO]:
        return self._output.create(member)


def _extended(
    batch: pa.RecordBatch,
    values: Mapping[str, str | int],
    given: Mapping[str, pa.Array] | None = None,
) -> pa.RecordBatch:
    """Add columns with one value each, or with given values, except those that the batch has."""
    metadata = batch.schema.metadata
    for name, value in values.items():
        if name not in batch.schema.names:
            column = (given or {}).get(name)
            batch = batch.append_column(
                name, _repeated(value, batch.num_rows) if column is None else column
            )
    return batch.replace_schema_metadata(metadata)


def _repeated(value: str | int, count: int) -> pa.Array:
    if isinstance(value, int):
        return pa.repeat(pa.scalar(value, pa.int64()), count)
    if value == MISSING:
        return pa.nulls(count, pa.string())
    return pa.repeat(pa.scalar(_decoded(value), pa.string()), count)


def _decoded(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        reason = f"the value {value!r} of its folder is not UTF-8"
        raise ReadError(file=value, reason=reason) from error


def _stored(value: Any) -> str | int:
    if isinstance(value, str):
        return quote(value, safe=_PLAIN)
    return MISSING if value is None else int(value)
