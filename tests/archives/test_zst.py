"""Compare Zstandard decompression with the reference library, and read frames built by hand."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dshub.errors import ReadError
from dshub.testing.archives import ArchiveTests
from tests.independent.zstd import compress, decompress, flushed

PLAIN = bytes(range(256)) * 2000 + b"the end"
MAGIC = b"\x28\xb5\x2f\xfd"
Read = Callable[..., dict[str, bytes]]


def skippable(content: bytes, number: int = 0) -> bytes:
    """Build a skippable frame."""
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def block(kind: int, size: int, content: bytes, *, last: bool = True) -> bytes:
    """Build a block of kind 0 (raw), 1 (one repeated byte) or 2 (compressed)."""
    return (int(last) | kind << 1 | size << 3).to_bytes(3, "little") + content


class TestZstandard(ArchiveTests):
    suffix = ".zst"
    recognized = 4

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        frame: bytes = compress(files[""], checksum=True)
        return frame

    def unpack(self, data: bytes) -> dict[str, bytes]:
        return {"": decompress(data)}


@pytest.mark.parametrize(
    "data",
    [
        compress(PLAIN[:99]) + compress(PLAIN[99:]),
        compress(b"") + compress(PLAIN) + compress(b""),
        skippable(b"") + compress(PLAIN),
        skippable(bytes(100_000), 15)
        + compress(PLAIN[:99])
        + skippable(b"x")
        + compress(PLAIN[99:]),
        compress(PLAIN) + skippable(compress(b"not to be read"), 7),
        compress(PLAIN, sized=False),
        compress(PLAIN, checksum=True),
        compress(PLAIN, level=19),
        flushed(PLAIN, 1000),
    ],
    ids=[
        "two frames",
        "empty frames",
        "skippable first",
        "skippable between",
        "skippable behind",
        "no size",
        "checksum",
        "level 19",
        "streamed",
    ],
)
def test_unusual_valid_files_are_read(read: Read, data: bytes) -> None:
    assert read(data) == {"": PLAIN}


def test_every_block_type_is_read(read: Read) -> None:
    blocks = block(0, 3, b"abc", last=False) + block(1, 128 << 10, b"z", last=False)
    data = MAGIC + b"\x00\x58" + blocks + block(0, 0, b"")
    assert read(data) == {"": b"abc" + b"z" * (128 << 10)}


def test_window_of_128_mib_is_read(read: Read) -> None:
    assert read(MAGIC + b"\x00\x88" + block(0, 3, b"abc")) == {"": b"abc"}


def test_file_of_skippable_frames_is_empty(read: Read) -> None:
    assert read(skippable(b"1") + skippable(b"2")) == {"": b""}


@pytest.mark.parametrize(
    "data",
    [
        compress(PLAIN) + b"rubbish",
        compress(PLAIN) + bytes(1001),
        compress(PLAIN) + MAGIC[:2],
        compress(PLAIN) + compress(PLAIN)[:-1],
        skippable(bytes(100))[:-1],
        skippable(b"")[:6],
        MAGIC + b"\x00\x58" + block(3, 3, b"abc"),
        MAGIC + b"\x00\x58" + block(0, 129 << 10, bytes(129 << 10)),
        MAGIC + b"\x00\xf8" + block(0, 3, b"abc"),
        MAGIC + b"\x00\x90" + block(0, 3, b"abc"),
        MAGIC + b"\x60\x05\x00" + block(0, 3, b"abc"),
        MAGIC + b"\x01\x58\x07" + block(0, 3, b"abc"),
        MAGIC + b"\x08\x58" + block(0, 3, b"abc"),
    ],
    ids=[
        "rubbish behind",
        "zeros behind",
        "half a magic number behind",
        "second frame cut",
        "skippable cut",
        "skippable without a size",
        "a block of no kind",
        "a block too large",
        "a window of terabytes",
        "a window of 256 MiB",
        "another size than promised",
        "a dictionary we do not have",
        "a reserved bit",
    ],
)
def test_damage_is_an_error(read: Read, data: bytes) -> None:
    with pytest.raises(ReadError, match=r"^data: it is damaged: "):
        read(data)


def test_zstd_is_imported_only_when_needed(tmp_path: Path) -> None:
    """Listing and fetching datasets and reading other formats do not import it."""
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(b"1"))
    code = (
        "import sys, pathlib, dshub.download.fetcher, dshub.archives\n"
        "with dshub.archives.open_stream(pathlib.Path(sys.argv[1])) as stream:\n"
        "    assert stream.read() == b'1'\n"
        "assert not any('zstd' in name for name in sys.modules if 'dshub' not in name)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
