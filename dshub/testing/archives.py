"""Conformance suite for archive kinds."""

import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dshub.archives import container_for, open_files, stream_for
from dshub.archives._opened import ArchiveFile
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError

TITLE = "the-archive"
MAX_OFFSETS = 500  # offsets at which to truncate or change a file


class ArchiveTests(ABC):
    """Suite for an archive kind, compared with another program or library.

    Attributes:
        suffix: file name suffix of the kind.
        members: member names to pack, not sorted; a compressed stream has one empty name.
        in_order: member names, in the order that dshub reads them.
        guarded: True if the kind stores checksums of its content.
        recognized: minimum number of bytes to recognize the kind.
    """

    suffix: str
    members: Sequence[str] = ("",)
    in_order: Sequence[str] = ("",)
    guarded: bool = True
    recognized: int = 0

    @abstractmethod
    def pack(self, files: Mapping[str, bytes]) -> bytes:
        """Write an archive with another program or library."""

    @abstractmethod
    def unpack(self, data: bytes) -> dict[str, bytes]:
        """Read the members of an archive with another program or library."""

    def content(self, size: int = 150) -> dict[str, bytes]:
        """Return different content of `size` bytes for each member."""
        return {
            member: bytes((i * (k + 7) ^ (i >> 5)) & 0xFF for i in range(size))
            for k, member in enumerate(self.members)
        }

    def packed(self, folder: Path, size: int = 150, *, name: str = "data") -> Path:
        """Write an archive with another program or library, and return its path."""
        path = folder / name
        path.write_bytes(self.pack(self.content(size)))
        return path

    @contextmanager
    def files(self, path: Path, limits: Limits | None = None) -> Iterator[list[ArchiveFile]]:
        """Open all members of an archive."""
        member = "*" if self.members[0] else ""
        with open_files(path, title=TITLE, member=member, limits=limits) as files:
            yield files

    def read(self, path: Path) -> dict[str, bytes]:
        """Read all members of an archive with dshub."""
        contents = {}
        with self.files(path) as files:
            for file in files:
                with file.open() as stream:
                    contents[file.member] = stream.read()
        return contents

    def write(self, path: Path, files: Mapping[str, bytes]) -> None:
        """Write an archive with dshub."""
        container, stream = container_for(f"x{self.suffix}"), stream_for(f"x{self.suffix}")
        if container is None:
            assert stream is not None, f"no kind writes {self.suffix}"
            with path.open("wb") as raw, stream.write(raw) as sink:
                sink.write(files[""])
            return
        folder = path.parent / f"{path.name}.members"
        folder.mkdir()
        for number, data in enumerate(files.values()):
            (folder / str(number)).write_bytes(data)
        container.write_members(
            path, [(member, folder / str(number)) for number, member in enumerate(files)]
        )

    @pytest.mark.parametrize("name", ["data", "data.txt", "data.zip", "data.tar.gz", "data.xz"])
    @pytest.mark.parametrize("size", [0, 1, 150, 300_000])
    def test_reads_archives_of_other_programs(self, tmp_path: Path, name: str, size: int) -> None:
        assert self.read(self.packed(tmp_path, size, name=name)) == self.content(size)

    @pytest.mark.parametrize("size", [0, 150, 300_000])
    def test_other_programs_read_its_archives(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "data"
        self.write(path, self.content(size))
        assert self.unpack(path.read_bytes()) == self.read(path) == self.content(size)

    def test_same_files_give_the_same_bytes(self, tmp_path: Path) -> None:
        # archives must not contain timestamps or paths on disk
        self.write(tmp_path / "one", self.content())
        self.write(tmp_path / "other", self.content())
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    def test_members_come_in_the_promised_order(self, tmp_path: Path) -> None:
        with self.files(self.packed(tmp_path)) as files:
            assert [file.member for file in files] == list(self.in_order)

    @pytest.mark.parametrize("size", [1, 7, 1 << 20])
    def test_reads_of_every_size_give_the_same_bytes(self, tmp_path: Path, size: int) -> None:
        with self.files(self.packed(tmp_path, 2000)) as files:
            for file in files:
                with file.open() as stream:
                    pieces = list(iter(lambda: stream.read(size), b""))
                assert b"".join(pieces) == self.content(2000)[file.member]
                buffer = bytearray(2001)
                with file.open() as stream:
                    count = stream.readinto(buffer)  # type: ignore[attr-defined]
                assert buffer[:count] == self.content(2000)[file.member]

    def test_members_can_be_read_in_any_order_and_together(self, tmp_path: Path) -> None:
        with self.files(self.packed(tmp_path, 2000)) as files:
            for file in [*reversed(files), *files, *reversed(files)]:
                with file.open() as stream:
                    assert stream.read(700) == self.content(2000)[file.member][:700]
            with ExitStack() as stack:
                streams = [stack.enter_context(file.open()) for file in files]
                rounds = [[stream.read(500) for stream in streams] for _ in range(4)]
            for file, pieces in zip(files, zip(*rounds, strict=True), strict=True):
                assert b"".join(pieces) == self.content(2000)[file.member]

    @pytest.mark.parametrize("outer", [".gz", ".bz2", ".xz", ".zst"])
    def test_compressed_members_come_out_plain(self, tmp_path: Path, outer: str) -> None:
        stream, inside = stream_for(outer), {}
        assert stream is not None
        for member, data in self.content(2000).items():
            with (tmp_path / "piece").open("wb") as raw, stream.write(raw) as sink:
                sink.write(data)
            inside[member] = (tmp_path / "piece").read_bytes()
        path = tmp_path / "data"
        path.write_bytes(self.pack(inside))
        assert self.read(path) == self.content(2000)

    def test_reading_unpacks_nothing_to_disk(self, tmp_path: Path) -> None:
        path = self.packed(tmp_path)
        self.read(path)
        assert list(tmp_path.iterdir()) == [path]

    def test_missing_member_is_an_error(self, tmp_path: Path) -> None:
        path = self.packed(tmp_path)
        with (
            pytest.raises(ReadError, match=f"^{TITLE}: .*'no/such member'"),
            open_files(path, title=TITLE, member="no/such member"),
        ):
            pass

    def test_truncated_archive_is_an_error(self, tmp_path: Path) -> None:
        path = self.packed(tmp_path)
        data = path.read_bytes()
        for length in range(self.recognized, len(data), 1 + len(data) // MAX_OFFSETS):
            path.write_bytes(data[:length])
            with pytest.raises(ReadError, match=f"^{TITLE}"):
                self.read(path)

    @pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
    def test_changed_byte_is_harmless_or_an_error(self, tmp_path: Path, flip: int) -> None:
        path, expected = self.packed(tmp_path), self.content()
        data = path.read_bytes()
        for offset in range(self.recognized, len(data), 1 + len(data) // MAX_OFFSETS):
            path.write_bytes(data[:offset] + bytes([data[offset] ^ flip]) + data[offset + 1 :])
            contents, message = expected, TITLE
            try:
                contents = self.read(path)
            except (ReadError, UnsafeArchiveError) as error:
                message = str(error)
            assert message.startswith(TITLE)
            if self.guarded:
                assert contents == expected
            assert [len(data) for data in contents.values()] == [150] * len(expected)

    def test_bomb_ends_at_its_limit(self, tmp_path: Path) -> None:
        path = tmp_path / "data"
        path.write_bytes(self.pack(dict.fromkeys(self.members, bytes(3_000_000))))
        sizes: list[int] = []

        def read_all() -> None:
            with self.files(path, Limits(unpacked=1_000_000)) as files:
                for file in files:
                    with file.open() as stream:
                        sizes.extend(map(len, iter(lambda: stream.read(1000), b"")))

        with pytest.raises(UnsafeArchiveError, match=f"^{TITLE}.*unpacks to more than") as caught:
            read_all()
        assert sum(sizes) <= 1_000_000
        assert "limits" in caught.value.hint

    def test_large_member_is_read_in_little_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "data"
        path.write_bytes(self.pack({self.members[0]: bytes(30_000_000)}))
        with self.files(path) as (file,):
            tracemalloc.start()
            with file.open() as stream:
                count = sum(len(piece) for piece in iter(lambda: stream.read(1 << 16), b""))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert count == 30_000_000
        assert peak < 20_000_000  # the LZMA dictionary alone needs 8 MB
