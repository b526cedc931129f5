"""Compare tar reading with Python's `tarfile`, and read tars built by hand."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dshub.archives import container_for, open_archive, open_files
from dshub.errors import ReadError
from dshub.testing.archives import ArchiveTests
from tests.independent import zstd

Read = Callable[..., dict[str, bytes]]
LONG = "/".join(["a folder with a long name"] * 12) + "/file"
MEMBERS = ("b", "a/d/one.bin", "a/c", LONG)
END = bytes(1024)


def tarred(files: Mapping[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """Build a tar that ends with one block of zeros and no padding."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        end = sink.tell()
    return sink.getvalue()[: end + 512]


def header(
    name: bytes, size: int | bytes = 0, kind: bytes = b"0", magic: bytes = b"ustar\x0000"
) -> bytes:
    """Build a tar header from its fields."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + field.ljust(12, b"\0")
    block += b"00000000000\0" + b" " * 8 + kind + bytes(100) + magic
    block = block.ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def entry(name: bytes, data: bytes = b"", kind: bytes = b"0", **more: bytes) -> bytes:
    """Build a tar header and the padded data that follows it."""
    return header(name, len(data), kind, **more) + data + bytes(-len(data) % 512)


class TarTests(ArchiveTests):
    """Tests of plain and compressed tars."""

    members = MEMBERS
    in_order = MEMBERS
    form = tarfile.GNU_FORMAT

    def pack(self, files: Mapping[str, bytes]) -> bytes:
        return self.compress(tarred(files, self.form))

    def unpack(self, data: bytes) -> dict[str, bytes]:
        contents = {}
        with tarfile.open(fileobj=io.BytesIO(self.decompress(data))) as file:
            for info in file:
                content = file.extractfile(info)
                assert content is not None
                contents[info.name] = content.read()
        return contents

    def compress(self, data: bytes) -> bytes:
        return data

    def decompress(self, data: bytes) -> bytes:
        return data


class TestTar(TarTests):
    suffix = ".tar"
    guarded = False  # tar has checksums of headers only

    def test_truncated_archive_is_an_error(self, tmp_path: Path) -> None:
        data, path = self.pack(self.content()), tmp_path / "data"
        for length in range(self.recognized, len(data), 13):
            path.write_bytes(data[:length])
            if length % 512:
                with pytest.raises(ReadError, match=r"^the-archive: "):
                    self.read(path)


class TestPaxTar(TestTar):
    form = tarfile.PAX_FORMAT
    members = ("z", "ä/ö", "a", LONG)
    in_order = members


class TestTarGz(TarTests):
    suffix = ".tar.gz"

    def compress(self, data: bytes) -> bytes:
        return gzip.compress(data)

    def decompress(self, data: bytes) -> bytes:
        return gzip.decompress(data)


class TestTarBz2(TarTests):
    suffix = ".tar.bz2"

    def compress(self, data: bytes) -> bytes:
        return bz2.compress(data)

    def decompress(self, data: bytes) -> bytes:
        return bz2.decompress(data)


class TestTarXz(TarTests):
    suffix = ".tar.xz"

    def compress(self, data: bytes) -> bytes:
        return lzma.compress(data, preset=0)

    def decompress(self, data: bytes) -> bytes:
        return lzma.decompress(data)


class TestTarZst(TarTests):
    suffix = ".tar.zst"

    def compress(self, data: bytes) -> bytes:
        frame: bytes = zstd.compress(data, checksum=True)
        return frame

    def decompress(self, data: bytes) -> bytes:
        plain: bytes = zstd.decompress(data)
        return plain


@pytest.mark.parametrize(
    "name", ["x.tgz", "x.taz", "x.tbz2", "x.tbz", "x.txz", "x.tzst", "X.TAR.GZ", "x.v1.tar.zst"]
)
def test_short_suffixes_choose_the_compression(tmp_path: Path, name: str) -> None:
    path, piece = tmp_path / name, tmp_path / "piece"
    piece.write_bytes(b"1")
    packing = container_for(name)
    assert packing is not None
    packing.write_members(path, [("b", piece), ("a", piece)])
    with open_archive(path, title="data") as archive:
        assert [file.member for file in archive.files("*")] == ["b", "a"]
    # a plain tar would start with the name of its first member
    assert not path.read_bytes().startswith(b"b\0")


TWO = {"d/a": b"1" * 600, "b": b"2"}
PAIR = entry(b"d/a", b"1" * 600) + entry(b"b", b"2")


def record(key: bytes, value: bytes) -> bytes:
    """Build a record of a PAX header."""
    content = b" " + key + b"=" + value + b"\n"
    length = len(content) + len(str(len(content)))
    length = len(content) + len(str(length))
    return str(length).encode() + content


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PAIR + END, TWO),
        (PAIR + bytes(512), TWO),
        (PAIR, TWO),
        (PAIR + bytes(10_240 - len(PAIR)), TWO),
        (PAIR + bytes(200_000), TWO),
        (entry(b"d/a", b"1" * 600, b"\0", magic=b"") + entry(b"b", b"2", b"\0", magic=b"")
         + END, TWO),
        (entry(b"./d/a", b"1" * 600) + entry(b".//b", b"2") + END, TWO),
        (entry(b"./", kind=b"5") + entry(b"d/", kind=b"5") + PAIR + END, TWO),
        (entry(b"d/", kind=b"\0", magic=b"") + PAIR + entry(b"d/", kind=b"5") + END, TWO),
        (entry(b"d/a", b"1" * 600, b"7") + entry(b"b", b"2") + END, TWO),
        (entry(b"", record(b"comment", b"of git"), b"g") + PAIR + END, TWO),
        (entry(b"x", record(b"mtime", b"1.5") + record(b"path", b"d/a"), b"x")
         + entry(b"short", b"1" * 600) + entry(b"b", b"2") + END, TWO),
        (entry(b"x", record(b"size", b"600"), b"x") + header(b"d/a") + b"1" * 600 + bytes(424)
         + entry(b"b", b"2") + END, TWO),
        (entry(b"././@LongLink", b"d/a\0", b"L") + entry(b"short", b"1" * 600)
         + entry(b"b", b"2") + END, TWO),
        (entry(b"././@LongLink", b"target\0", b"K") + header(b"l", kind=b"2") + PAIR + END, TWO),
        (header(b"d/a", b"\x80" + bytes(9) + b"\x02\x58") + b"1" * 600 + bytes(424)
         + entry(b"b", b"2") + END, TWO),
        (header(b"d/a", b"      1130 ") + b"1" * 600 + bytes(424) + entry(b"b", b"2") + END, TWO),
        (header(b"l", 600, b"1") + PAIR + END, TWO),
        (entry(b"a volume", kind=b"V") + PAIR + END, TWO),
    ],
    ids=["two blocks of zeros", "one block of zeros", "no zeros", "a full record", "many zeros",
         "v7", "names with ./", "folders", "folders of v7, and twice", "contiguous",
         "global header", "PAX name", "PAX size", "GNU name", "GNU target of a link", "binary size",
         "size with spaces", "a link with the size of its target", "a volume header"],
)  # fmt: skip
@pytest.mark.parametrize("compress_or_copy", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_unusual_valid_files_are_read(
    read: Read, data: bytes, expected: dict[str, bytes], compress_or_copy: Callable[[bytes], bytes]
) -> None:
    contents = {name: read(compress_or_copy(data), name)[name] for name in expected}
    assert contents == expected


def test_name_prefix_is_read_in_ustar_only(read: Read) -> None:
    block = bytearray(header(b"name", 1))
    block[345:351] = b"folder"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert read(bytes(block) + b"1" + bytes(511) + END, "*") == {"folder/name": b"1"}
    block = bytearray(header(b"name", 1, magic=b"ustar  \0"))
    block[345:356] = b"14724637154"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert read(bytes(block) + b"1" + bytes(511) + END, "*") == {"name": b"1"}


def test_signed_checksums_are_accepted(read: Read) -> None:
    block = header("ä".encode(), 1)
    total = sum(byte - 256 * (byte > 127) for byte in block[:148] + b" " * 8 + block[156:])
    block = block[:148] + b"%06o\0 " % total + block[156:]
    assert read(block + b"1" + bytes(511) + END, "*") == {"ä": b"1"}


@pytest.mark.parametrize("kind", ["holes of GNU", "holes of GNU in PAX"])
def test_sparse_member_is_refused_only_when_read(read: Read, kind: str) -> None:
    if kind == "holes of GNU":
        block = bytearray(header(b"holes", 3, b"S", magic=b"ustar  \0"))
        block[482] = 1
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        more = bytes(504) + b"\1" + bytes(7)
        data = bytes(block) + more + bytes(512) + b"abc" + bytes(509)
    else:
        records = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.name", b"holes")
        data = entry(b"x", records, b"x") + entry(b"GNUSparseFile.1/holes", b"abc")
    data += entry(b"good", b"1") + END
    assert read(data, "good") == {"good": b"1"}
    with pytest.raises(ReadError, match="data:holes: it is a sparse file"):
        read(data, "holes")


BROKEN = bytearray(PAIR + END)
BROKEN[1024 + 512 + 5] ^= 1
DAMAGE = {
    "cut in a header": (PAIR[:-1000], "truncated header at byte 1,536"),
    "cut in a member": (PAIR[:-100], "ends within its member 'b'"),
    "a changed header": (bytes(BROKEN), "bad checksum at byte 1,536"),
    "trailing bytes": (PAIR + END + b"rubbish", "more data follows its end"),
    "two tars in a row": (PAIR + END + PAIR + END, "more data follows its end"),
    "a member longer than the file": (header(b"a", 1 << 30) + END, "ends within its member 'a'"),
    "a member of exabytes": (
        header(b"a", b"\x80" + b"\xff" * 11) + END,
        "ends within its member 'a'",
    ),
    "negative size": (header(b"a", b"\xff" * 12) + END, "size of a member is negative at byte 0"),
    "a size in words": (PAIR + header(b"a", b"hundred") + END, "invalid header at byte 2,560"),
    "a long name at the end": (entry(b"x", b"name\0", b"L") + END, "after an extended header"),
    "an endless long name": (header(b"x", 1 << 30, b"L") + END, "has 1,073,741,824 bytes"),
    "a long name cut": (entry(b"x", b"name\0", b"L")[:-510], "within a header"),
    "a PAX record without an end": (
        entry(b"x", b"9 path=a", b"x") + PAIR + END,
        "header is malformed",
    ),
    "a PAX record of no length": (
        entry(b"x", b"0 path=a\n", b"x") + PAIR + END,
        "header is malformed",
    ),
    "a PAX record in words": (entry(b"x", b"path=a\n", b"x") + PAIR + END, "header is malformed"),
    "a PAX record too long": (
        entry(b"x", b"99 path=a\n", b"x") + PAIR + END,
        "header is malformed",
    ),
    "a PAX size in words": (
        entry(b"x", record(b"size", b"-1"), b"x") + PAIR + END,
        "header is malformed",
    ),
    "a name for all members": (
        entry(b"x", record(b"path", b"a"), b"g") + PAIR + END,
        "name or size of all members",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("compress_or_copy", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_damage_is_an_error(
    read: Read, kind: str, compress_or_copy: Callable[[bytes], bytes]
) -> None:
    data, message = DAMAGE[kind]
    with pytest.raises(ReadError, match=f"^data: it is damaged: .*{message}"):
        read(compress_or_copy(data), "*")


def test_file_cut_after_opening_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(PAIR + END)
    with open_files(path, title="data", member="*") as files:
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(ReadError, match=r"^data:d/a: it is damaged"), files[0].open() as stream:
            stream.read()


def test_compressed_tar_is_read_once(tmp_path: Path) -> None:
    """Replacing the file later does not change the members."""
    path = tmp_path / "f"
    path.write_bytes(gzip.compress(PAIR + END))
    with open_archive(path, title="data") as archive:
        archive.files("b")
        path.write_bytes(b"something else")
        for _ in range(2):
            contents = {}
            for file in archive.files("*"):
                with file.open() as stream:
                    contents[file.member] = stream.read()
            assert contents == TWO


@pytest.mark.parametrize("compress_or_copy", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_two_references_share_an_archive(
    tmp_path: Path, compress_or_copy: Callable[[bytes], bytes]
) -> None:
    """Images and labels of one tar can be read alternately."""
    path = tmp_path / "f"
    files = {f"{kind}/{i}": f"{kind} {i}".encode() * 99 for kind in "xy" for i in range(50)}
    path.write_bytes(compress_or_copy(tarred(files)))
    with open_archive(path, title="data") as archive:
        pairs = zip(archive.files("x/*"), archive.files("y/*"), strict=True)
        for i, (one, other) in enumerate(pairs):
            with one.open() as x, other.open() as y:
                assert (x.read(), y.read()) == (f"x {i}".encode() * 99, f"y {i}".encode() * 99)
