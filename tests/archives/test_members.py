"""Test that decompression bombs stop at their limits, in little memory."""

import bz2
import gzip
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dshub.archives import open_files
from dshub.catalog.manifest import Limits
from dshub.errors import UnsafeArchiveError
from tests.independent import zstd
from tests.independent.packed import tarred, zipped

Read = Callable[..., dict[str, bytes]]
MB = 1_000_000
STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": zstd.compress,
}


Pack = Callable[[Mapping[str, bytes]], bytes]
CONTAINERS: dict[str, Pack] = {
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files)),
    "zip": lambda files: zipped(files, zipfile.ZIP_DEFLATED),
}


def read_until_refused(path: Path, member: str = "", limits: Limits | None = None) -> int:
    """Read every file in pieces and return the number of bytes read before the refusal."""
    count = 0
    with (
        pytest.raises(UnsafeArchiveError, match=r"^data: .*unpacks to more than") as caught,
        open_files(path, title="data", member=member, limits=limits) as files,
    ):
        for file in files:
            with file.open() as stream:
                while piece := stream.read(1 << 16):
                    count += len(piece)
    assert "`limits." in caught.value.hint
    return count


@pytest.mark.parametrize("kind", STREAMS)
def test_small_files_can_unpack_a_thousandfold(read: Read, kind: str) -> None:
    assert len(read(STREAMS[kind](bytes(20 * MB)))[""]) == 20 * MB


@pytest.mark.parametrize("kind", STREAMS)
def test_large_files_cannot_unpack_a_thousandfold(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(STREAMS[kind](bytes(300 * MB)))
    tracemalloc.start()
    count = read_until_refused(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 200 * MB < count <= 256 << 20
    assert most < 20 * MB


def test_manifest_can_raise_the_ratio(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(bytes(300 * MB)))
    with (
        open_files(path, title="data", limits=Limits(ratio=2000)) as (file,),
        file.open() as stream,
    ):
        assert sum(len(piece) for piece in iter(lambda: stream.read(1 << 20), b"")) == 300 * MB


@pytest.mark.parametrize("inner", STREAMS)
@pytest.mark.parametrize("outer", STREAMS)
def test_nested_bombs_are_refused(tmp_path: Path, inner: str, outer: str) -> None:
    """The limit applies after all layers are decompressed."""
    path = tmp_path / "f"
    path.write_bytes(STREAMS[outer](STREAMS[inner](bytes(3 * MB))))
    assert read_until_refused(path, limits=Limits(unpacked=MB)) <= MB


def test_content_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    data = bytes(range(250)) * 4000
    path.write_bytes(gzip.compress(data))
    limits = Limits(unpacked=len(data))
    with open_files(path, title="data", limits=limits) as (file,), file.open() as stream:
        assert stream.read() == data
    assert read_until_refused(path, limits=Limits(unpacked=len(data) - 1)) < len(data)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_too_many_members_are_refused(read: Read, kind: str) -> None:
    """The error names the first excess member."""
    files = {f"{i:03}": b"" for i in range(100)}
    data = CONTAINERS[kind](files)
    assert len(read(data, "*", Limits(members=100))) == 100
    with pytest.raises(UnsafeArchiveError, match=r"^data: member '099' exceeds the limit of 99"):
        read(data, "000", Limits(members=99))


@pytest.mark.parametrize("kind", CONTAINERS)
def test_total_size_of_members_is_limited(tmp_path: Path, kind: str) -> None:
    """Sizes are added up before the first member is opened."""
    files = {f"{i:03}": bytes(MB) for i in range(10)}
    path = tmp_path / "f"
    path.write_bytes(CONTAINERS[kind](files))
    assert read_until_refused(path, "000", Limits(unpacked=9 * MB)) == 0


def test_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(zipped({"zeros": bytes(300 * MB)}, zipfile.ZIP_DEFLATED))
    assert read_until_refused(path, "zeros") == 0


def test_bomb_among_honest_members_is_refused(tmp_path: Path) -> None:
    """The ratio applies to each member, not only to the whole archive."""
    import random

    path = tmp_path / "f"
    files = {"honest": random.Random(0).randbytes(5 * MB), "zeros": bytes(300 * MB)}
    path.write_bytes(zipped(files, zipfile.ZIP_DEFLATED))
    assert read_until_refused(path, "honest") == 0


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_compressed_members_are_limited(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "f"
    path.write_bytes(pack({"bomb": gzip.compress(bytes(3 * MB))}))
    assert read_until_refused(path, "bomb", Limits(unpacked=MB)) <= MB
    path.write_bytes(pack({f"{i}": gzip.compress(bytes(MB)) for i in range(10)}))
    assert MB <= read_until_refused(path, "*", Limits(unpacked=5 * MB)) <= 5 * MB


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_reading_a_member_again_counts_once(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "f"
    path.write_bytes(pack({"m": gzip.compress(bytes(MB))}))
    with open_files(path, title="data", member="m", limits=Limits(unpacked=2 * MB)) as (file,):
        for _ in range(5):
            with file.open() as stream:
                assert len(stream.read()) == MB


def header(name: bytes, size: int, kind: bytes) -> bytes:
    """Build a tar header."""
    info = tarfile.TarInfo(name.decode())
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def pad(data: bytes) -> bytes:
    """Pad data to a multiple of 512 bytes, as tar does."""
    return data + bytes(-len(data) % 512)


@contextmanager
def memory_below(most: int) -> Iterator[None]:
    """Fail if the block allocates `most` bytes of memory or more."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


def test_names_are_limited_in_total(read: Read) -> None:
    """Megabyte-long names add up to the limit after 17 members."""
    data = b""
    for i in range(40):
        name = b"%07d" % i + b"n" * (MB - 7)
        data += header(b"x", MB, b"L") + pad(name) + header(b"a", 0, b"0")
    packed = gzip.compress(data + bytes(1024), 1)
    with memory_below(60 * MB), pytest.raises(UnsafeArchiveError, match="have 17,000,000"):
        read(packed, "*")


def test_irrelevant_attributes_take_no_memory(read: Read) -> None:
    data = b""
    for i in range(40):
        record = f"{MB} key{i}=".encode().ljust(MB - 1, b"v") + b"\n"
        data += header(b"x", MB, b"x") + pad(record)
    packed = gzip.compress(data + header(b"a", 0, b"0") + bytes(1024), 1)
    with memory_below(30 * MB):
        assert read(packed, "a") == {"a": b""}


def test_memory_of_a_large_directory_is_bounded(read: Read) -> None:
    """Refusing a zip with too many members takes a few hundred bytes per member."""
    files = {f"{i:05}": b"" for i in range(50_000)}
    data = zipped(files)
    refused = pytest.raises(UnsafeArchiveError, match="exceeds the limit of 100 members")
    with memory_below(40 * MB), refused:
        read(data, "*", Limits(members=100))
