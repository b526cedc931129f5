"""The footer of a Parquet file, read without Arrow's objects for it.

Arrow ends the process where the description of a column chunk contradicts itself, so what is needed
of it before anything is read is taken from the bytes: Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md) and the structs
of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

_DEEPEST = 32  # structs and lists within one another; those of Parquet have 8
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = {4, 5, 6}


@dataclass(frozen=True)
class Chunk:
    """What the footer says of a column in a row group.

    Attributes:
        group: number of the row group.
        place: number of the column among all leaves of the schema.
        path: its name, parts of structs apart by dots.
        values: how many there are, missing ones included.
        size: bytes of its pages without compression.
        dictionary: whether a page of repeated values comes first.
    """

    group: int
    place: int
    path: str
    values: int
    size: int
    dictionary: bool


def read_chunks(file: BinaryIO) -> list[Chunk]:
    """Every column chunk, in the order of the file.

    Raises:
        ValueError: the footer makes no sense.
    """
    file.seek(-8, io.SEEK_END)
    length = int.from_bytes(file.read(4), "little")
    file.seek(-8 - length, io.SEEK_END)
    try:
        return list(_chunks(_Compact(file.read(length)).struct()))
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its footer makes no sense: {error!r}") from error


def _chunks(footer: dict[int, Any]) -> Iterator[Chunk]:
    for group, row_group in enumerate(footer[4]):
        for place, column in enumerate(row_group[1]):
            facts = column[3]
            yield Chunk(
                group=group,
                place=place,
                path=b".".join(facts[3]).decode(errors="replace"),
                values=facts[5],
                size=facts[6],
                dictionary=facts.get(11, 0) > 0,
            )


class _Compact:
    """A struct in Thrift's compact protocol, as a dict by field number."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of the struct that begins here."""
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._integer()
            is_bool = kind in {_TRUE, _FALSE}
            fields[number] = kind == _TRUE if is_bool else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in {_LIST, _SET}:
            return self._list(depth + 1)
        if kind in {_TRUE, _FALSE, _BYTE}:  # in a list, a bool is a byte
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        raise ValueError(f"its footer has a value of type {kind}")

    def _list(self, depth: int) -> list[Any]:
        if depth > _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        if count > len(self._data) - self._at:  # every value has at least a byte
            raise ValueError("a list in its footer is longer than the footer")
        return [self._value(kind, depth) for _ in range(count)]

    def _integer(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
            if shift > 63:
                raise ValueError("its footer has a number of more than 64 bits")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise ValueError("its footer ends early")
        self._at += count
        return self._data[self._at - count : self._at]
