"""CRC-32C of many records at once, with NumPy.

The checksum is that of RFC 3720, appendix B.4: polynomial 0x1EDC6F41, reflected, all bits of the
register set at first and inverted at the end. It is linear, which three facts follow from:

* zeros before a record change nothing, if the register begins with zeros: records of several
  lengths become rows of one matrix, filled up at their beginning;
* the bits that are set at first are as good as flipped bits of the first four bytes;
* the checksum of two pieces follows from those of each, by as many steps of zeros as the second
  one is long: long records are cut into pieces that are rows of the matrix, too.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

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
