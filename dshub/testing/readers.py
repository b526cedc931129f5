"""Conformance suite for readers."""

import io
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, ClassVar

import pyarrow as pa
import pytest

from dshub import archives
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.formats import Reader


class MemoryFile:
    """File in memory that a reader can open."""

    def __init__(self, name: str, data: bytes, member: str = "") -> None:
        self.name, self.data, self.member = name, data, member

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading."""
        yield io.BytesIO(self.data)

    def check_size(self, size: int) -> None:
        """Check an uncompressed size against the limits; see `dshub.formats.File`."""
        archives.check_size(size, len(self.data), self.name)


class MemoryOutput:
    """Part that a reader writes to memory.

    Attributes:
        members: names of the members to write.
        files: written bytes, by member.
    """

    def __init__(self, *members: str) -> None:
        self.members = members or ("",)
        self.files: dict[str, bytes] = {}

    @contextmanager
    def create(self, member: str) -> Iterator[BinaryIO]:
        """Open a new member for writing."""
        sink = io.BytesIO()
        yield sink
        self.files[member] = sink.getvalue()


Written = dict[str, dict[str, bytes]]
"""Bytes of each file, by part and member."""


class ReaderTests(ABC):
    """Suite for a reader.

    Attributes:
        parts: members of each part of the reader; `("",)` for a single file outside an archive.
        detects_damage: True if the format detects truncated files and files of other formats.
            False, for example, for lines of text.
    """

    parts: ClassVar[Mapping[str, Sequence[str]]]
    detects_damage: bool = True

    @abstractmethod
    def reader(self) -> Reader:
        """Create the reader with the options to test."""

    @abstractmethod
    def rows(self, count: int) -> pa.RecordBatch:
        """Create distinct rows with the columns that the reader returns."""

    def written(self, count: int) -> Written:
        """Write rows with the reader, and return the files."""
        outputs = {part: MemoryOutput(*members) for part, members in self.parts.items()}
        reader = self.reader()
        reader.write(reader.complete(self.rows(count), 0), outputs)
        return {part: output.files for part, output in outputs.items()}

    def read(self, data: Written) -> pa.Table:
        """Read all rows."""
        return pa.Table.from_batches(self.batches(data))

    def batches(self, data: Written) -> list[pa.RecordBatch]:
        """Read all rows, as the batches that the reader yields."""
        files = {
            part: [
                MemoryFile(f"{part}-file:{member}", content, member)
                for member, content in contents.items()
            ]
            for part, contents in data.items()
        }
        return list(self.reader().read(files))

    def each_file(self, data: Written) -> Iterator[tuple[str, bytes, Callable[[bytes], Written]]]:
        """Yield each file's name in error messages, its bytes, and a function to replace them."""

        def replaced(part: str, member: str, content: bytes) -> Written:
            return data | {part: data[part] | {member: content}}

        for part, contents in data.items():
            for member, content in contents.items():
                yield f"{part}-file:{member}", content, partial(replaced, part, member)

    @pytest.mark.parametrize("count", [1, 2, 1000])
    def test_written_rows_are_read_unchanged(self, count: int) -> None:
        rows = self.rows(count)
        table = self.read(self.written(count)).select(rows.schema.names)
        assert table.equals(pa.Table.from_batches([rows]))

    def test_same_bytes_give_the_same_rows(self) -> None:
        data = self.written(10)
        assert self.read(data) == self.read(data)

    def test_truncated_file_is_an_error(self) -> None:
        for name, content, replaced in self.each_file(self.written(10)):
            for length in {0, 1, len(content) // 2, len(content) - 1}:
                self._check_damage(replaced(content[:length]), name)

    def test_file_of_another_format_is_an_error(self) -> None:
        page = b"<!DOCTYPE html><title>Quota exceeded</title>" * 20
        for name, _, replaced in self.each_file(self.written(10)):
            self._check_damage(replaced(page), name)

    def _check_damage(self, data: Written, name: str) -> None:
        if not self.detects_damage:
            self._check_robust(data, name)
            return
        with pytest.raises(ReadError, match=re.escape(name)):
            self.read(data)

    def test_random_bytes_give_rows_or_an_error(self) -> None:
        for name, _, replaced in self.each_file(self.written(10)):
            for seed in range(20):
                noise = random.Random(seed).randbytes(500)  # noqa: S311  # not a secret
                self._check_robust(replaced(noise), name)

    def test_damaged_bytes_give_rows_or_an_error(self) -> None:
        for name, content, replaced in self.each_file(self.written(10)):
            for seed in range(100):
                damaged = _damaged(content, random.Random(seed))  # noqa: S311  # not a secret
                self._check_robust(replaced(damaged), name)

    def _check_robust(self, data: Written, name: str) -> None:
        message = part = name.partition(":")[0]
        try:
            self.batches(data)
        except (ReadError, UnsafeArchiveError) as error:
            message = str(error)
        assert part in message

    def test_batches_are_bounded(self) -> None:
        batches = self.batches(self.written(1000))
        assert all(batch.nbytes <= 64 << 20 for batch in batches)


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Change, remove or insert bytes at random offsets, mostly near the start or the end."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        near = chance.randrange(min(len(data), 300)) if data else 0
        at = chance.choice([near, len(data) - 1 - near, chance.randrange(len(data) or 1)])
        match chance.choice(["change", "change", "drop", "insert", "cut", "append"]):
            case "change":
                data[at : at + 1] = chance.choice([b"\0", b"\xff", chance.randbytes(1)])
            case "drop":
                del data[at : at + chance.randint(1, 9)]
            case "insert":
                data[at:at] = chance.choice([b"\xff" * 8, chance.randbytes(4)])
            case "cut":
                del data[at:]
            case _:
                data += chance.randbytes(5)
    return bytes(data)
