"""Which files a reference means, and what wraps them."""

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
    """A tar in gzip."""
    return gzip.compress(tarred(files))


Pack = Callable[[Mapping[str, bytes]], bytes]
CONTAINERS: dict[str, Pack] = {"zip": zipped, "tar": tarred, "tar.gz": tarred_gz}


@pytest.fixture(params=CONTAINERS)
def pack(request: pytest.FixtureRequest) -> Pack:
    """How to make each kind of container."""
    return CONTAINERS[request.param]


@pytest.mark.parametrize(
    ("member", "wanted"),
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
def test_members_by_name_and_by_pattern(
    read: Read, pack: Pack, member: str, wanted: set[str]
) -> None:
    """A name means itself, a pattern every member that fits, across folders; folders are none."""
    names = ["d/b.gz", "d/a.gz", "e/a.gz", "d/a[1]"]
    found = read(pack({name: name.encode() for name in names}), member)
    assert found == {name: name.encode() for name in wanted}
    in_order = [name for name in names if name in wanted]
    assert list(found) == (sorted(wanted) if pack is zipped else in_order)


@pytest.mark.parametrize("member", ["nothing", "d/*", "A", "a/", "a/b", "./"])
def test_a_member_that_is_not_there(read: Read, pack: Pack, member: str) -> None:
    """The error names the archive and the member; letters of another case do not fit."""
    found = read(pack({"a": b"1"}), "a")
    assert found == {"a": b"1"}
    if member == "a/":
        return  # a slash at the end is no other name
    with pytest.raises(ReadError, match="data: it holds no member") as caught:
        read(pack({"a": b"1"}), member)
    assert repr(member) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"\0" * 1024, PLAIN, PLAIN_GZ, EMPTY_GZ, b"#!/bin/sh"],
)
def test_listing_members_of_a_plain_file_is_refused(read: Read, content: bytes) -> None:
    """A file without members is told apart from a member that is missing."""
    with pytest.raises(ReadError, match="data: it is no archive that could hold 'a'"):
        read(content, "a")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is told with the resource's name, whether a member is wanted or not."""
    for member in ("", "a"):
        with (
            pytest.raises(ReadError, match="data: "),
            open_files(tmp_path / "none", title="data", member=member) as (file,),
            file.open(),
        ):
            pass


def test_an_archive_that_no_member_is_asked_of(read: Read) -> None:
    """It is one file, with only the compressions around it removed."""
    assert read(tarred({"a": b"1"})) == {"": tarred({"a": b"1"})}
    assert read(tarred_gz({"a": b"1"})) == {"": tarred({"a": b"1"})}
    assert read(zipped({"a": b"1"})) == {"": zipped({"a": b"1"})}


def test_layers_on_layers(read: Read) -> None:
    """Compressions in one another, around an archive and around its members."""
    inner = lzma.compress(gzip.compress(PLAIN))
    assert read(inner) == {"": PLAIN}
    assert read(gzip.compress(lzma.compress(tarred({"a": inner}))), "a") == {"a": PLAIN}
    assert read(zipped({"a": inner}), "a") == {"a": PLAIN}


def test_layers_without_end_are_refused(read: Read, pack: Pack) -> None:
    """A file that would unpack to itself for ever is given up."""
    data = PLAIN
    for _ in range(20):
        data = gzip.compress(data)
    for content, member in ((data, ""), (data, "a"), (pack({"a": data}), "a")):
        with pytest.raises(ReadError, match=r"data.*: it is compressed more than 4 times"):
            read(content, member)


def test_the_stream_in_a_file(tmp_path: Path) -> None:
    """`open_stream` gives what is inside, under the name of the file."""
    path = tmp_path / "some file"
    path.write_bytes(gzip.compress(PLAIN))
    with open_stream(path) as stream:
        assert stream.read() == PLAIN
    path.write_bytes(gzip.compress(PLAIN)[:-1])
    with pytest.raises(ReadError, match="some file: it is damaged"), open_stream(path) as stream:
        stream.read()


def test_an_archive_is_opened_once_for_all_references(tmp_path: Path, pack: Pack) -> None:
    """What was told of it at first holds, even where the file is gone from its folder."""
    path = tmp_path / "f"
    path.write_bytes(pack({"a": b"1", "b": b"2"}))
    with open_archive(path, title="data") as archive:
        assert [file.name for file in archive.files("a")] == ["data:a"]
        path.write_bytes(pack({"c": b"1", "d": b"2"}))
        assert [file.name for file in archive.files("*")] == ["data:a", "data:b"]


def test_threads_share_an_archive(tmp_path: Path, pack: Pack) -> None:
    """Several readers of one archive each get their own members, whole."""
    path = tmp_path / "f"
    files = {f"{i:03}": f"{i:03}".encode() * 20_000 for i in range(40)}
    path.write_bytes(pack(files))

    def read(file: ArchiveFile) -> bytes:
        with file.open() as stream:
            return b"".join(iter(lambda: stream.read(7001), b""))

    with open_files(path, title="data", member="*") as found, ThreadPoolExecutor(8) as pool:
        assert dict(zip(files, pool.map(read, found), strict=True)) == files


@pytest.mark.parametrize("name", ["x", "x.txt", "gz", "x.gzip", "x.7z"])
def test_names_that_tell_of_no_archive(name: str) -> None:
    """There is nothing to write."""
    assert stream_for(name) is None
    assert container_for(name) is None


@pytest.mark.parametrize("kind", CONTAINERS)
def test_many_members(tmp_path: Path, kind: str) -> None:
    """Twenty thousand members are read one after the other, and again."""
    path = tmp_path / "f"
    names = [f"{i % 7}/{i:05}" for i in range(20_000)]
    path.write_bytes(CONTAINERS[kind]({name: name.encode() for name in names}))
    with open_files(path, title="data", member="*") as files:
        for _ in range(2):
            for file in files:
                with file.open() as stream:
                    assert stream.read() == file.member.encode()
    assert len(files) == 20_000
