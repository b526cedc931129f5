"""Where a mirror is written: a folder, or a bucket through fsspec. One thing at a time, atomically.

Names are relative to the mirror, with `/`: `blobs-v1/3a/3aede38d…`. A name exists only when its
content is complete, whatever happens meanwhile.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from dshub.cache.store import Store

How = Literal["reflink", "hard link", "copy", "upload"]

BUCKETS = ("blobs-v1/", "registry/", "tables-v1/")  # below which everything is the mirror's own


class Destination(Protocol):
    """A folder or a bucket that is a mirror, or becomes one.

    Attributes:
        title: what it was called, for messages.
        address: what `DSHUB_MIRROR` calls it, from wherever.
    """

    title: str
    address: str

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none. Raises StoreError."""

    def names(self) -> Iterator[str]:
        """Every file below `BUCKETS`, sorted. Raises StoreError."""

    def open(self, name: str) -> BinaryIO:
        """A file, to be read. Raises FileNotFoundError, StoreError."""

    def put(self, path: Path, name: str) -> How:
        """Take a file of this machine, by whichever way costs least. Raises StoreError."""

    def write(self, name: str, data: bytes) -> None:
        """Publish some bytes in place of whatever has that name. Raises StoreError."""

    def remove(self, name: str) -> None:
        """Remove a file, and the folders that it leaves empty. Raises StoreError."""

    def set_aside(self, name: str) -> str:
        """Move a damaged file away; returns where it can be looked at. Raises StoreError."""

    def free(self) -> int | None:
        """Bytes that can still be written; None where nobody knows."""

    def costs(self, path: Path) -> bool:
        """Whether taking a file of this machine takes further space of `free`."""

    def locked(self) -> AbstractContextManager[object]:
        """Keep others from changing the index while the block runs, where locks work."""

    def sweep(self) -> None:
        """Remove what dead processes left half-done."""

    def fetching_store(self, cache: Store) -> Store:
        """The store that missing files are fetched into: its own, or the cache."""
