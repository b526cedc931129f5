"""Read TFRecord files and `tf.train.Example`, following their descriptions bit by bit."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def crc32c(data: bytes) -> int:
    """Compute the CRC-32C of RFC 3720 bit by bit."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """Compute the masked checksum of TFRecord."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> Iterator[bytes]:
    """Yield the records of a file, verifying their checksums."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        length, crc = struct.unpack_from("<QI", data, at)
        assert crc == masked(data[at : at + 8])
        record = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(record)
        yield record
        at += 16 + length


def example(data: bytes) -> dict[str, list[Any]]:
    """Return the features of an Example as lists of bytes, floats or integers."""
    decoded = {}
    for _, features in fields(data):
        for _, entry in fields(features):
            parts = dict(fields(entry))
            ((kind, content),) = fields(parts[2])
            decoded[parts[1].decode()] = values(kind, content)
    return decoded


def values(kind: int, content: bytes) -> list[Any]:
    """Return the values of a feature."""
    if kind == 1:
        return [item for _, item in fields(content)]
    packed = b"".join(item for _, item in fields(content))
    if kind == 2:
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    numbers = []
    while packed:
        number, size = varint(packed)
        numbers.append(number - (1 << 64) if number >> 63 else number)
        packed = packed[size:]
    return numbers


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of protobuf fields of wire type 2."""
    while data:
        key, size = varint(data)
        assert key & 7 == 2
        length, more = varint(data[size:])
        start = size + more
        yield key >> 3, data[start : start + length]
        data = data[start + length :]


def varint(data: bytes) -> tuple[int, int]:
    """Return a number and how many bytes encode it."""
    number = 0
    for i, byte in enumerate(data):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number, i + 1
    raise AssertionError("the data ends inside a varint")
