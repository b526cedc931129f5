"""Compare gzip decompression with Python's `gzip`."""

import gzip
import zlib
from collections.abc import Callable, Mapping

import pytest

from dshub.archives import _decoding
from dshub.errors import ReadError
from dshub.testing.archives import ArchiveTests

PLAIN = bytes(range(256)) * 200 + b"the end"
Read = Callable[..., dict[str, bytes]]


class TestGzip(ArchiveTests):
    suffix = ".gz"
    recognized = 3

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return gzip.compress(files[""])

    def unpack(self, data: bytes) -> dict[str, bytes]:
        return {"": gzip.decompress(data)}


class TestGzipWithoutIsal(TestGzip):
    """Run the gzip tests without the `fast` extra."""

    @pytest.fixture(autouse=True)
    def without_isal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_decoding, "_inflating", zlib)


def member(flags: int, extra: bytes) -> bytes:
    """Build a gzip member with optional header fields."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\x00\xff" + extra
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = body.compress(PLAIN) + body.flush()
    return head + data + zlib.crc32(PLAIN).to_bytes(4, "little") + len(PLAIN).to_bytes(4, "little")


def crc16(data: bytes) -> bytes:
    """Return the CRC16 of a gzip header."""
    return (zlib.crc32(data) & 0xFFFF).to_bytes(2, "little")


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(PLAIN[:99]) + gzip.compress(PLAIN[99:]),
        gzip.compress(b"") + gzip.compress(PLAIN) + gzip.compress(b""),
        gzip.compress(PLAIN) + bytes(1000),
        gzip.compress(PLAIN[:99]) + bytes(512) + gzip.compress(PLAIN[99:]),
        b"".join(gzip.compress(PLAIN[i : i + 1]) for i in range(2000))
        + gzip.compress(PLAIN[2000:]),
        gzip.compress(PLAIN, 0),
        member(0x08, b"its name\0"),
        member(0x10, b"a comment\0"),
        member(0x04, b"\x06\x00BC\x02\x00\x00\x00"),
        member(0x1C, b"\x02\x00ABname\0comment\0"),
        member(0x02, crc16(b"\x1f\x8b\x08\x02" + bytes(4) + b"\x00\xff")),
    ],
    ids=[
        "two members",
        "empty members",
        "zeros behind",
        "zeros between",
        "2001 members",
        "stored",
        "name",
        "comment",
        "extra field",
        "all fields",
        "header checksum",
    ],
)
def test_unusual_valid_files_are_read(read: Read, data: bytes) -> None:
    assert read(data) == {"": PLAIN}


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(PLAIN) + b"rubbish",
        gzip.compress(PLAIN) + bytes(600) + b"rubbish",
        gzip.compress(PLAIN) + b"\x1f\x8b",
        gzip.compress(PLAIN) + gzip.compress(PLAIN)[:-1],
        gzip.compress(PLAIN)[:-8] + bytes(8),
        member(0x02, b"\0\0"),
    ],
    ids=[
        "rubbish behind",
        "rubbish behind zeros",
        "half a header behind",
        "second member cut",
        "no checksum",
        "wrong header checksum",
    ],
)
def test_damage_is_an_error(read: Read, data: bytes) -> None:
    with pytest.raises(ReadError, match=r"^data: it is damaged: "):
        read(data)


def test_many_empty_members_are_read_quickly(read: Read) -> None:
    assert read(gzip.compress(b"") * 100_000 + gzip.compress(b"end")) == {"": b"end"}
