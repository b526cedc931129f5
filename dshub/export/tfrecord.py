"""CRC-32C of many records at once, with NumPy.

The checksum is that of RFC 3720, appendix B.4: polynomial 0x1EDC6F41, reflected, all bits of the
register set at first and inverted at the end. It is linear, which three facts follow from:

* zeros before a record change nothing, if the register begins with zeros: records of several
  lengths become rows of one matrix, filled up at their beginning;
* the bits that are set at first are as good as flipped bits of the first four bytes;
* the checksum of two pieces follows from those of each, by as many steps of zeros as the second
  one is long: long records are cut into pieces that are rows of the matrix, too.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from dshub.catalog.features import Feature, ListFeature, NumberFeature, TextFeature
from dshub.errors import DshubError
from dshub.export._rows import Rows, as_file, is_file
from dshub.loading.transforms.transform import Batch

_POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41, reflected
_PIECE = 1024  # bytes


def crc32c(records: Sequence[bytes]) -> np.ndarray:
    """The checksum of each record, uint32 (records,)."""
    if not records:
        return np.empty(0, np.uint32)
    longest = max(4, *map(len, records))
    piece = min(_PIECE, -(-longest // 4) * 4)
    pieces = [max(1, -(-len(record) // piece)) for record in records]
    matrix = np.zeros(sum(pieces) * piece, np.uint8)
    ends = np.cumsum(pieces) * piece
    for record, end in zip(records, ends.tolist(), strict=True):
        matrix[end - len(record) : end] = np.frombuffer(record, np.uint8)
    short = [i for i, record in enumerate(records) if len(record) < 4]
    _flip(matrix, ends, np.array([len(record) for record in records]))
    sums = _pieces(matrix.reshape(-1, piece))
    found = ~_together(sums, np.array(pieces), piece)
    for i in short:
        found[i] = _slowly(records[i])
    return found


def masked(sums: np.ndarray) -> np.ndarray:
    """Checksums as TFRecord keeps them, uint32: turned by 15 bits, and a constant added."""
    turned = (sums >> np.uint32(15)) | (sums << np.uint32(17))
    return turned + np.uint32(0xA282EAD8)


@cache
def _bytes() -> np.ndarray:
    """What a byte in the register does to it one step later, uint32 (256,)."""
    table: np.ndarray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


def _halves(bits: np.ndarray) -> np.ndarray:
    """A linear function of the register as a table of its lower and its upper half.

    Args:
        bits: uint32 (32,), what it makes of each bit alone, the lowest first.

    Returns:
        uint32 (2, 65536).
    """
    table = np.zeros((2, 1 << 16), np.uint32)
    for bit, value in enumerate(bits):
        half = table[bit // 16]
        size = 1 << (bit % 16)
        half[size : 2 * size] = half[:size] ^ value
    return table


@cache
def _words() -> np.ndarray:
    """What the register is four bytes of zeros later, by its halves."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(4):
        bits = (bits >> 8) ^ _bytes()[bits & 0xFF]
    return _halves(bits)


def _step(register: np.ndarray, table: np.ndarray) -> np.ndarray:
    """What a function that is given as a table makes of registers."""
    halves = register.astype("<u4", copy=False).view("<u2")
    stepped: np.ndarray = table[0].take(halves[::2]) ^ table[1].take(halves[1::2])
    return stepped


def _flip(matrix: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> None:
    """Flip the first four bytes of each record that has them."""
    long = lengths >= 4
    starts = (ends - lengths)[long]
    matrix[starts[:, None] + np.arange(4)] ^= 0xFF


def _pieces(matrix: np.ndarray) -> np.ndarray:
    """The register after each row, which began with zeros: four bytes a step, all rows at once."""
    table = _words()
    columns = np.ascontiguousarray(matrix.view("<u4").T)
    register = np.zeros(columns.shape[1], np.uint32)
    for column in columns:
        register = _step(register ^ column, table)
    return register


@cache
def _zeros(length: int) -> np.ndarray:
    """What the register is so many bytes of zeros later, a multiple of 4, by its halves."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(length // 4):
        bits = _step(bits, _words())
    return _halves(bits)


def _together(sums: np.ndarray, pieces: np.ndarray, length: int) -> np.ndarray:
    """The register after each record, from those of its pieces."""
    most = int(pieces.max())
    laid = np.zeros((len(pieces), most), np.uint32)
    laid[np.arange(most) >= (most - pieces)[:, None]] = sums
    columns = np.ascontiguousarray(laid.T)
    register: np.ndarray = columns[0]
    for column in columns[1:]:
        register = _step(register, _zeros(length)) ^ column
    return register


def _slowly(record: bytes) -> int:
    """The checksum of a record, byte by byte."""
    register, table = 0xFFFFFFFF, _bytes()
    for byte in record:
        register = (register >> 8) ^ int(table[(register ^ byte) & 0xFF])
    return register ^ 0xFFFFFFFF


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


@dataclass(frozen=True)
class TfRecord:
    """Shards of records, a row each."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".tfrecord",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        """It holds every kind of column; whole numbers above 2**63 - 1 are found when written."""

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
