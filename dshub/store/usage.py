"""What a cache holds, and how much of the disk each part takes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.store import layout

Kind = Literal["raw", "prepared", "partial", "synthetic"]


@dataclass(frozen=True)
class Usage:
    """One thing in the cache.

    Attributes:
        kind: `raw` upstream file, `prepared` table, `partial` download or leftover, `synthetic`
            stand-in manifest.
        name: checksum of a raw file, dataset of a table, file name otherwise.
        path: where it lies.
        size: bytes.
        used: seconds since the epoch at which it was last read or written, as the file system
            tells.
    """

    kind: Kind
    name: str
    path: Path
    size: int
    used: float


def usage(root: Path) -> Iterator[Usage]:
    """Everything in a cache, buckets in a fixed order; an absent cache holds nothing."""
    for path in _files(root / layout.BLOBS):
        yield _one("raw", path.name, path)
    for folder in _tables(root / layout.TABLES):
        name = folder.parent.relative_to(root / layout.TABLES).as_posix()
        files = [_one("prepared", name, path) for path in _files(folder)]
        size = sum(item.size for item in files)
        used = max((item.used for item in files), default=0.0)
        yield Usage("prepared", name, folder, size, used)
    for path in _files(root / layout.PARTIAL):
        if not path.name.endswith(".lock"):
            yield _one("partial", path.relative_to(root / layout.PARTIAL).as_posix(), path)
    for path in _files(root / layout.SYNTHETIC):
        yield _one("synthetic", path.relative_to(root / layout.SYNTHETIC).as_posix(), path)


def _one(kind: Kind, name: str, path: Path) -> Usage:
    status = path.lstat()
    return Usage(kind, name, path, status.st_size, max(status.st_atime, status.st_mtime))


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, file) for file in sorted(files))


def _tables(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        if "table.json" in files:
            folders.clear()
            yield Path(parent)
