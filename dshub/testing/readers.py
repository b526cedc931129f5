"""What every reader must do."""

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
    """A file for a reader that is only bytes."""

    def __init__(self, name: str, data: bytes, member: str = "") -> None:
        self.name, self.data, self.member = name, data, member

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes from the beginning."""
        yield io.BytesIO(self.data)

    def check_size(self, size: int) -> None:
        """See `dshub.formats.File`."""
        archives.check_size(size, len(self.data), self.name)


class MemoryOutput:
    """A part that is written to memory: `files` are its files by member, in order."""

    def __init__(self, *members: str) -> None:
        self.members = members or ("",)
        self.files: dict[str, bytes] = {}

    @contextmanager
    def create(self, member: str) -> Iterator[BinaryIO]:
        """A new file."""
        sink = io.BytesIO()
        yield sink
        self.files[member] = sink.getvalue()


Written = dict[str, dict[str, bytes]]
"""The bytes of every file of every part, by member."""


class ReaderTests(ABC):
    """Subclass it, and say how to make a reader and rows for it.

    Attributes:
        parts: the names under which the reader takes its files, and what a manifest says of
            the members of each: `("",)` for one file that is in no archive.
        tells_damage: whether the format shows where a file ends and what it is. Plain lines of
            text do not: cut short, they are fewer lines, which preparing notices.
    """

    parts: ClassVar[Mapping[str, Sequence[str]]]
    tells_damage: bool = True

    @abstractmethod
    def reader(self) -> Reader:
        """The reader with the options to test."""

    @abstractmethod
    def rows(self, count: int) -> pa.RecordBatch:
        """Rows that the format can hold, all different, with the columns that reading gives."""

    def written(self, count: int) -> Written:
        """The files of that many rows."""
        outputs = {part: MemoryOutput(*members) for part, members in self.parts.items()}
        reader = self.reader()
        reader.write(reader.complete(self.rows(count), 0), outputs)
        return {part: output.files for part, output in outputs.items()}

    def read(self, data: Written) -> pa.Table:
        """All rows of some files."""
        return pa.Table.from_batches(self.batches(data))

    def batches(self, data: Written) -> list[pa.RecordBatch]:
        """The rows of some files as the reader yields them; none where there are no rows."""
        files = {
            part: [
                MemoryFile(f"{part}-file:{name}", content, name) for name, content in found.items()
            ]
            for part, found in data.items()
        }
        return list(self.reader().read(files))

    def each_file(self, data: Written) -> Iterator[tuple[str, bytes, Callable[[bytes], Written]]]:
        """The name that messages give each file, its bytes, and the rest with other bytes."""

        def replaced(part: str, name: str, other: bytes) -> Written:
            return data | {part: data[part] | {name: other}}

        for part, files in data.items():
            for name, whole in files.items():
                yield f"{part}-file:{name}", whole, partial(replaced, part, name)

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
        """Cut anywhere, no part yields rows in silence; lines of text are fewer lines, at most."""
        for name, whole, replaced in self.each_file(self.written(10)):
            for length in {0, 1, len(whole) // 2, len(whole) - 1}:
                self._refuses(replaced(whole[:length]), name)

    def test_a_file_of_another_format_is_an_error_that_names_it(self) -> None:
        """An HTML page in place of a file is refused."""
        page = b"<!DOCTYPE html><title>Quota exceeded</title>" * 20
        for name, _, replaced in self.each_file(self.written(10)):
            self._refuses(replaced(page), name)

    def _refuses(self, data: Written, name: str) -> None:
        """An error that names the file; where nothing tells damage, an error or some rows."""
        if not self.tells_damage:
            self._refuses_or_reads(data, name.partition(":")[0])
            return
        with pytest.raises(ReadError, match=re.escape(name)):
            self.read(data)

    def test_random_bytes_are_an_error_that_names_the_file(self) -> None:
        """Whatever stands in a file, no other kind of exception comes out."""
        for name, _, replaced in self.each_file(self.written(10)):
            for seed in range(20):
                noise = random.Random(seed).randbytes(500)  # noqa: S311  # no secret
                self._refuses_or_reads(replaced(noise), name.partition(":")[0])

    def test_accidents_give_rows_or_an_error_that_names_the_file(self) -> None:
        """Bytes changed, lost, added or cut off: no other kind of exception comes out."""
        for name, whole, replaced in self.each_file(self.written(10)):
            for seed in range(100):
                damaged = _after_accidents(whole, random.Random(seed))  # noqa: S311  # no secret
                self._refuses_or_reads(replaced(damaged), name.partition(":")[0])

    def _refuses_or_reads(self, data: Written, part: str) -> None:
        try:
            self.batches(data)
        except (ReadError, UnsafeArchiveError) as error:
            told = str(error)
        else:
            told = part
        assert part in told

    def test_batches_are_bounded(self) -> None:
        """However many rows there are, a batch holds a moderate number of bytes."""
        files = {
            part: [MemoryFile(name, data, name) for name, data in found.items()]
            for part, found in self.written(1000).items()
        }
        assert all(batch.nbytes <= 64 << 20 for batch in self.reader().read(files))


def _after_accidents(whole: bytes, chance: random.Random) -> bytes:
    """A file in which a few things went wrong, mostly near its beginning or its end."""
    data = bytearray(whole)
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
