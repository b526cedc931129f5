"""What a cache holds, how much of the disk each part takes, and when it was last used.

When a raw file was used is its time of access, which `touch` sets, since many file systems keep
none by themselves. Its time of change stays as it is: servers make entity tags of it, and copying
programs compare it. A table is used when it is opened. Its `table.json` is read by listings too,
so there the time of change tells, which no reading moves.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from dshub.cache import paths as layout
from dshub.cache.owners import is_orphan, owner

Kind = Literal["raw", "prepared", "partial", "synthetic", "imported", "other"]

OFTEN = 60.0  # seconds within which a second use is not worth a write to the disk
BLOCK = 4096  # bytes: a smaller file has no holes, though a file system may count 0 blocks for it


@dataclass(frozen=True)
class Usage:
    """One thing in the cache.

    Attributes:
        kind: `raw` upstream file, `prepared` table, `partial` download or leftover, `synthetic`
            stand-in manifest, note of what was `imported` and lies elsewhere, or something
            `other` that dshub did not make.
        name: checksum of a raw file or of one that lies elsewhere, dataset of a table, dataset
            and layout of an import, place in the cache of something other, file name otherwise.
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

    What vanishes while one looks, or cannot be looked at, is left out. Of small files that take
    no space worth mentioning, such as pins, only those count that dshub did not make.
    """
    yield from _bucket(root, layout.BLOBS, "raw", lambda path: path.name)
    yield from _tables(root)
    for path in _entries(root / layout.PARTIAL):
        if not path.name.endswith(".lock"):
            with suppress(OSError):
                yield _partial(root, path)
    yield from _bucket(root, layout.SYNTHETIC, "synthetic", lambda path: path.as_posix())
    yield from _bucket(root, layout.REFERENCES, "imported", lambda path: path.stem)
    yield from _bucket(
        root, layout.IMPORTS, "imported", lambda path: path.with_suffix("").as_posix()
    )
    for bucket in (layout.PINS, layout.TERMS, layout.MIRRORS, layout.LISTINGS):
        yield from _bucket(root, bucket, None, PurePath.as_posix)


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


def _bucket(
    root: Path, bucket: str, kind: Kind | None, name: Callable[[PurePath], str]
) -> Iterator[Usage]:
    """The files of a bucket: dshub's own, unless `kind` is None, and others.

    Args:
        name: makes the name of a file of dshub's from its path in the bucket.
    """
    for parent, _, files in _walk(root / bucket):
        for path in (parent / file for file in files):
            relative = path.relative_to(root)
            if not layout.is_ours(relative):
                yield from _file("other", relative.as_posix(), path)
            elif kind is not None:
                yield from _file(kind, name(path.relative_to(root / bucket)), path)


def _file(kind: Kind, name: str, path: Path) -> Iterator[Usage]:
    with suppress(OSError):
        status = path.lstat()
        yield Usage(kind, name, path, status.st_size, _used(status))


def _table(folder: Path, name: str) -> Usage:
    statuses = {path.name: path.lstat() for path in _files(folder)}
    told = statuses.get(layout.TABLE_FILE) or folder.lstat()
    size = sum(status.st_size for status in statuses.values())
    return Usage("prepared", name, folder, size, told.st_mtime)


def _partial(root: Path, path: Path) -> Usage:
    is_folder = path.is_dir() and not path.is_symlink()
    statuses = [file.lstat() for file in (_files(path) if is_folder else (path,))]
    used = max((status.st_mtime for status in statuses), default=path.lstat().st_mtime)
    size = sum(map(_on_disk, statuses))
    if leftover(path).sort == "other":
        return Usage("other", path.relative_to(root).as_posix(), path, size, used)
    return Usage("partial", path.name, path, size, used)


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


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder with the names of its folders, which may be cleared, and of its files.

    A hidden folder, such as a system's trash, counts as a file and is not entered.
    """
    for parent, folders, files in os.walk(folder):
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders).difference(hidden))
        yield Path(parent), folders, sorted([*files, *hidden])


def _tables(root: Path) -> Iterator[Usage]:
    """Every table, and what else lies among them."""
    top = root / layout.TABLES
    for folder, folders, files in _walk(top):
        if layout.is_table(folder.relative_to(top), folders, files):
            folders.clear()
            with suppress(OSError):
                yield _table(folder, folder.parent.relative_to(top).as_posix())
        else:
            for path in (folder / file for file in files):
                yield from _file("other", path.relative_to(root).as_posix(), path)


Holder = Literal["nobody", "dead", "alive", "unknown"]
Sort = Literal["download", "rejected", "damaged", "table", "scratch", "text", "removed", "other"]


@dataclass(frozen=True)
class Leftover:
    """One entry.

    Attributes:
        sort: an unfinished `download`; bytes `rejected` in place of a file; content found
            `damaged` and put aside; a `table`, a `scratch` folder or a small `text` under way;
            content that is being `removed`; or something `other` that dshub did not make.
        of: checksum of the file (download, rejected), key (table), or the old path with `-` in
            place of `/` (damaged); else empty.
        holder: what became of the process whose name it bears: `nobody` where it bears none,
            `unknown` of a process of another machine, which cannot be asked.
    """

    sort: Sort
    of: str
    holder: Holder


def leftover(path: Path) -> Leftover:
    """What an entry is."""
    held = _holder(path)
    stem = path.name if held == "nobody" else path.name.partition(".")[0]
    checksum = re.fullmatch(r"(?:md5-)?([0-9a-f]{32}|[0-9a-f]{64})", stem)
    if checksum is not None:
        return Leftover("download", checksum[1], held)
    word, _, of = stem.partition("-")
    match word, held:
        case ("rejected" | "damaged") as sort, _:
            return Leftover(sort, of, held)
        case ("table" | "scratch" | "text" | "removed") as sort, "dead" | "alive" | "unknown":
            return Leftover(sort, of, held)
        case _:
            return Leftover("other", "", held)


def _holder(path: Path) -> Holder:
    found = owner(path)
    if found is None:
        return "nobody"
    if is_orphan(path):
        return "dead"
    return "unknown" if found[0] else "alive"
