"""`tf.train.Example` in the wire format of Protocol Buffers, and the framing of TFRecord.

Sources: `example.proto` and `feature.proto` of TensorFlow for the messages, "Encoding" of the
documentation of Protocol Buffers for the wire format, and `record_writer.h` of TensorFlow for the
framing: length, its masked CRC-32C, the record, its masked CRC-32C.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from dshub.export._crc32c import crc32c, masked

_BYTES, _FLOATS, _INTS = 1, 2, 3  # fields of `Feature`


def example(row: Mapping[str, Any]) -> bytes:
    """A row as a serialized Example, its features in the order of their names.

    Args:
        row: `bytes`, or a list of `bytes`; or an array of floats, which are written with 32 bits,
            or of integers, flattened.
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
    """A field of bytes: its number and wire type 2, the length, the content."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varints(numbers: np.ndarray) -> bytes:
    if numbers.min() >= 0 and numbers.max() < 0x80:
        return numbers.astype(np.uint8).tobytes()
    return b"".join(map(_varint, numbers.tolist()))


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; a negative number as its 64 bits."""
    number &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def write_records(sink: BinaryIO, records: Sequence[bytes]) -> None:
    """Append records to a TFRecord file."""
    lengths = [struct.pack("<Q", len(record)) for record in records]
    of_lengths, of_records = (masked(crc32c(data)).tolist() for data in (lengths, records))
    for length, first, record, second in zip(lengths, of_lengths, records, of_records, strict=True):
        sink.write(length + struct.pack("<I", first))
        sink.write(record + struct.pack("<I", second))
