"""Compare zip reading with Python's `zipfile`, and read zips built by hand."""

import bz2
import io
import lzma
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dshub.errors import ReadError
from dshub.testing.archives import ArchiveTests
from tests.independent import zstd

Read = Callable[..., dict[str, bytes]]
PLAIN = bytes(range(256)) * 20 + b"the end"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, **more: Any) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method, **more) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return sink.getvalue()


class Unseekable(io.BytesIO):
    """A sink that `zipfile` cannot rewind to write sizes."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def streamed(files: Mapping[str, bytes], *, large: bool = False) -> bytes:
    """Build a zip that stores sizes after the member data, in zip64 if `large`."""
    sink = Unseekable()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            with file.open(name, "w", force_zip64=large) as member:
                member.write(data)
    return sink.getvalue()


class TestZip(ArchiveTests):
    suffix = ".zip"
    members = ("b", "a/d/one.bin", "a/c", "ä")
    in_order = ("a/c", "a/d/one.bin", "b", "ä")

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return zipped(files)

    def unpack(self, data: bytes) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return {name: file.read(name) for name in file.namelist()}


class TestStoredZip(TestZip):
    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return zipped(files, zipfile.ZIP_STORED)


class TestBzip2Zip(TestZip):
    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return zipped(files, zipfile.ZIP_BZIP2)


class TestLzmaZip(TestZip):
    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return zipped(files, zipfile.ZIP_LZMA)


class TestStreamedZip(TestZip):
    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return streamed(files)


def zip_of_compressed(
    method: int, packed: bytes, data: bytes = PLAIN, *, size: int | None = None, flags: int = 0
) -> bytes:
    """Build a zip with one member `m` from compressed data."""
    numbers = (zlib.crc32(data), len(packed), len(data) if size is None else size)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, method, 0, 33, *numbers, 1, 0) + b"m"
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, flags, method, 0, 33, *numbers, 1, *[0] * 6
    )
    entry += b"m"
    front = local + packed
    return front + entry + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(front), 0)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    "data",
    [
        zip_of_compressed(0, PLAIN),
        zip_of_compressed(8, deflated(PLAIN)),
        zip_of_compressed(12, bz2.compress(PLAIN)),
        zip_of_compressed(93, zstd.compress(PLAIN)),
    ],
    ids=["stored", "deflate", "bzip2", "Zstandard"],
)
def test_every_method_is_read(read: Read, data: bytes) -> None:
    assert read(data, "m") == {"m": PLAIN}


FILES = {"a": PLAIN, "d/b": b"2"}


def with_comment(comment: bytes, files: Mapping[str, bytes] | None = None) -> bytes:
    """Build a zip with a comment at its end."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.comment = comment
        for name, data in (FILES if files is None else files).items():
            file.writestr(name, data)
    return sink.getvalue()


def zip64() -> bytes:
    """Build a zip that stores all numbers in zip64 fields."""
    data = bytearray(zipped(FILES))
    at = data.index(b"PK\1\2")
    directory, end, count = b"", data.index(b"PK\5\6"), 0
    while at < end:
        fields = list(struct.unpack_from("<4s6H3L5H2L", data, at))
        name = bytes(data[at + 46 : at + 46 + fields[10]])
        extra = struct.pack("<2H3Q", 1, 24, fields[9], fields[8], fields[16])
        fields[8] = fields[9] = fields[16] = 0xFFFFFFFF
        at += 46 + fields[10]
        fields[11] = len(extra)
        directory += struct.pack("<4s6H3L5H2L", *fields) + name + extra
        count += 1
    front = bytes(data[: data.index(b"PK\1\2")])
    second = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), len(front)
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(front) + len(directory), 1)
    first = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return front + directory + second + locator + first


@pytest.mark.parametrize(
    "data",
    [
        with_comment(b"a comment"),
        with_comment(b"x" * 65_535),
        with_comment(b"PK\5\6" * 99),
        b"#!/bin/sh\nexit 0\n" + zipped(FILES),
        b"MZ" + bytes(70_000) + zipped(FILES),
        streamed(FILES),
        streamed(FILES, large=True),
        zip64(),
        b"MZ" + bytes(5000) + zip64(),
        zipped({"d/": b"", **FILES, "e/": b""}),
        zipped({"./a": PLAIN, "d//b": b"2"}),
    ],
    ids=[
        "comment",
        "longest comment",
        "comment with ends in it",
        "behind a script",
        "behind a long program",
        "streamed",
        "streamed, zip64",
        "zip64",
        "zip64 behind a program",
        "folders",
        "names with ./",
    ],
)
def test_unusual_valid_files_are_read(read: Read, data: bytes) -> None:
    assert read(data, "*") == FILES


@pytest.mark.slow
def test_more_than_65535_members_are_read(read: Read) -> None:
    """Readers without zip64 see the number of members modulo 65,536."""
    files = {f"{i:06}": b"" for i in range(70_000)}
    archive = zipped(files, zipfile.ZIP_STORED)
    assert list(read(archive, "*")) == list(files)
    front, old = archive[: archive.index(b"PK\6\6")], bytearray(archive[-22:])
    place = front.index(b"PK\1\2")
    numbers = (70_000 - 65_536,) * 2, (len(front) - place, place)
    old[8:20] = struct.pack("<2H2L", *numbers[0], *numbers[1])
    assert list(read(front + bytes(old), "*")) == list(files)


def test_non_ascii_names_are_read(read: Read) -> None:
    plain = zipped({"m": b"1"})
    assert read(zipped({"ä/ж": b"1"}), "*") == {"ä/ж": b"1"}
    assert read(plain.replace(b"m", b"\x84"), "*") == {"ä": b"1"}
    extra = struct.pack("<2HBL", 0x7075, 7, 1, zlib.crc32(b"?")) + "ж".encode()
    sink = io.BytesIO()
    info = zipfile.ZipInfo("?")
    info.extra = extra
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr(info, b"1")
    assert read(sink.getvalue(), "*") == {"ж": b"1"}


def overwrite_field(
    at: int, field: bytes, mark: bytes = b"PK\5\6", data: bytes | None = None
) -> bytes:
    """Overwrite a field at an offset from a signature in a zip."""
    archive = bytearray(data or zipped(FILES))
    place = archive.index(mark) + at
    archive[place : place + len(field)] = field
    return bytes(archive)


END = zipped(FILES).index(b"PK\5\6")
DAMAGE = {
    "no end": (zipped(FILES)[:END], "directory is missing"),
    "trailing bytes": (zipped(FILES) + b"rubbish", "directory is missing"),
    "comment cut": (with_comment(b"a comment")[:-1], "directory is missing"),
    "two ends": (with_comment(zipped(FILES)[END:]), "two possible directories"),
    "several parts": (overwrite_field(4, b"\1\0\1\0"), "a multi-part archive"),
    "more members than there are": (overwrite_field(10, b"\3\0"), "declares 3 members"),
    "fewer members than there are": (overwrite_field(10, b"\1\0"), "declares 1 members"),
    "directory too long": (overwrite_field(12, b"\xff\xff"), "Bad offset"),
    "directory too short": (overwrite_field(12, b"\1\0"), "."),
    "directory elsewhere": (overwrite_field(16, b"\0\0\0\x7f"), "offset is negative"),
    "no directory": (overwrite_field(0, b"XX", b"PK\1\2"), "Bad magic number"),
    "no member": (overwrite_field(0, b"XX", b"PK\3\4"), "header of the member 'a' is missing"),
    "a member behind the end": (
        overwrite_field(42, b"\xff\xff\xff\x7f", b"PK\1\2"),
        "header of the member 'a' is missing",
    ),
    "zip64 without its field": (
        overwrite_field(0, b"\2", struct.pack("<2H", 1, 24), zip64()),
        "header of the member 'a' is missing",
    ),
    "zip64 without its second end": (overwrite_field(0, b"XX", b"PK\6\6", zip64()), "Bad offset"),
    "two ends that disagree": (
        overwrite_field(10, b"\1\0", b"PK\5\6", zip64()),
        "declares 1 members",
    ),
    "a name that is not UTF-8": (
        zipped({"ä": b"1"}).replace("ä".encode(), b"\xff\xff"),
        "can't decode byte",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_directory_is_an_error(read: Read, kind: str) -> None:
    data, message = DAMAGE[kind]
    with pytest.raises(ReadError, match=f"^data: it is .*{message}"):
        read(data, "*")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zip_of_compressed(8, deflated(PLAIN), size=len(PLAIN) + 1), "fewer bytes"),
        (zip_of_compressed(8, deflated(PLAIN), size=len(PLAIN) - 1), "more bytes"),
        (zip_of_compressed(8, deflated(PLAIN) + b"rubbish"), "more data follows"),
        (zip_of_compressed(8, deflated(PLAIN)[:-1]), "truncated"),
        (zip_of_compressed(8, deflated(PLAIN[:-1] + b"!")), "CRC-32"),
        (zip_of_compressed(8, b"\xff" * 50), "."),
        (zip_of_compressed(0, PLAIN, size=len(PLAIN) + 1), "fewer bytes"),
        (zip_of_compressed(0, PLAIN, size=len(PLAIN) - 1), "more bytes"),
        (zip_of_compressed(0, PLAIN[:-1] + b"!"), "CRC-32"),
        (zip_of_compressed(12, bz2.compress(PLAIN) * 2), "more data follows"),
        (zip_of_compressed(12, b"BZh9 no bzip2"), "."),
        (zip_of_compressed(14, b"\0\0\5\0\x5d\xff\xff\xff\xff" + bytes(50)), "Memory usage limit"),
        (zip_of_compressed(14, b"\0\0\5\0\xff\0\0\1\0" + bytes(50)), "."),
        (zip_of_compressed(14, b"\0\0\xff\0"), "."),
        (zip_of_compressed(93, b"no Zstandard"), "."),
    ],
)
def test_damaged_member_is_an_error(read: Read, data: bytes, message: str) -> None:
    with pytest.raises(ReadError, match=f"^data:m: it is damaged: .*{message}"):
        read(data, "m")


def test_unknown_method_is_refused_only_when_read(read: Read) -> None:
    data = zipped({"a": PLAIN, "odd": PLAIN}, zipfile.ZIP_STORED)
    last = data.rindex(b"PK\3\4"), data.rindex(b"PK\1\2")
    odd = bytearray(data)
    odd[last[0] + 8 : last[0] + 10] = odd[last[1] + 10 : last[1] + 12] = b"\x09\x00"
    assert read(bytes(odd), "a") == {"a": PLAIN}
    with pytest.raises(ReadError, match="data:odd: it is compressed with method 9"):
        read(bytes(odd), "*")


def test_compressed_zip_is_read(read: Read) -> None:
    assert read(lzma.compress(zipped(FILES)), "*") == FILES


def test_tar_ending_with_a_zip_is_a_tar(read: Read) -> None:
    import tarfile

    sink, inner = io.BytesIO(), zipped(FILES)
    with tarfile.open(fileobj=sink, mode="w") as file:
        info = tarfile.TarInfo("inner.zip")
        info.size = len(inner)
        file.addfile(info, io.BytesIO(inner))
    assert read(sink.getvalue(), "*") == {"inner.zip": inner}


def test_closing_leaves_no_file_open(tmp_path: Any) -> None:
    path = tmp_path / "f"
    path.write_bytes(zipped(FILES))
    code = (
        "import sys, pathlib, dshub.archives as a\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "for member in ['*', 'none']:\n"
        "    try:\n"
        "        with a.open_files(path, title='t', member=member) as files:\n"
        "            for file in files:\n"
        "                with file.open() as stream:\n"
        "                    stream.read(1)\n"
        "    except a.ReadError:\n"
        "        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, str(path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "ResourceWarning" not in done.stderr


def test_empty_zip_is_an_error(read: Read) -> None:
    for data in (zipped({}), with_comment(b"nothing here", {})):
        for member in ("a", "*"):
            with pytest.raises(ReadError, match=r"^data: it has no (member|file)"):
                read(data, member)
