"""Export to TFRecord: each row is a `tf.train.Example` with its length and CRC-32C checksums."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dshub.catalog.features import (
    BoxFeature,
    BytesFeature,
    DateFeature,
    Feature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.errors import DshubError, MissingExtraError
from dshub.export._rows import (
    Exporter,
    Rows,
    as_file,
    is_file,
    refuse_missing,
    refuse_structs,
)

_BYTES, _FLOATS, _INTS = 1, 2, 3  # field numbers of `tf.train.Feature`


def example(row: Mapping[str, Any]) -> bytes:
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
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


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


def _mask(checksum: int) -> bytes:
    """Rotate a checksum by 15 bits and add a constant, as TFRecord does."""
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def _crc32c() -> Callable[[bytes], int]:
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


class TfRecord(Exporter):
    """Exporter of TFRecord shards, with one record per row."""

    suffixes = (".tfrecord",)

    def check(self, rows: Rows) -> None:
        """Check that google-crc32c is installed, and that all columns fit the format."""
        refuse_structs(rows)
        refuse_missing(rows)
        _crc32c()

    def write(self, path: Path, rows: Rows) -> None:
        crc32c = _crc32c()
        converters = {name: _converter(feature) for name, feature in rows.features.items()}
        with path.with_suffix(".tfrecord").open("wb") as sink:
            for number, row in rows.each():
                try:
                    record = example({name: converters[name](row[name]) for name in row})
                except OverflowError as error:
                    raise DshubError(
                        f"{rows.title}, row {number}: TFRecord integers are at most 2**63 - 1",
                        hint="export to parquet, arrow or npz",
                    ) from error
                length = struct.pack("<Q", len(record))
                sink.write(length + _mask(crc32c(length)) + record + _mask(crc32c(record)))


def _converter(feature: Feature) -> Callable[[Any], Any]:
    """Return a function that converts values of a column for `example`."""
    item = feature.of if isinstance(feature, ListFeature) else feature
    if is_file(feature):
        return as_file
    if isinstance(item, TextFeature):
        return _encode
    if isinstance(item, BytesFeature):
        return lambda value: value
    if isinstance(item, NumberFeature | BoxFeature) and item.dtype == "float64":
        return lambda numbers: np.asarray(numbers, "<f8").tobytes()
    if isinstance(item, DateFeature):  # as counts of the unit since 1970
        return lambda dates: np.asarray(dates).astype(np.int64)
    return lambda numbers: numbers


def _encode(value: str | list[str]) -> bytes | list[bytes]:
    return value.encode() if isinstance(value, str) else [text.encode() for text in value]


exporter = TfRecord()
