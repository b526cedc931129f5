"""Files inside files: what they hold, and what damage to them looks like."""

import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dshub.archives import open_files, open_stream
from dshub.errors import ReadError, UnsafeArchiveError

PLAIN = bytes(range(256)) * 200 + b"the end"


def read(path: Path, member: str = "") -> bytes:
    """All bytes of the only file that a reference means."""
    (file,) = open_files(path, title="data", member=member)
    with file.open() as stream:
        return stream.read()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with those members."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return sink.getvalue()


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "gzip in two members": lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]),
    "gzip of which a member is empty": lambda data: gzip.compress(b"") + gzip.compress(data),
    "gzip with zero bytes behind": lambda data: gzip.compress(data) + bytes(1000),
    "xz in two streams": lambda data: lzma.compress(data[:99]) + lzma.compress(data[99:]),
    "xz with padding": lambda data: lzma.compress(data[:9]) + bytes(8) + lzma.compress(data[9:]),
    "xz with zero bytes behind": lambda data: lzma.compress(data) + bytes(100_000),
    "xz in gzip": lambda data: gzip.compress(lzma.compress(data)),
    "gzip in xz": lambda data: lzma.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("name", ["data", "data.gz", "data.xz", "data.zip"])
@pytest.mark.parametrize("data", [PLAIN, b""], ids=["bytes", "nothing"])
def test_a_stream_is_told_by_its_content(tmp_path: Path, kind: str, name: str, data: bytes) -> None:
    """Whatever a file's name says, its bytes come out plain."""
    path = tmp_path / name
    path.write_bytes(STREAMS[kind](data))
    assert read(path) == data
    with open_stream(path) as stream:
        assert stream.read() == data


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_streams_inside_a_zip(tmp_path: Path, kind: str, method: int) -> None:
    """A member of a zip is read in place, with its own compression removed."""
    path = tmp_path / "no-suffix"
    path.write_bytes(zipped({"a/one.gz": STREAMS[kind](PLAIN), "two": b"2"}, method))
    assert read(path, "a/one.gz") == PLAIN
    assert read(path, "two") == b"2"
    assert [found.name for found in tmp_path.iterdir()] == ["no-suffix"]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("kind", STREAMS)
def test_reading_piece_by_piece(tmp_path: Path, kind: str, size: int) -> None:
    """`read(size)` and `readinto` give the same bytes as one large read."""
    path = tmp_path / "data"
    path.write_bytes(STREAMS[kind](PLAIN[:2000]))
    with open_stream(path) as stream:
        pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == PLAIN[:2000]
    buffer = bytearray(2000)
    with open_stream(path) as stream:
        filled = 0
        while count := stream.readinto(memoryview(buffer)[filled : filled + size]):  # type: ignore[attr-defined]
            filled += count
    assert bytes(buffer) == PLAIN[:2000]


WRAPPED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, ""),
    "xz": (lzma.compress, ""),
    "xz in two streams": (STREAMS["xz in two streams"], ""),
    "gzip in two members": (STREAMS["gzip in two members"], ""),
    "zip": (lambda data: zipped({"m": data}), "m"),
    "stored zip": (lambda data: zipped({"m": data}, zipfile.ZIP_STORED), "m"),
    "xz-like zip": (lambda data: zipped({"m": data}, zipfile.ZIP_LZMA), "m"),
    "bzip2 zip": (lambda data: zipped({"m": data}, zipfile.ZIP_BZIP2), "m"),
    "gzip in zip": (lambda data: zipped({"m": gzip.compress(data)}, zipfile.ZIP_STORED), "m"),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_cut_short_is_an_error_that_names_the_file(tmp_path: Path, kind: str) -> None:
    """However little is missing at the end, nothing passes for the whole."""
    wrap, member = WRAPPED[kind]
    whole = wrap(PLAIN)
    first_stream = len(wrap(PLAIN)) - len(lzma.compress(PLAIN[99:]))
    path = tmp_path / "f"
    for length in {20, 100, len(whole) // 2, len(whole) - 9, len(whole) - 4, len(whole) - 1}:
        if length in {first_stream, len(gzip.compress(PLAIN[:99]))}:
            continue  # what is left is a file of its own
        path.write_bytes(whole[:length])
        with pytest.raises(ReadError, match=r"^data"):
            read(path, member)


@pytest.mark.parametrize("kind", WRAPPED)
@settings(max_examples=150)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_never_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: float, flip: int
) -> None:
    """One wrong byte gives the right data all the same, or a ReadError: nothing else."""
    wrap, member = WRAPPED[kind]
    whole = bytearray(wrap(PLAIN[:3000]))
    at = int(place * len(whole))
    whole[at] ^= flip
    path = tmp_path_factory.mktemp("changed") / "f"
    path.write_bytes(whole)
    found: bytes | str
    try:
        found = read(path, member)
    except (ReadError, UnsafeArchiveError) as error:
        found = str(error)
    magic = 3 if kind.startswith("gzip") else 6
    if isinstance(found, str):
        assert found.startswith("data")
    elif at < magic and not member:
        assert found == whole  # no longer of that kind: then it is a plain file
    else:
        assert found == PLAIN[:3000]


def test_what_follows_a_stream_must_be_one(tmp_path: Path) -> None:
    """Rubbish behind a compressed stream is damage, not the end."""
    path = tmp_path / "f"
    for compress in (gzip.compress, lzma.compress):
        path.write_bytes(compress(PLAIN) + b"rubbish")
        with pytest.raises(ReadError, match="data: it is damaged"):
            read(path)


def test_layers_without_end_are_refused(tmp_path: Path) -> None:
    """A file that would unpack to itself for ever is given up."""
    data = PLAIN
    for _ in range(20):
        data = gzip.compress(data)
    path = tmp_path / "f"
    path.write_bytes(data)
    with pytest.raises(ReadError, match="compressed more than"):
        read(path)


def test_members_by_pattern_are_sorted(tmp_path: Path) -> None:
    """A pattern means every member that fits, in the order of the names, folders left out."""
    path = tmp_path / "f"
    path.write_bytes(
        zipped({"d/": b"", "d/b.gz": b"b", "d/a.gz": b"a", "e/a.gz": b"", "d/a[1]": b"1"})
    )
    found = open_files(path, title="data", member="d/?.gz")
    assert [file.name for file in found] == ["data:d/a.gz", "data:d/b.gz"]
    assert [file.name for file in open_files(path, title="data", member="*.gz")] == [
        "data:d/a.gz",
        "data:d/b.gz",
        "data:e/a.gz",
    ]
    assert read(path, "d/a[1]") == b"1"


@pytest.mark.parametrize("member", ["nothing", "d/*", "A"])
def test_a_member_that_is_not_there(tmp_path: Path, member: str) -> None:
    """The error names the archive and the member."""
    path = tmp_path / "f"
    path.write_bytes(zipped({"a": b"1"}))
    with pytest.raises(ReadError, match="data: it holds no member") as caught:
        open_files(path, title="data", member=member)
    assert repr(member) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK", PLAIN, gzip.compress(PLAIN)])
def test_members_of_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    """A file without members is told apart from a member that is missing."""
    path = tmp_path / "f.zip"
    path.write_bytes(content)
    with pytest.raises(ReadError, match="data: it is no archive"):
        open_files(path, title="data", member="a")


@pytest.mark.parametrize(
    "name", ["../a", "d/../../a", "/etc/passwd", "..\\a", "\\a", "C:/a", "C:a", "d\\..\\..\\a"]
)
def test_a_member_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    """Such an archive is refused as a whole, and the error names archive and member."""
    path = tmp_path / "f"
    path.write_bytes(zipped({"good": b"1", name: b"2"}))
    with pytest.raises(UnsafeArchiveError, match="leads out of the archive") as caught:
        open_files(path, title="data", member="good")
    assert (caught.value.archive, caught.value.member) == ("data", name)
    assert caught.value.exit_code == 5


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice(tmp_path: Path) -> None:
    """Two members of one name are refused: which is meant cannot be known."""
    path = tmp_path / "f"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", b"1")
        file.writestr("a", b"2")
    with pytest.raises(UnsafeArchiveError, match="data: member 'a' is in it twice"):
        open_files(path, title="data", member="a")


def test_an_encrypted_member(tmp_path: Path) -> None:
    """Its flag, in the directory at the end of the file, is enough to refuse it."""
    data = bytearray(zipped({"secret": b"1"}))
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1
    path = tmp_path / "f"
    path.write_bytes(data)
    with pytest.raises(UnsafeArchiveError, match="data: member 'secret' is encrypted"):
        open_files(path, title="data", member="secret")


def test_a_member_without_a_name(tmp_path: Path) -> None:
    """It is refused like any other that cannot be told apart."""
    path = tmp_path / "f"
    path.write_bytes(zipped({"good": b"1", "x": b"2"}).replace(b"x", b"\0"))
    with pytest.raises(UnsafeArchiveError, match="data: member '' has no name"):
        open_files(path, title="data", member="good")
