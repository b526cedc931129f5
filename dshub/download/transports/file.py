"""Files on this machine: `file:///mnt/mirror/…`, or a plain path."""

import io
import os
from pathlib import Path
from typing import Self

from dshub.cache.files import open_file
from dshub.cache.paths import BLOBS, TABLES
from dshub.display import Address
from dshub.download.transports import Head
from dshub.errors import TransportError


class FileAnswer:
    """A file read from an offset on."""

    def __init__(self, url: str, file: io.FileIO, *, start: int, total: int) -> None:
        self.start = start
        self.total: int | None = total
        self.etag, self.ranges, self.encoding = "", True, ""
        self._url, self._file = url, file

    def readinto(self, buffer: memoryview) -> int:
        try:
            return self._file.readinto(buffer) or 0
        except OSError as error:
            raise _fault(self._url, error) from error

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Transport:
    """Opens files. There is nothing to wait for, so the timeout is not used."""

    def __init__(self, *, timeout: float) -> None:
        del timeout

    def open(
        self, url: str, *, start: int = 0, stop: int | None = None, etag: str = ""
    ) -> FileAnswer:
        del stop, etag  # a local file has one version, and its rest costs nothing
        try:
            path = Address(url).path
            file = open_file(path, follow=not _is_in_mirror(path))
            total = os.fstat(file.fileno()).st_size
            start = start if start <= total else 0
            file.seek(start)
        except (OSError, ValueError) as error:  # ValueError: no path can be like that
            raise _fault(url, error) from error
        return FileAnswer(url, file, start=start, total=total)

    def head(self, url: str) -> Head:
        """A file that is not there is no answer."""
        with self.open(url) as answer:
            return Head(200, answer.total, url)

    def close(self) -> None:
        """Nothing is kept open."""


def _is_in_mirror(path: Path) -> bool:
    """Whether a file has a name that dshub gave it: such a file is never a link.

    One in a mirror could lead to a file of ours, which would then be copied to a shared cache.
    """
    return path.name == "index.json" or not {BLOBS, TABLES}.isdisjoint(path.parts)


def _fault(url: str, error: OSError | ValueError) -> TransportError:
    reason = getattr(error, "strerror", None) or str(error)
    absent = isinstance(error, FileNotFoundError | NotADirectoryError)
    return TransportError(url=url, reason=reason, absent=absent)
