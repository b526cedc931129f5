"""Compare xz decompression with Python's `lzma`."""

import lzma
import zlib
from collections.abc import Callable, Mapping

import pytest

from dshub.errors import ReadError
from dshub.testing.archives import ArchiveTests

PLAIN = bytes(range(256)) * 200 + b"the end"
Read = Callable[..., dict[str, bytes]]


class TestXz(ArchiveTests):
    suffix = ".xz"
    recognized = 6

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return lzma.compress(files[""], preset=0)

    def unpack(self, data: bytes) -> dict[str, bytes]:
        return {"": lzma.decompress(data)}


@pytest.mark.parametrize(
    "data",
    [
        lzma.compress(PLAIN[:99]) + lzma.compress(PLAIN[99:]),
        lzma.compress(b"") + lzma.compress(PLAIN) + lzma.compress(b""),
        lzma.compress(PLAIN[:9]) + bytes(8) + lzma.compress(PLAIN[9:]),
        lzma.compress(PLAIN) + bytes(100_000),
        lzma.compress(PLAIN, check=lzma.CHECK_SHA256),
        lzma.compress(PLAIN, check=lzma.CHECK_NONE),
        lzma.compress(PLAIN, preset=9),
    ],
    ids=["two streams", "empty streams", "padding", "zeros behind", "SHA-256", "no check", "-9"],
)
def test_unusual_valid_files_are_read(read: Read, data: bytes) -> None:
    assert read(data) == {"": PLAIN}


@pytest.mark.parametrize(
    "data",
    [
        lzma.compress(PLAIN) + b"rubbish",
        lzma.compress(PLAIN) + bytes(600) + b"rubbish",
        lzma.compress(PLAIN) + lzma.compress(PLAIN)[:-1],
    ],
    ids=["rubbish behind", "rubbish behind zeros", "second stream cut"],
)
def test_damage_is_an_error(read: Read, data: bytes) -> None:
    with pytest.raises(ReadError, match=r"^data: it is damaged: "):
        read(data)


def test_huge_dictionary_is_refused(read: Read) -> None:
    """A header that requests a 4 GiB dictionary does not allocate it."""
    data = bytearray(lzma.compress(PLAIN))
    assert data[14:16] == b"\x21\x01"  # filter ID of LZMA2, and the size of its properties
    data[16] = 40
    length = (data[12] + 1) * 4
    data[8 + length : 12 + length] = zlib.crc32(data[12 : 8 + length]).to_bytes(4, "little")
    with pytest.raises(ReadError, match=r"data: it is damaged: .*[Mm]emory"):
        read(bytes(data))
