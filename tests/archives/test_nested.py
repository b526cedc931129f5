"""Test archives in archives, as in `resource:inner.tar:member`."""

import bz2
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dshub.archives import open_archive
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError
from tests.independent.packed import tarred, zipped

Read = Callable[..., dict[str, bytes]]
Pack = Callable[[Mapping[str, bytes]], bytes]


PACKS: dict[str, Pack] = {
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files)),
    "zip": zipped,
    "deflated zip": lambda files: zipped(files, zipfile.ZIP_DEFLATED),
    "zip.bz2": lambda files: bz2.compress(zipped(files)),
}
FILES = {"d/b.jpg": b"b" * 3000, "d/a.jpg": b"a" * 700, "d/e/c.jpg": b"", "list.txt": b"words"}


@pytest.fixture(params=PACKS)
def outer(request: pytest.FixtureRequest) -> Pack:
    """Return a function that builds one kind of outer archive."""
    return PACKS[request.param]


@pytest.fixture(params=PACKS)
def inner(request: pytest.FixtureRequest) -> Pack:
    """Return a function that builds one kind of inner archive."""
    return PACKS[request.param]


def test_every_kind_nests_in_every_kind(read: Read, outer: Pack, inner: Pack) -> None:
    data = outer({"readme": b"words", "in": inner(FILES)})
    expected = {f"in:{name}": content for name, content in FILES.items()}
    assert read(data, "in:*") == expected
    assert read(data, "in:d/b.jpg") == {"in:d/b.jpg": FILES["d/b.jpg"]}
    assert read(data, "readme") == {"readme": b"words"}


def test_members_are_ordered_archive_by_archive(read: Read) -> None:
    data = tarred({f"{name}.tar": tarred({"2": b"", "1": b"", "0.txt": b""}) for name in "nab"})
    names = list(read(data, "*.tar:[12]"))
    assert names == ["n.tar:2", "n.tar:1", "a.tar:2", "a.tar:1", "b.tar:2", "b.tar:1"]
    data = tarred({"n.zip": zipped({"2": b"", "1": b""}), "a.tar": tarred({"3": b"", "2": b""})})
    assert list(read(data, "*:*")) == ["n.zip:1", "n.zip:2", "a.tar:3", "a.tar:2"]


def test_three_levels_of_archives_are_read(read: Read) -> None:
    data = zipped({"a.tar.gz": gzip.compress(tarred({"b.zip": zipped({"c": b"1"})}))})
    assert read(data, "a.tar.gz:b.zip:c") == {"a.tar.gz:b.zip:c": b"1"}


def test_compressed_members_of_inner_archives_are_decoded(read: Read) -> None:
    data = tarred({"a.zip": zipped({"b.gz": gzip.compress(b"words")})})
    assert read(data, "a.zip:b.gz") == {"a.zip:b.gz": b"words"}


@pytest.mark.parametrize("kind", ["tar", "deflated zip", "zip"])
def test_archives_in_a_tar_are_read_in_place(tmp_path: Path, kind: str) -> None:
    path, scratch = tmp_path / "f", tmp_path / "is not there"
    path.write_bytes(tarred({"1.x": PACKS[kind](FILES), "2.x": PACKS[kind](FILES)}))
    with open_archive(path, title="data", scratch=scratch) as archive:
        assert len(archive.files("*.x:*")) == 8


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("in.tar:nothing", "^data:in.tar: it has no member 'nothing'"),
        ("in.tar:*.png", r"^data:in.tar: it has no member '\*.png'"),
        ("*.tar:*.png", r"^data: it has no member '\*.tar:\*.png'"),
        ("none.tar:a", "^data: it has no member 'none.tar:a'"),
        ("readme:a", "^data:readme: it is not an archive, so it has no member 'a'"),
        (
            "in.tar:d/a.jpg:b",
            "^data:in.tar:d/a.jpg: it is not an archive, so it has no member 'b'",
        ),
    ],
)
def test_missing_member_names_the_archive(read: Read, member: str, message: str) -> None:
    data = tarred({"readme": b"words", "in.tar": tarred(FILES), "2.tar": tarred(FILES)})
    with pytest.raises(ReadError, match=message):
        read(data, member)


def test_damage_names_both_archives(read: Read, inner: Pack) -> None:
    data = inner(FILES)
    with pytest.raises(ReadError, match=r"^data:in(:.*)?: it is damaged"):
        read(tarred({"in": data[: len(data) // 2 - 3]}), "in:*")


@pytest.mark.parametrize("name", ["../evil", "/evil", "C:/evil", "d\\evil"])
def test_unsafe_inner_archive_is_refused(read: Read, outer: Pack, name: str) -> None:
    data = outer({"in": tarred({"good": b"1", name: b"2"})})
    with pytest.raises(UnsafeArchiveError, match=r"^data:in: ") as caught:
        read(data, "in:good")
    assert (caught.value.archive, caught.value.member) == ("data:in", name)


def test_links_are_not_followed(read: Read) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as file:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(UnsafeArchiveError, match=r"^data: .*link"):
        read(sink.getvalue(), "link:a")
    with pytest.raises(UnsafeArchiveError, match=r"^data:in: .*link"):
        read(zipped({"in": sink.getvalue()}), "in:link")


def test_members_of_all_archives_are_counted(read: Read) -> None:
    data = tarred({f"{i}.tar": tarred({"a": b"", "b": b"", "c": b""}) for i in range(10)})
    assert len(read(data, "*.tar:*", Limits(members=40))) == 30
    with pytest.raises(UnsafeArchiveError, match=r"^data:9.tar: .*exceeds the limit of 39 members"):
        read(data, "*.tar:*", Limits(members=39))


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_inner_bombs_are_limited(read: Read, pack: Pack) -> None:
    bomb = gzip.compress(tarred({"zeros": bytes(1_000_000)}))
    data = pack({f"{i}": bomb for i in range(5)})
    assert len(read(data, "0:*", Limits(unpacked=1_100_000))) == 1
    with pytest.raises(UnsafeArchiveError, match=r"^data.*unpacks to more than 900\.0 kB"):
        read(data, "0:*", Limits(unpacked=900_000))
    with pytest.raises(UnsafeArchiveError, match=r"^data.*unpacks to more than 3\.0 MB"):
        read(data, "*:*", Limits(unpacked=3_000_000))


def test_inner_archive_cannot_read_beyond_itself(read: Read) -> None:
    """A member that reaches beyond the end of its inner archive is damaged."""
    header = bytearray(tarred({"a": b""})[:512])
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data = tarred({"in.tar": bytes(header) + bytes(1024), "secret": b"not for in.tar"})
    with pytest.raises(ReadError, match=r"^data:in\.tar: .*ends within its member 'a'"):
        read(data, "in.tar:a")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the name of an open temporary file")
@pytest.mark.parametrize("fails", [False, True])
def test_scratch_file_has_no_name(tmp_path: Path, fails: bool) -> None:
    """The scratch folder stays empty during use, after use and after an error."""
    path, scratch = tmp_path / "f", tmp_path / "scratch"
    scratch.mkdir()
    names = ["a", "../b" if fails else "b"]
    path.write_bytes(gzip.compress(tarred(dict.fromkeys(names, os.urandom(5000)))))
    if fails:
        with (
            open_archive(path, title="data", scratch=scratch) as archive,
            pytest.raises(UnsafeArchiveError),
        ):
            archive.files("*")
    else:
        with open_archive(path, title="data", scratch=scratch) as archive:
            with archive.files("*")[0].open() as stream:
                assert len(stream.read()) == 5000
            assert list(scratch.iterdir()) == []
    assert list(scratch.iterdir()) == []
