"""What every transport must do."""

from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path

import pytest

from dshub.download.transports import Transport
from dshub.errors import TransportError

CONTENT = bytes(range(256)) * 5000


class TransportTests(ABC):
    """Subclass it, and say how a file gets an address."""

    @abstractmethod
    def transport(self) -> Transport:
        """The transport to test."""

    @abstractmethod
    def url(self, path: Path) -> str:
        """The address of a file in `tmp_path`, whether it exists or not."""

    def everything(self, url: str, *, start: int = 0) -> tuple[int, int | None, bytes]:
        """Where an answer began, how long the file is, and the bytes that came."""
        with closing(self.transport()) as transport, transport.open(url, start=start) as answer:
            buffer, pieces = memoryview(bytearray(100_000)), []
            while count := answer.readinto(buffer):
                pieces.append(bytes(buffer[:count]))
        return answer.start, answer.total, b"".join(pieces)

    def test_gives_the_whole_file(self, tmp_path: Path) -> None:
        """Every byte, and the length beforehand."""
        (tmp_path / "file").write_bytes(CONTENT)
        assert self.everything(self.url(tmp_path / "file")) == (0, len(CONTENT), CONTENT)

    def test_begins_where_it_was_asked_to(self, tmp_path: Path) -> None:
        """A download goes on at an offset."""
        (tmp_path / "file").write_bytes(CONTENT)
        start, total, data = self.everything(self.url(tmp_path / "file"), start=1000)
        assert (start, total, data) == (1000, len(CONTENT), CONTENT[1000:])

    def test_a_part_begins_where_it_was_asked_to(self, tmp_path: Path) -> None:
        """Several parts of a file can be fetched side by side; more than the part may come."""
        (tmp_path / "file").write_bytes(CONTENT)
        url, buffer = self.url(tmp_path / "file"), memoryview(bytearray(500))
        with (
            closing(self.transport()) as transport,
            transport.open(url, start=1000, stop=1500) as answer,
        ):
            count = answer.readinto(buffer)
            assert (answer.start, answer.total) == (1000, len(CONTENT))
        assert 0 < count <= 500
        assert bytes(buffer[:count]) == CONTENT[1000 : 1000 + count]

    def test_an_offset_beyond_the_end_gives_the_file_from_its_beginning(
        self, tmp_path: Path
    ) -> None:
        """What an earlier try left may be longer than the file."""
        (tmp_path / "file").write_bytes(CONTENT)
        start, _, data = self.everything(self.url(tmp_path / "file"), start=len(CONTENT) + 5)
        assert (start, data) == (0, CONTENT)

    def test_says_how_large_a_file_is_without_sending_it(self, tmp_path: Path) -> None:
        """Whether an address works can be asked for less than the file."""
        (tmp_path / "file").write_bytes(CONTENT)
        with closing(self.transport()) as transport:
            found = transport.head(self.url(tmp_path / "file"))
        assert (found.status, found.total) == (200, len(CONTENT))

    def test_a_missing_file_is_a_lasting_error_that_names_it(self, tmp_path: Path) -> None:
        """Trying again would not help, and the error says so."""
        url = self.url(tmp_path / "missing")
        with (
            closing(self.transport()) as transport,
            pytest.raises(TransportError, match="missing") as caught,
        ):
            transport.open(url)
        assert not caught.value.transient
