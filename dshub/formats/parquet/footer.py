"""Parse the footer of a Parquet file without Arrow.

Arrow aborts the process if the metadata of a column chunk contradicts itself, so this module
parses the required fields from the bytes. The footer uses Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md) and the structs
of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

_DEEPEST = 32  # nested structs and lists; Parquet's own footers have at most 8 levels
_SIZES = {1: 0, 2: 0, 3: 1, 7: 8}  # bytes per true, false, byte and double, which are skipped
_INTEGERS, _BINARY, _LISTS, _STRUCT = {4, 5, 6}, 8, {9, 10}, 12


class Chunk(NamedTuple):
    """A column chunk: the values of one column in one row group.

    Attributes:
        group: index of the row group.
        place: index of the column among all leaves of the schema.
        values: number of values, including missing values.
        size: uncompressed bytes of the pages.
        dictionary: whether the chunk begins with a dictionary page.
    """

    group: int
    place: int
    values: int
    size: int
    dictionary: bool


def read_chunks(file: BinaryIO) -> list[Chunk]:
    """Return every column chunk, in file order.

    Raises:
        ValueError: the footer is malformed.
    """
    file.seek(-8, io.SEEK_END)
    length = int.from_bytes(file.read(4), "little")
    file.seek(-8 - length, io.SEEK_END)
    try:
        return list(_chunks(_Compact(file.read(length)).struct()))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"its footer is malformed: {error!r}") from error


def _chunks(footer: dict[int, Any]) -> Iterator[Chunk]:
    for group, row_group in enumerate(footer[4]):
        for place, column in enumerate(row_group[1]):
            metadata = column[3]
            yield Chunk(group, place, metadata[5], metadata[6], metadata.get(11, 0) > 0)


class _Compact:
    """A decoder of Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the next struct as a dict by field number."""
        fields, number = dict[int, Any](), 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._integer()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        if kind in _INTEGERS:
            return self._integer()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in _LISTS:
            return self._list(depth + 1)
        if kind in _SIZES:
            return self._take(_SIZES[kind])
        raise ValueError(f"its footer has a value of type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        if count > len(self._data) - self._at:  # every value has at least one byte
            raise ValueError("a list in its footer is longer than the footer")
        kind = 3 if _SIZES.get(kind) == 0 else kind  # in a list, a boolean is a byte
        return [self._value(kind, depth) for _ in range(count)]

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
        raise ValueError("its footer has a number of more than 64 bits")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise ValueError("its footer ends early")
        self._at += count
        return self._data[self._at - count : self._at]
