"""Read and write the records of TFRecord files, verifying their checksums.

Layout of a record, from TensorFlow's `record_writer.h`:

* the length of the data, uint64, little-endian
* the masked CRC-32C of the length, uint32
* the data
* the masked CRC-32C of the data, uint32
"""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from dshub.errors import MissingExtraError, ReadError
from dshub.formats import File

LARGEST_RECORD = 1 << 30  # bytes; Arrow's offsets are 32 bits wide
_HEAD = struct.Struct("<QI")
_SUM = struct.Struct("<I")
_PIECE = 1 << 20  # bytes per read, because a declared length can be wrong
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, in reversed bit order


def crc32c() -> Callable[[bytes], int]:
    """Return the CRC-32C checksum function of RFC 3720.

    Raises:
        MissingExtraError: google-crc32c is not installed.
    """
    try:
        from google_crc32c import value
    except ImportError as error:
        raise MissingExtraError(package="google-crc32c", extra="tfrecord") from error
    checksum: Callable[[bytes], int] = value
    return checksum


def framed(data: bytes, checksum: Callable[[bytes], int]) -> bytes:
    """Return a record with its length and checksums."""
    length = struct.pack("<Q", len(data))
    sums = (_SUM.pack(_masked(checksum(part))) for part in (length, data))
    return length + next(sums) + data + next(sums)


def is_tfrecord(head: bytes) -> bool:
    """Return True if a file with these first bytes begins with a record; needs no extra."""
    if len(head) < _HEAD.size:
        return False
    _, expected = _HEAD.unpack_from(head)
    return bool(_masked(_short_crc32c(head[:8])) == expected)


def records(file: File) -> Iterator[bytes]:
    """Yield the data of each record.

    Raises:
        ReadError: the file is truncated, or a checksum is wrong.
        MissingExtraError: google-crc32c is not installed.
    """
    checksum = crc32c()
    offset, number = 0, 0
    with file.open() as stream:
        while head := stream.read(_HEAD.size):
            place = f"record {number:,}, at byte {offset:,}"
            length, expected = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, -1)
            if expected != _masked(checksum(head[:8])):
                raise ReadError(file=file.name, reason=f"{place}: its length is damaged")
            if length > LARGEST_RECORD:
                reason = f"{place}: it has {length:,} bytes, more than {LARGEST_RECORD:,}"
                raise ReadError(file=file.name, reason=reason)
            data = _read(stream, length + _SUM.size)
            if len(data) < length + _SUM.size:
                raise ReadError(file=file.name, reason=f"{place}: the file ends within it")
            data, end = data[:length], data[length:]
            if _SUM.pack(_masked(checksum(data))) != end:
                raise ReadError(file=file.name, reason=f"{place}: its checksum is wrong")
            yield data
            offset += _HEAD.size + length + _SUM.size
            number += 1
    if not number:
        raise ReadError(file=file.name, reason="it is empty")


def _read(stream: BinaryIO, size: int) -> bytes:
    pieces = []
    while size and (piece := stream.read(min(size, _PIECE))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _masked(checksum: int) -> int:
    """Rotate a checksum by 15 bits and add a constant, as TFRecord does."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _short_crc32c(data: bytes) -> int:
    """Compute the CRC-32C of a few bytes."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF
