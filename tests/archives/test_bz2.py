"""Compare bzip2 decompression with Python's `bz2`."""

import bz2
from collections.abc import Callable, Mapping

import pytest

from dshub.errors import ReadError
from dshub.testing.archives import ArchiveTests

PLAIN = bytes(range(256)) * 200 + b"the end"
Read = Callable[..., dict[str, bytes]]


class TestBzip2(ArchiveTests):
    suffix = ".bz2"
    recognized = 10

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return bz2.compress(files[""])

    def unpack(self, data: bytes) -> dict[str, bytes]:
        return {"": bz2.decompress(data)}


@pytest.mark.parametrize(
    "data",
    [
        bz2.compress(PLAIN[:99]) + bz2.compress(PLAIN[99:], 1),
        bz2.compress(b"") + bz2.compress(PLAIN) + bz2.compress(b""),
        bz2.compress(PLAIN) + bytes(1000),
        bz2.compress(PLAIN[:99]) + bytes(512) + bz2.compress(PLAIN[99:]),
    ],
    ids=["two streams", "empty streams", "zeros behind", "zeros between"],
)
def test_unusual_valid_files_are_read(read: Read, data: bytes) -> None:
    """Parallel compressors write concatenated streams, and tapes pad files with zeros."""
    assert read(data) == {"": PLAIN}


@pytest.mark.parametrize(
    "data",
    [
        bz2.compress(PLAIN) + b"rubbish",
        bz2.compress(PLAIN) + bytes(600) + b"rubbish",
        bz2.compress(PLAIN) + b"BZh9",
        bz2.compress(PLAIN) + bz2.compress(PLAIN)[:-1],
    ],
    ids=["rubbish behind", "rubbish behind zeros", "half a header behind", "second stream cut"],
)
def test_damage_is_an_error(read: Read, data: bytes) -> None:
    with pytest.raises(ReadError, match=r"^data: it is damaged: "):
        read(data)


def test_text_starting_with_the_magic_is_not_bzip2(read: Read) -> None:
    assert read(b"BZh9 is how such files begin") == {"": b"BZh9 is how such files begin"}
