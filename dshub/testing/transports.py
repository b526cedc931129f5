"""Conformance suite for transports."""

from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path

import pytest

from dshub.download.transports import Transport
from dshub.errors import TransportError

CONTENT = bytes(range(256)) * 5000


class TransportTests(ABC):
    """Suite for a transport."""

    @abstractmethod
    def transport(self) -> Transport:
        """Create the transport to test."""

    @abstractmethod
    def url(self, path: Path) -> str:
        """Return the URL of a file in `tmp_path`; the file need not exist."""

    def read(self, folder: Path, start: int = 0) -> tuple[int, int | None, bytes]:
        """Read `CONTENT` from an offset; return the actual offset, the file size and the bytes."""
        (folder / "file").write_bytes(CONTENT)
        url = self.url(folder / "file")
        with closing(self.transport()) as transport, transport.open(url, start=start) as answer:
            buffer, pieces = memoryview(bytearray(100_000)), []
            while count := answer.readinto(buffer):
                pieces.append(bytes(buffer[:count]))
        return answer.start, answer.total, b"".join(pieces)

    def test_reads_the_whole_file(self, tmp_path: Path) -> None:
        assert self.read(tmp_path) == (0, len(CONTENT), CONTENT)

    def test_reads_from_an_offset(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, 1000) == (1000, len(CONTENT), CONTENT[1000:])

    def test_reads_a_part(self, tmp_path: Path) -> None:
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

    def test_offset_beyond_the_end_starts_over(self, tmp_path: Path) -> None:
        # happens if a partial download is longer than the file
        start, _, data = self.read(tmp_path, len(CONTENT) + 5)
        assert (start, data) == (0, CONTENT)

    def test_head_reports_the_size(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(CONTENT)
        with closing(self.transport()) as transport:
            head = transport.head(self.url(tmp_path / "file"))
        assert (head.status, head.total) == (200, len(CONTENT))

    def test_missing_file_is_a_permanent_error(self, tmp_path: Path) -> None:
        url = self.url(tmp_path / "missing")
        with (
            closing(self.transport()) as transport,
            pytest.raises(TransportError, match="missing") as caught,
        ):
            transport.open(url)
        assert not caught.value.transient
