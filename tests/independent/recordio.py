"""RecordIO of dmlc and MXNet, read by the letter of its description."""

import struct
from pathlib import Path

MAGIC = struct.pack("<I", 0xCED7230A)


def record(data: bytes, at: int) -> tuple[float, int, bytes, int]:
    """Label, identifier and content of the record at an offset, and where the next one is."""
    whole, kind = b"", 1
    while kind in {1, 2}:
        assert data[at : at + 4] == MAGIC
        told = struct.unpack_from("<I", data, at + 4)[0]
        kind, length = told >> 29, told & (1 << 29) - 1
        whole += (MAGIC if kind in {2, 3} else b"") + data[at + 8 : at + 8 + length]
        at += 8 + (length + 3) // 4 * 4
    flag, label, number, _ = struct.unpack_from("<IfQQ", whole)
    assert flag == 0
    return label, number, whole[24:], at


def read(stem: Path) -> list[tuple[float, int, bytes]]:
    """All records of a file, which begin where its index says."""
    data = stem.with_suffix(".rec").read_bytes()
    index = [line.split("\t") for line in stem.with_suffix(".idx").read_text().splitlines()]
    found, at = [], 0
    for key, offset in index:
        assert at == int(offset)
        label, number, content, at = record(data, at)
        assert number == int(key)
        found.append((label, number, content))
    assert at == len(data)
    return found
