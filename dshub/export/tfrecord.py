"""TFRecord files of tf.train.Example messages.

TFRecord: each row a `tf.train.Example`, framed by its length and CRC-32C checksums.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from dshub.catalog.features import Feature, ListFeature, NumberFeature, TextFeature
from dshub.errors import DshubError, MissingExtraError
from dshub.export._rows import Rows, as_file, is_file
from dshub.loading.transforms.transform import Batch

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
    crc32c = _crc32c()
    for record in records:
        length = struct.pack("<Q", len(record))
        sink.write(length + _masked(crc32c(length)))
        sink.write(record + _masked(crc32c(record)))


def _masked(checksum: int) -> bytes:
    """A checksum as TFRecord stores it: rotated by 15 bits, plus a constant."""
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def _crc32c() -> Callable[[bytes], int]:
    """The checksum of RFC 3720.

    Raises:
        MissingExtraError: google-crc32c is not installed.
    """
    try:
        from google_crc32c import value
    except ImportError as error:
        raise MissingExtraError(package="google-crc32c", extra="tfrecord") from error
    checksum: Callable[[bytes], int] = value
    return checksum


@dataclass(frozen=True)
class TfRecord:
    """Shards of records, a row each."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".tfrecord",)
    revision: int = 1

    def check(self, rows: Rows) -> None:  # noqa: ARG002  # the protocol
        """It holds every kind of column; integers above 2**63 - 1 are found when written."""
        _crc32c()

    def write(self, path: Path, rows: Rows) -> None:
        makers = {name: _maker(feature) for name, feature in rows.features.items()}
        with path.with_name(f"{path.name}{self.suffixes[0]}").open("wb") as sink:
            for start, batch in rows.batches():
                _check_range(rows, start, batch)
                columns = {name: map(makers[name], values) for name, values in batch.items()}
                made = zip(*columns.values(), strict=True)
                write_records(sink, [example(dict(zip(columns, row, strict=True))) for row in made])


def _maker(feature: Feature) -> Callable[[Any], Any]:
    """What makes the value of a feature of an Example."""
    item = feature.of if isinstance(feature, ListFeature) else feature
    if is_file(feature):
        return as_file
    if isinstance(item, TextFeature):
        if isinstance(feature, ListFeature):
            return lambda texts: [text.encode() for text in texts]
        return lambda text: text.encode()
    if isinstance(item, NumberFeature) and item.dtype == "float64":
        return lambda numbers: np.asarray(numbers, "<f8").tobytes()
    return lambda numbers: numbers


def _check_range(rows: Rows, start: int, batch: Batch) -> None:
    """Whole numbers are signed there, and have 64 bits."""
    for name, values in batch.items():
        for number, value in enumerate(values, start):
            if getattr(value, "dtype", None) != np.uint64:
                break  # every row has the same dtype
            if np.any(value > np.uint64(np.iinfo(np.int64).max)):
                told = f"{rows.title}, column {name}, row {number}: a number above 2**63 - 1"
                raise DshubError(told, hint="TFRecord has none: export to parquet, arrow or npz")


exporter = TfRecord()
