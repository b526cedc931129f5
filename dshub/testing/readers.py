"""What every reader must do."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pytest

from dshub.errors import ReadError
from dshub.readers import Reader


class MemoryFile:
    """A file for a reader that is only bytes."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes from the beginning."""
        yield io.BytesIO(self.data)


class ReaderTests(ABC):
    """Subclass it, and say how to make a reader and rows for it.

    Attributes:
        parts: the names under which the reader takes its files.
    """

    parts: Sequence[str]

    @abstractmethod
    def reader(self) -> Reader:
        """The reader with the options to test."""

    @abstractmethod
    def rows(self, count: int) -> pa.RecordBatch:
        """Rows that the format can hold, all different, with the columns that reading gives."""

    def written(self, count: int) -> dict[str, bytes]:
        """The bytes of each part of a file with that many rows."""
        sinks: dict[str, io.BytesIO] = {part: io.BytesIO() for part in self.parts}
        self.reader().write(self.rows(count), dict(sinks))
        return {part: sink.getvalue() for part, sink in sinks.items()}

    def read(self, data: dict[str, bytes]) -> pa.Table:
        """All rows of some bytes."""
        files = {part: [MemoryFile(f"{part}-file", found)] for part, found in data.items()}
        return pa.Table.from_batches(self.reader().read(files))

    @pytest.mark.parametrize("count", [1, 2, 1000])
    def test_reads_what_it_wrote(self, count: int) -> None:
        """Rows come back as they were, in their order."""
        wanted = self.rows(count)
        found = self.read(self.written(count)).select(wanted.schema.names)
        assert found.equals(pa.Table.from_batches([wanted]))

    def test_same_bytes_same_rows(self) -> None:
        """Reading twice gives the same."""
        data = self.written(10)
        assert self.read(data) == self.read(data)

    def test_a_truncated_file_is_an_error_that_names_it(self) -> None:
        """Cut anywhere, no part yields rows in silence."""
        data = self.written(10)
        for part, whole in data.items():
            for length in {0, 1, len(whole) // 2, len(whole) - 1}:
                with pytest.raises(ReadError, match=f"{part}-file"):
                    self.read(data | {part: whole[:length]})

    def test_a_file_of_another_format_is_an_error_that_names_it(self) -> None:
        """An HTML page in place of a file is refused."""
        data = self.written(10)
        for part in data:
            page = b"<!DOCTYPE html><title>Quota exceeded</title>" * 20
            with pytest.raises(ReadError, match=f"{part}-file"):
                self.read(data | {part: page})

    def test_batches_are_bounded(self) -> None:
        """However many rows there are, a batch holds a moderate number of bytes."""
        files = {part: [MemoryFile(part, data)] for part, data in self.written(1000).items()}
        assert all(batch.nbytes <= 64 << 20 for batch in self.reader().read(files))
