"""What a cache holds, how much of the disk each part takes, and when it was last used.

When a raw file was used is its time of access, which `touch` sets, since many file systems keep
none by themselves. Its time of change stays as it is: servers make entity tags of it, and copying
programs compare it. A table is used when it is opened. Its `table.json` is read by listings too,
so there the time of change tells, which no reading moves.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.store import layout

Kind = Literal["raw", "prepared", "partial", "synthetic", "imported"]

OFTEN = 60.0  # seconds within which a second use is not worth a write to the disk
BLOCK = 4096  # bytes: a smaller file has no holes, though a file system may count 0 blocks for it


@dataclass(frozen=True)
class Usage:
    """One thing in the cache.

    Attributes:
        kind: `raw` upstream file, `prepared` table, `partial` download or leftover, `synthetic`
            stand-in manifest, or note of what was `imported` and lies elsewhere.
        name: checksum of a raw file or of one that lies elsewhere, dataset of a table, dataset
            and layout of an import, file name otherwise.
        path: where it lies.
        size: bytes; of something partial without the holes in its files.
        used: seconds since the epoch at which it was last used.
    """

    kind: Kind
    name: str
    path: Path
    size: int
    used: float


def usage(root: Path) -> Iterator[Usage]:
    """Everything in a cache, buckets in a fixed order; an absent cache holds nothing.

    What vanishes while one looks is left out.
    """
    for path in _files(root / layout.BLOBS):
        yield from _file("raw", path.name, path)
    for folder in _tables(root / layout.TABLES):
        with suppress(FileNotFoundError):
            yield _table(folder, folder.parent.relative_to(root / layout.TABLES).as_posix())
    for path in _entries(root / layout.PARTIAL):
        if not path.name.endswith(".lock"):
            with suppress(FileNotFoundError):
                yield _partial(path)
    for path in _files(root / layout.SYNTHETIC):
        yield from _file("synthetic", path.relative_to(root / layout.SYNTHETIC).as_posix(), path)
    for path in _files(root / layout.REFERENCES):
        yield from _file("imported", path.stem, path)
    for path in _files(root / layout.IMPORTS):
        name = path.relative_to(root / layout.IMPORTS).with_suffix("").as_posix()
        yield from _file("imported", name, path)


def touch(path: Path) -> None:
    """Note that a raw file, or the table in a folder, is used now; never an error."""
    with suppress(OSError):
        if path.is_dir():
            path = path / layout.TABLE_FILE
            if _differs(path.stat().st_mtime):
                os.utime(path)
        elif _differs(_used(path.stat())):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _differs(used: float) -> bool:
    """Whether that is another time than now; one to come is of a clock that was set back."""
    return abs(time.time() - used) > OFTEN


def _used(status: os.stat_result) -> float:
    return max(status.st_atime, status.st_mtime)


def _file(kind: Kind, name: str, path: Path) -> Iterator[Usage]:
    with suppress(FileNotFoundError):
        status = path.lstat()
        yield Usage(kind, name, path, status.st_size, _used(status))


def _table(folder: Path, name: str) -> Usage:
    statuses = {path.name: path.lstat() for path in _files(folder)}
    told = statuses.get(layout.TABLE_FILE) or folder.lstat()
    size = sum(status.st_size for status in statuses.values())
    return Usage("prepared", name, folder, size, told.st_mtime)


def _partial(path: Path) -> Usage:
    is_folder = path.is_dir() and not path.is_symlink()
    statuses = [file.lstat() for file in (_files(path) if is_folder else (path,))]
    used = max((status.st_mtime for status in statuses), default=path.lstat().st_mtime)
    return Usage("partial", path.name, path, sum(map(_on_disk, statuses)), used)


def _on_disk(status: os.stat_result) -> int:
    """Bytes of a file without its holes: a download that began at several places has some."""
    blocks: int | None = getattr(status, "st_blocks", None)  # Windows does not tell
    return status.st_size if blocks is None else min(status.st_size, max(blocks * 512, BLOCK))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(parent, file) for file in sorted(files))


def _tables(folder: Path) -> Iterator[Path]:
    """Every table, and every folder in the place of one."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        if files:
            folders.clear()
            yield Path(parent)
