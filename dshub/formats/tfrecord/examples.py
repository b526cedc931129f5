"""Encode and decode `tf.train.Example`, a protobuf message, without protobuf.

From TensorFlow's `example.proto` and `feature.proto`::

    message Example  { Features features = 1; }
    message Features { map<string, Feature> feature = 1; }
    message Feature  { oneof kind {
        BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }

Each list has one repeated field, `value = 1`, of bytes, float or int64.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Values = list[bytes] | np.ndarray
"""Values of a feature: a list of bytes, or an array of float32 or int64."""

_BYTES, _FLOATS, _INTS = 1, 2, 3  # field numbers of `tf.train.Feature`
_LENGTH = 2  # wire type of bytes
_LONGEST = 10  # bytes of a varint


class ExampleError(ValueError):
    """Bytes that are not an Example."""


def decode(data: bytes) -> dict[str, Values | None]:
    """Return the values of each feature; None if a feature has no list.

    Raises:
        ExampleError: the data is not an Example.
    """
    features: dict[str, Values | None] = {}
    for number, content in _fields(data):
        if number != 1:
            reason = "it is not a tf.train.Example"
            if number == 2:
                reason = "it is a tf.train.SequenceExample, which is not supported"
            raise ExampleError(reason)
        for _, entry in _fields(_bytes(content)):
            parts = dict(_fields(_bytes(entry)))
            name = _bytes(parts.get(1, b"")).decode("utf-8", "strict")
            features[name] = _values(_bytes(parts.get(2, b"")))
    return features


def _values(feature: bytes) -> Values | None:
    values: Values | None = None
    for kind, content in _fields(feature):
        items = [item for number, item in _fields(_bytes(content)) if number == 1]
        match kind:
            case 1:
                values = [_bytes(item) for item in items]
            case 2:
                packed = b"".join(_packed(item, 4) for item in items)
                if len(packed) % 4:
                    raise ExampleError("it has a list of floats of another length")
                values = np.frombuffer(packed, "<f4").astype(np.float32)
            case 3:
                values = _integers(items)
    return values


def _integers(items: list[bytes | int]) -> np.ndarray:
    """Decode integers, which are packed into one field or in a field each."""
    pieces = [_unpacked(item) if isinstance(item, bytes) else _wrapped([item]) for item in items]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _wrapped(numbers: list[int]) -> np.ndarray:
    return np.array([number & (1 << 64) - 1 for number in numbers], np.uint64).view(np.int64)


def _unpacked(data: bytes) -> np.ndarray:
    """Decode consecutive varints: seven bits per byte, lowest first."""
    raw = np.frombuffer(data, np.uint8)
    if not len(raw):
        return np.empty(0, np.int64)
    is_last = raw < 0x80
    if is_last.all():
        return raw.astype(np.int64)
    if not is_last[-1]:
        raise ExampleError("it ends within an integer")
    starts = np.concatenate([[0], np.flatnonzero(is_last)[:-1] + 1])
    sizes = np.diff(np.append(starts, len(raw)))
    if sizes.max() > _LONGEST:
        raise ExampleError("it has an integer of more than 64 bits")
    places = np.arange(len(raw)) - np.repeat(starts, sizes)
    bits = (raw & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).view(np.int64)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield the number of each field with its bytes, or its number for a varint."""
    at = 0
    while at < len(data):
        key, at = _varint_at(data, at)
        value: bytes | int
        match key & 7:  # wire types: varint, bytes, and numbers of 4 and 8 bytes
            case 0:
                value, at = _varint_at(data, at)
            case 2:
                size, at = _varint_at(data, at)
                value, at = data[at : at + size], at + size
            case 5:
                value, at = data[at : at + 4], at + 4
            case 1:
                value, at = data[at : at + 8], at + 8
            case _:
                raise ExampleError("it has a field of an unknown type")
        if at > len(data):
            raise ExampleError("it ends within a field")
        yield key >> 3, value


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    """Return the varint at an offset, and the offset after it."""
    number = 0
    for i, byte in enumerate(data[at : at + _LONGEST]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number, at + i + 1
    raise ExampleError("it ends within a number")


def _bytes(value: bytes | int) -> bytes:
    if not isinstance(value, bytes):
        raise ExampleError("it has a number in place of a message")
    return value


def _packed(value: bytes | int, size: int) -> bytes:
    data = _bytes(value)
    if len(data) % size:
        raise ExampleError("it ends within a float")
    return data


def encode(row: Mapping[str, Any]) -> bytes:
    """Serialize a row as an Example, with features sorted by name.

    Args:
        row: values by name, which are `bytes`, lists of `bytes`, or arrays of integers or floats.
            Arrays are flattened, and floats are written with 32 bits.
    """
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _feature(row[name]))) for name in sorted(row)
    )
    return _field(1, b"".join(entries))


def _feature(value: Any) -> bytes:
    if isinstance(value, bytes):
        value = [value]
    if isinstance(value, list):
        return _field(_BYTES, b"".join(_field(1, item) for item in value))
    numbers = np.asarray(value).reshape(-1)
    if numbers.dtype.kind == "f":
        return _field(_FLOATS, _field(1, numbers.astype("<f4").tobytes()) if len(numbers) else b"")
    return _field(_INTS, _field(1, _varints(numbers)) if len(numbers) else b"")


def _field(number: int, content: bytes) -> bytes:
    """Encode a protobuf field of wire type 2: field number and type, length, and content."""
    return bytes([number << 3 | _LENGTH]) + _varint(len(content)) + content


def _varints(numbers: np.ndarray) -> bytes:
    if numbers.min() >= 0 and numbers.max() < 0x80:
        return numbers.astype(np.uint8).tobytes()
    return b"".join(map(_varint, numbers.tolist()))


def _varint(number: int) -> bytes:
    """Encode an integer with seven bits per byte, lowest first, and negative numbers as 64 bits.

    Raises:
        OverflowError: the number needs more than 63 bits.
    """
    number = int.from_bytes(number.to_bytes(8, "little", signed=True), "little")
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
