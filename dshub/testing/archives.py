"""What every archive kind must do."""

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
PLACES = 500  # at most so many bytes of a file are cut away or changed in turn


class ArchiveTests(ABC):
    """Subclass it, and say how others read and write the kind.

    Attributes:
        suffix: the ending of a name that tells of the kind.
        members: names of members, in the order of the archive and not in that of their names; a
            stream has one without a name.
        in_order: members in the order in which readers get them.
        guarded: whether the kind keeps checksums of its content.
        recognised: bytes that a file must have to be of the kind at all.
    """

    suffix: str
    members: Sequence[str] = ("",)
    in_order: Sequence[str] = ("",)
    guarded: bool = True
    recognised: int = 0

    @abstractmethod
    def pack(self, files: Mapping[str, bytes]) -> bytes:
        """An archive with these members, made by another program or library."""

    @abstractmethod
    def unpack(self, data: bytes) -> dict[str, bytes]:
        """What another program or library finds in an archive."""

    def content(self, size: int = 150) -> dict[str, bytes]:
        """Members, all different, each of so many bytes."""
        return {
            member: bytes((i * (k + 7) ^ (i >> 5)) & 0xFF for i in range(size))
            for k, member in enumerate(self.members)
        }

    @contextmanager
    def files(self, path: Path, limits: Limits | None = None) -> Iterator[list[ArchiveFile]]:
        """All files of an archive."""
        member = "*" if self.members[0] else ""
        with open_files(path, title=TITLE, member=member, limits=limits) as found:
            yield found

    def read(self, path: Path) -> dict[str, bytes]:
        """All members of an archive, read one after the other."""
        found = {}
        with self.files(path) as files:
            for file in files:
                with file.open() as stream:
                    found[file.member] = stream.read()
        return found

    def write(self, path: Path, files: Mapping[str, bytes]) -> None:
        """Write an archive with dshub."""
        folder = path.parent / f"{path.name}.members"
        folder.mkdir()
        pieces = []
        for number, (member, data) in enumerate(files.items()):
            piece = folder / str(number)
            piece.write_bytes(data)
            pieces.append((member, piece))
        packing, stream = container_for(f"x{self.suffix}"), stream_for(f"x{self.suffix}")
        if packing is not None:
            packing.write_members(path, pieces)
            return
        assert stream is not None, f"no kind writes {self.suffix}"
        with path.open("wb") as raw, stream.write(raw) as sink:
            sink.write(files[""])

    @pytest.mark.parametrize("name", ["data", "data.txt", "data.zip", "data.tar.gz", "data.xz"])
    @pytest.mark.parametrize("size", [0, 1, 150, 300_000])
    def test_reads_what_others_wrote(self, tmp_path: Path, name: str, size: int) -> None:
        """Every member comes out as it went in, whatever the file is called."""
        path = tmp_path / name
        path.write_bytes(self.pack(self.content(size)))
        assert self.read(path) == self.content(size)

    @pytest.mark.parametrize("size", [0, 150, 300_000])
    def test_others_read_what_it_writes(self, tmp_path: Path, size: int) -> None:
        """What it writes is of the kind, to others and to itself."""
        path = tmp_path / "data"
        self.write(path, self.content(size))
        assert self.unpack(path.read_bytes()) == self.content(size)
        assert self.read(path) == self.content(size)

    def test_same_files_same_bytes(self, tmp_path: Path) -> None:
        """Neither a time nor the name of a file on disk gets into an archive."""
        self.write(tmp_path / "one", self.content())
        self.write(tmp_path / "other", self.content())
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    def test_the_order_of_files(self, tmp_path: Path) -> None:
        """Readers get the members in the order that the kind promises."""
        path = tmp_path / "data"
        path.write_bytes(self.pack(self.content()))
        with self.files(path) as files:
            assert [file.member for file in files] == list(self.in_order)

    @pytest.mark.parametrize("size", [1, 7, 1 << 20])
    def test_reading_piece_by_piece(self, tmp_path: Path, size: int) -> None:
        """Small reads, large ones and `readinto` give the same bytes."""
        path = tmp_path / "data"
        path.write_bytes(self.pack(self.content(2000)))
        with self.files(path) as files:
            for file in files:
                with file.open() as stream:
                    pieces = list(iter(lambda: stream.read(size), b""))
                assert b"".join(pieces) == self.content(2000)[file.member]
                buffer = bytearray(2001)
                with file.open() as stream:
                    count = stream.readinto(buffer)  # type: ignore[attr-defined]
                assert buffer[:count] == self.content(2000)[file.member]

    def test_files_in_any_order_and_at_the_same_time(self, tmp_path: Path) -> None:
        """Backwards, twice, half read, or several read in turns: each gives its own bytes."""
        path = tmp_path / "data"
        path.write_bytes(self.pack(self.content(2000)))
        with self.files(path) as files:
            for file in [*reversed(files), *files, *reversed(files)]:
                with file.open() as stream:
                    assert stream.read(700) == self.content(2000)[file.member][:700]
            with ExitStack() as stack:
                streams = [stack.enter_context(file.open()) for file in files]
                rounds = [[stream.read(500) for stream in streams] for _ in range(4)]
            for file, pieces in zip(files, zip(*rounds, strict=True), strict=True):
                assert b"".join(pieces) == self.content(2000)[file.member]

    @pytest.mark.parametrize("outer", [".gz", ".bz2", ".xz", ".zst"])
    def test_compressions_inside_are_removed(self, tmp_path: Path, outer: str) -> None:
        """A member that is compressed itself comes out plain."""
        stream, inside = stream_for(outer), {}
        assert stream is not None
        for member, data in self.content(2000).items():
            with (tmp_path / "piece").open("wb") as raw, stream.write(raw) as sink:
                sink.write(data)
            inside[member] = (tmp_path / "piece").read_bytes()
        path = tmp_path / "data"
        path.write_bytes(self.pack(inside))
        assert self.read(path) == self.content(2000)

    def test_nothing_is_unpacked_to_disk(self, tmp_path: Path) -> None:
        """Reading leaves the folder as it was."""
        path = tmp_path / "data"
        path.write_bytes(self.pack(self.content()))
        self.read(path)
        assert list(tmp_path.iterdir()) == [path]

    def test_a_member_that_is_not_there(self, tmp_path: Path) -> None:
        """The error names the archive and what was asked for."""
        path = tmp_path / "data"
        path.write_bytes(self.pack(self.content()))
        with (
            pytest.raises(ReadError, match=f"^{TITLE}: .*'no/such member'"),
            open_files(path, title=TITLE, member="no/such member"),
        ):
            pass

    def test_cut_short_anywhere(self, tmp_path: Path) -> None:
        """However much is missing, nothing passes for the whole, and the error names the file."""
        whole, path = self.pack(self.content()), tmp_path / "data"
        for length in range(self.recognised, len(whole), 1 + len(whole) // PLACES):
            path.write_bytes(whole[:length])
            with pytest.raises(ReadError, match=f"^{TITLE}"):
                self.read(path)

    @pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
    def test_a_changed_byte_never_goes_unnoticed(self, tmp_path: Path, flip: int) -> None:
        """The right data all the same, or an error that names the file: nothing else."""
        whole, path = self.pack(self.content()), tmp_path / "data"
        wanted = self.content()
        for place in range(self.recognised, len(whole), 1 + len(whole) // PLACES):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            try:
                found = self.read(path)
            except (ReadError, UnsafeArchiveError) as error:
                told = str(error)
            else:
                told = ""
            if told:
                assert told.startswith(TITLE)
            elif self.guarded:
                assert found == wanted
            else:
                assert [len(data) for data in found.values()] == [150] * len(wanted)

    def test_a_bomb_ends_at_its_limit(self, tmp_path: Path) -> None:
        """More than is allowed is never handed out, and the error names the file and says so."""
        path = tmp_path / "data"
        path.write_bytes(self.pack(dict.fromkeys(self.members, bytes(3_000_000))))
        got: list[int] = []

        def read_all() -> None:
            with self.files(path, Limits(unpacked=1_000_000)) as files:
                for file in files:
                    with file.open() as stream:
                        got.extend(map(len, iter(lambda: stream.read(1000), b"")))

        with pytest.raises(UnsafeArchiveError, match=f"^{TITLE}.*unpacks to more than") as caught:
            read_all()
        assert sum(got) <= 1_000_000
        assert "limits" in caught.value.hint

    def test_memory_does_not_grow_with_what_is_inside(self, tmp_path: Path) -> None:
        """A large member is read in little memory."""
        path = tmp_path / "data"
        path.write_bytes(self.pack({self.members[0]: bytes(30_000_000)}))
        with self.files(path) as (file,):
            tracemalloc.start()
            with file.open() as stream:
                count = sum(len(piece) for piece in iter(lambda: stream.read(1 << 16), b""))
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert count == 30_000_000
        assert most < 20_000_000  # LZMA's dictionary alone takes 8
