"""TFRecord files of `tf.train.Example`, as TensorFlow and TFDS write them.

Each record is a row: named lists of bytes, float32 or int64. Files can be compressed as a whole.
The checksums of records are verified, which needs the extra `tfrecord`.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File, Output
from dshub.formats._ragged import array_column, as_array, shaped
from dshub.formats._records import (
    BATCH_BYTES,
    Format,
    check_columns,
    check_options,
    only_part,
    spread,
)
from dshub.formats._texts import BATCH_ROWS
from dshub.formats.tfrecord.examples import ExampleError, Values, decode, encode
from dshub.formats.tfrecord.records import crc32c, framed, records

Type = Literal["text", "float64"]


class Reader(Format, frozen=True):
    """Read the named features from the only part; other features are ignored.

    A record without the feature, or with no value in a column that is not a list, has a missing
    value.

    Attributes:
        columns: feature of each column.
        types: `text` for bytes that are UTF-8, and `float64` for bytes that are little-endian
            doubles, because Examples have only float32. Other bytes stay bytes.
        lists: columns of any number of values, or of arrays of a shape. Others have one.
        shape: shape of the array in a column.
    """

    columns: dict[str, str]
    types: dict[str, Type] = {}
    lists: tuple[str, ...] = ()
    shape: dict[str, tuple[int, ...]] = {}

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("`columns` is empty")
        for name, shape in self.shape.items():
            if not prod(shape):
                raise ValueError(f"the shape of {name!r} must have positive lengths")

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        check_options((*self.types, *self.lists, *self.shape), self.columns, files)
        rows: list[list[Any]] = []
        size = 0
        for file in only_part(files)[1]:
            for number, record in enumerate(records(file)):
                if rows and (size + len(record) > BATCH_BYTES or len(rows) == BATCH_ROWS):
                    yield self._batch(rows)
                    rows, size = [], 0
                rows.append(self._row(record, file, number))
                size += len(record) + 8 * len(self.columns)
        if rows:
            yield self._batch(rows)

    def _row(self, record: bytes, file: File, number: int) -> list[Any]:
        try:
            features = decode(record)
        except (ExampleError, UnicodeDecodeError) as error:
            reason = f"record {number:,} is not a tf.train.Example: {error}"
            raise ReadError(file=file.name, reason=reason) from None
        row = []
        for column, name in self.columns.items():
            values = features.get(name)
            what = f"record {number:,}: feature {name!r}"
            row.append(None if values is None else self._value(column, values, file, what))
        return row

    def _value(self, column: str, values: Values, file: File, what: str) -> Any:
        kind = self.types.get(column)
        if kind is not None:
            if len(values) and not isinstance(values, list):
                raise ReadError(file=file.name, reason=f"{what} holds numbers, not {kind}")
            values = (_doubles if kind == "float64" else _texts)(list(values), file, what)
        shape = self.shape.get(column, ())
        if not len(values) and column not in self.lists:
            return None
        if isinstance(values, list):
            return values if column in self.lists else _only(values, file, what)
        if column in self.lists:
            shape = (len(values) // prod(shape), *shape)
        return shaped(values, shape, file.name, what)

    def _batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        columns = {}
        for name, values in zip(self.columns, zip(*rows, strict=True), strict=True):
            filled = [value for value in values if value is not None]
            kinds = {_kind(value) for value in filled if np.size(value)} or set(map(_kind, filled))
            if len(kinds) > 1:
                reason = f"its values are {' and '.join(sorted(kinds))}"
                raise ReadError(file=f"column {name}", reason=reason)
            is_list = name in self.lists
            if kinds <= {"numbers"}:
                none = np.empty((0, *self.shape.get(name, ())), np.bool_)  # has no type
                arrays = [none if isinstance(value, list) else value for value in values]
                columns[name] = array_column(arrays, None if is_list else self.shape.get(name, ()))
                continue
            kind = pa.string() if self.types.get(name) == "text" else pa.binary()
            lists = [[] if isinstance(value, np.ndarray) else value for value in values]
            columns[name] = pa.array(lists, pa.list_(kind) if is_list else kind)
        return pa.RecordBatch.from_pydict(columns)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        part, output = only_part(parts)
        check_columns(rows, self.columns, where=f"TFRecord part {part}")
        checksum = crc32c()
        for sink, some in spread(rows, output):
            for row in some.to_pylist():
                values = {
                    name: self._stored(column, row[column], some.column(column))
                    for column, name in self.columns.items()
                    if row[column] is not None
                }
                sink.write(framed(encode(values), checksum))

    def _stored(self, column: str, value: Any, of: pa.Array) -> Any:
        """Convert a value of a column for `encode`."""
        kind = self.types.get(column)
        if kind == "text":
            return [str(one).encode() for one in (value if isinstance(value, list) else [value])]
        if isinstance(value, bytes) or _is_bytes(of):
            return value
        numbers = as_array(value, of)
        return numbers.astype("<f8").tobytes() if kind == "float64" else numbers


def _is_bytes(column: pa.Array) -> bool:
    is_list = pa.types.is_list(column.type)
    return bool(is_list and pa.types.is_binary(column.type.value_type))


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "numbers"
    return "text" if isinstance(value, str) else "bytes"


def _only(values: list[Any], file: File, what: str) -> Any:
    if len(values) != 1:
        reason = f"{what} has {len(values):,} values, not one"
        hint = "add its column to the reader's `lists` in the manifest"
        raise ReadError(file=file.name, reason=reason, hint=hint)
    return values[0]


def _doubles(values: list[bytes], file: File, what: str) -> np.ndarray:
    data = b"".join(values)
    if len(data) % 8:
        raise ReadError(file=file.name, reason=f"{what} has bytes that are not doubles")
    return np.frombuffer(data, "<f8").astype(np.float64)


def _texts(values: list[bytes], file: File, what: str) -> list[Any]:
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError:
        raise ReadError(file=file.name, reason=f"{what} is not UTF-8") from None
