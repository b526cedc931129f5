"""Test opening and decompressing the files that a resource reference matches."""

import gzip
import lzma
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dshub.archives import container_for, open_archive, open_files, open_stream, stream_for
from dshub.archives._opened import ArchiveFile
from dshub.errors import ReadError
from tests.independent.packed import tarred, zipped

PLAIN = bytes(range(256)) * 200
PLAIN_GZ = gzip.compress(PLAIN, mtime=0)
EMPTY_GZ = gzip.compress(b"", mtime=0)
Read = Callable[..., dict[str, bytes]]


def tarred_gz(files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(tarred(files))


Pack = Callable[[Mapping[str, bytes]], bytes]
CONTAINERS: dict[str, Pack] = {"zip": zipped, "tar": tarred, "tar.gz": tarred_gz}


@pytest.fixture(params=CONTAINERS)
def pack(request: pytest.FixtureRequest) -> Pack:
    """Return a function that builds one kind of container."""
    return CONTAINERS[request.param]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("d/a.gz", {"d/a.gz"}),
        ("d/?.gz", {"d/a.gz", "d/b.gz"}),
        ("*.gz", {"d/a.gz", "d/b.gz", "e/a.gz"}),
        ("d/[ab].gz", {"d/a.gz", "d/b.gz"}),
        ("d/a[1]", {"d/a[1]"}),
        ("./d/*", {"d/a.gz", "d/b.gz", "d/a[1]"}),
        ("*", {"d/a.gz", "d/b.gz", "d/a[1]", "e/a.gz"}),
    ],
)
def test_members_match_names_and_patterns(
    read: Read, pack: Pack, member: str, expected: set[str]
) -> None:
    names = ["d/b.gz", "d/a.gz", "e/a.gz", "d/a[1]"]
    contents = read(pack({name: name.encode() for name in names}), member)
    assert contents == {name: name.encode() for name in expected}
    in_order = [name for name in names if name in expected]
    assert list(contents) == (sorted(expected) if pack is zipped else in_order)


@pytest.mark.parametrize("member", ["nothing", "d/*", "A", "a/", "a/b", "./"])
def test_missing_member_is_an_error(read: Read, pack: Pack, member: str) -> None:
    contents = read(pack({"a": b"1"}), "a")
    assert contents == {"a": b"1"}
    if member == "a/":
        return  # a trailing slash is ignored
    with pytest.raises(ReadError, match="data: it has no member") as caught:
        read(pack({"a": b"1"}), member)
    assert repr(member) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"\0" * 1024, PLAIN, PLAIN_GZ, EMPTY_GZ, b"#!/bin/sh"],
)
def test_plain_file_has_no_members(read: Read, content: bytes) -> None:
    with pytest.raises(ReadError, match="data: it is not an archive, so it has no member 'a'"):
        read(content, "a")


def test_missing_file_is_a_read_error(tmp_path: Path) -> None:
    for member in ("", "a"):
        with (
            pytest.raises(ReadError, match="data: "),
            open_files(tmp_path / "none", title="data", member=member) as (file,),
            file.open(),
        ):
            pass


def test_archive_without_member_is_one_file(read: Read) -> None:
    tar, zip_file = tarred({"a": b"1"}), zipped({"a": b"1"})
    assert read(tar) == {"": tar}
    assert read(gzip.compress(tar)) == {"": tar}
    assert read(zip_file) == {"": zip_file}  # the same bytes, because a zip stores the time


def test_nested_compressions_are_removed(read: Read) -> None:
    inner = lzma.compress(gzip.compress(PLAIN))
    assert read(inner) == {"": PLAIN}
    assert read(gzip.compress(lzma.compress(tarred({"a": inner}))), "a") == {"a": PLAIN}
    assert read(zipped({"a": inner}), "a") == {"a": PLAIN}


def test_endless_compressions_are_refused(read: Read, pack: Pack) -> None:
    data = PLAIN
    for _ in range(20):
        data = gzip.compress(data)
    for content, member in ((data, ""), (data, "a"), (pack({"a": data}), "a")):
        with pytest.raises(ReadError, match=r"data.*: it is compressed more than 4 times"):
            read(content, member)


def test_open_stream_decompresses(tmp_path: Path) -> None:
    path = tmp_path / "some file"
    path.write_bytes(gzip.compress(PLAIN))
    with open_stream(path) as stream:
        assert stream.read() == PLAIN
    path.write_bytes(gzip.compress(PLAIN)[:-1])
    with pytest.raises(ReadError, match="some file: it is damaged"), open_stream(path) as stream:
        stream.read()


def test_archive_is_opened_once(tmp_path: Path, pack: Pack) -> None:
    """The directory is read once, even if the file is replaced later."""
    path = tmp_path / "f"
    path.write_bytes(pack({"a": b"1", "b": b"2"}))
    with open_archive(path, title="data") as archive:
        assert [file.name for file in archive.files("a")] == ["data:a"]
        path.write_bytes(pack({"c": b"1", "d": b"2"}))
        assert [file.name for file in archive.files("*")] == ["data:a", "data:b"]


def test_threads_share_an_archive(tmp_path: Path, pack: Pack) -> None:
    path = tmp_path / "f"
    files = {f"{i:03}": f"{i:03}".encode() * 20_000 for i in range(40)}
    path.write_bytes(pack(files))

    def read(file: ArchiveFile) -> bytes:
        with file.open() as stream:
            return b"".join(iter(lambda: stream.read(7001), b""))

    with open_files(path, title="data", member="*") as members, ThreadPoolExecutor(8) as pool:
        assert dict(zip(files, pool.map(read, members), strict=True)) == files


@pytest.mark.parametrize("name", ["x", "x.txt", "gz", "x.gzip", "x.7z"])
def test_other_names_are_not_archives(name: str) -> None:
    assert stream_for(name) is None
    assert container_for(name) is None


@pytest.mark.parametrize("kind", CONTAINERS)
def test_twenty_thousand_members_are_read_twice(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    names = [f"{i % 7}/{i:05}" for i in range(20_000)]
    path.write_bytes(CONTAINERS[kind]({name: name.encode() for name in names}))
    with open_files(path, title="data", member="*") as files:
        for _ in range(2):
            for file in files:
                with file.open() as stream:
                    assert stream.read() == file.member.encode()
    assert len(files) == 20_000
