"""Fuzz archives: open each input, read every member, and open archives nested in it."""

import bz2
import io
import lzma
from collections.abc import Callable, Mapping

from dshub.archives import container_for, open_archive, stream_for
from dshub.catalog.manifest import Limits
from tests.independent import zstd

from . import mutations
from .target import Target, scratch, tried, written

LIMITS = Limits(unpacked=4 << 20, members=1000)
MEMBERS = {
    "a.txt": b"one\n",
    "b/empty": b"",
    "e.gz": mutations.gzipped(b"packed twice"),
}


def read_all(data: bytes) -> None:
    """Read every member as a reader does."""
    path = written(data)
    for member in ("", "*", "*:*"):
        with (
            tried,
            open_archive(path, title="input", limits=LIMITS, scratch=path.parent) as archive,
        ):
            for file in archive.files(member):
                with tried, file.open() as stream:
                    while stream.read(1 << 16):
                        pass


def packed(name: str, members: Mapping[str, bytes]) -> bytes:
    """Pack members with dshub's own archive writer."""
    packing, sink = container_for(name), scratch(name)
    assert packing is not None
    pieces = []
    for number, (member, data) in enumerate(members.items()):
        pieces.append((member, written(data, f"piece-{number}")))
    sink.unlink(missing_ok=True)
    packing.write_members(sink, pieces)
    data = sink.read_bytes()
    return data[: len(data.rstrip(b"\0")) // 512 * 512 + 1536] if name == "x.tar" else data


def compressed(suffix: str, data: bytes) -> bytes:
    """Compress bytes with dshub's own stream writer."""
    stream, raw = stream_for(suffix), io.BytesIO()
    assert stream is not None
    with stream.write(raw) as sink:
        sink.write(data)
    return raw.getvalue()


def _container(suffix: str) -> Callable[[], dict[str, bytes]]:
    def seeds() -> dict[str, bytes]:
        content = {
            "plain": MEMBERS,
            "long-name": {"n" * 120 + "/" + "m" * 120: b"x"},
            "nested": {"inner.tar": packed("x.tar", {"f": b"deep"})},
        }
        return {name + suffix: packed(f"x{suffix}", files) for name, files in content.items()}

    return seeds


def _stream(suffix: str) -> Callable[[], dict[str, bytes]]:
    def seeds() -> dict[str, bytes]:
        once = compressed(suffix, b"some text, some text\n" * 3)
        twice = compressed(suffix, compressed(".gz", b"inside"))
        return {"one" + suffix: once, "two-frames" + suffix: once + once, "twice" + suffix: twice}

    return seeds


def _zst_seeds() -> dict[str, bytes]:
    skippable = b"\x50\x2a\x4d\x18\4\0\0\0skip"
    one = compressed(".zst", b"some text")
    return _stream(".zst")() | {
        "checksum.zst": zstd.compress(b"with its checksum", checksum=True, sized=False),
        "skippable.zst": skippable + one,
        "tar.zst": packed("x.tar.zst", {"a": b"1"}),
    }


_tar = mutations.repaired(mutations.tar_sums)
TARGETS = (
    Target("archive-tar", read_all, _container(".tar"), _tar),
    Target(
        "archive-tar-gz",
        read_all,
        _container(".tar.gz"),
        mutations.inside(mutations.gunzipped, mutations.gzipped, _tar),
    ),
    Target(
        "archive-zip",
        read_all,
        _container(".zip"),
        mutations.repaired(mutations.zip_sums),
        tokens=(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\1\0\x10\0", b"up"),
    ),
    Target(
        "archive-gz",
        read_all,
        _stream(".gz"),
        mutations.repaired(mutations.gz_sums),
    ),
    Target(
        "archive-bz2",
        read_all,
        _stream(".bz2"),
        mutations.inside(mutations.unbzipped, bz2.compress),
        share=0.5,
    ),
    Target(
        "archive-xz",
        read_all,
        _stream(".xz"),
        mutations.inside(mutations.unxzed, lzma.compress),
        share=0.5,
    ),
    Target(
        "archive-zst",
        read_all,
        _zst_seeds,
        mutations.inside(mutations.unzstd, zstd.compress),
    ),
)
