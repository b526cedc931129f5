"""Read RecordIO files of dmlc and MXNet, following the format's description."""

import struct
from pathlib import Path

MAGIC = struct.pack("<I", 0xCED7230A)


def record(data: bytes, at: int) -> tuple[float, int, bytes, int]:
    """Return a record's label, identifier and content, and the next record's offset."""
    payload, kind = b"", 1
    while kind in {1, 2}:
        assert data[at : at + 4] == MAGIC
        word = struct.unpack_from("<I", data, at + 4)[0]
        kind, length = word >> 29, word & (1 << 29) - 1
        payload += (MAGIC if kind in {2, 3} else b"") + data[at + 8 : at + 8 + length]
        at += 8 + (length + 3) // 4 * 4
    flag, label, number, _ = struct.unpack_from("<IfQQ", payload)
    assert flag == 0
    return label, number, payload[24:], at


def read(stem: Path) -> list[tuple[float, int, bytes]]:
    """Return all records, checking that each one starts at its offset in the index."""
    data = stem.with_suffix(".rec").read_bytes()
    index = [line.split("\t") for line in stem.with_suffix(".idx").read_text().splitlines()]
    records, at = [], 0
    for key, offset in index:
        assert at == int(offset)
        label, number, content, at = record(data, at)
        assert number == int(key)
        records.append((label, number, content))
    assert at == len(data)
    return records
