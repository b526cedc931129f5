"""The place where a mirror is written: a folder, or a bucket through fsspec.

Names are paths in the mirror, with `/`: `blobs-v1/3a/3aede38d…`. A name exists only when its
content is complete, whatever happens meanwhile.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from dshub.cache.store import Store

How = Literal["reflink", "hard link", "copy", "upload"]

BUCKETS = ("blobs-v1/", "registry/", "tables-v1/")  # the mirror's own folders


class Destination(Protocol):
    """A folder or a bucket that is a mirror, or becomes one.

    Attributes:
        title: its name in messages.
        address: its name in `DSHUB_MIRROR`.
    """

    title: str
    address: str

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none. Raises StoreError."""

    def names(self) -> Iterator[str]:
        """Every file in `BUCKETS`, sorted. Raises StoreError."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Raises FileNotFoundError, StoreError."""

    def put(self, path: Path, name: str) -> How:
        """Publish a file of this machine, in the cheapest way. Raises StoreError."""

    def write(self, name: str, data: bytes) -> None:
        """Publish bytes, replacing the file of that name. Raises StoreError."""

    def remove(self, name: str) -> None:
        """Remove a file, and folders that become empty. Raises StoreError."""

    def set_aside(self, name: str) -> str:
        """Move a damaged file to `partial-v1`; returns where it is now. Raises StoreError."""

    def fetching_store(self, cache: Store) -> Store:
        """The store to fetch missing files into: the mirror's own, or the cache."""

    def free(self) -> int | None:
        """Bytes that can still be written; None if unknown."""
        return None

    def costs(self, _path: Path) -> bool:
        """Whether publishing a file of this machine needs space of `free`."""
        return True

    def locked(self) -> AbstractContextManager[object]:
        """Lock the index against other writers while the block runs, where locks work."""
        return nullcontext()
