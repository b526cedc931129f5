"""Open the files of tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dshub import archives


@dataclass(frozen=True, slots=True)
class LooseFile:
    """File on disk that is open only while it is read, because a dataset can have many files."""

    path: Path
    name: str
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading, decompressed.

        Raises:
            ReadError: the file cannot be read.
        """
        with archives.open_files(self.path, title=self.name) as (file,), file.open() as stream:
            yield stream

    def check_size(self, size: int) -> None:
        """Check an uncompressed size against the limits; see `dshub.formats.File`."""
        archives.check_size(size, self.path.stat().st_size, self.name)
