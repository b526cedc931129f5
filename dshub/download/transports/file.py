"""Read local files from `file:///mnt/mirror/…` or a plain path."""

import os
from pathlib import Path

from dshub.cache.files import open_file
from dshub.cache.paths import BLOBS, TABLES
from dshub.display import Address
from dshub.download import transports
from dshub.errors import TransportError


class Transport(transports.Transport):
    """Transport for local files, which ignores the timeout."""

    def __init__(self, *, timeout: float) -> None:
        del timeout

    def open(
        self, url: str, *, start: int = 0, stop: int | None = None, etag: str = ""
    ) -> transports.FileAnswer:
        del stop, etag  # not needed for local files
        try:
            path = Address(url).path
            file = open_file(path, follow=not _is_in_mirror(path))
            size = os.fstat(file.fileno()).st_size
            return transports.FileAnswer(url, file, size, start, _fault)
        except (OSError, ValueError) as error:  # ValueError for an invalid path
            raise _fault(url, error) from error

    def close(self) -> None:
        """Do nothing, because no connection stays open."""


def _is_in_mirror(path: Path) -> bool:
    """Return whether a path looks like a file in a mirror, which must not be a symlink.

    A symlink in a mirror could point to a private file, which would be copied to a shared cache.
    """
    return path.name == "index.json" or not {BLOBS, TABLES}.isdisjoint(path.parts)


def _fault(url: str, error: Exception) -> TransportError:
    reason = getattr(error, "strerror", None) or str(error)
    absent = isinstance(error, FileNotFoundError | NotADirectoryError)
    return TransportError(url=url, reason=reason, absent=absent)
