"""List, touch and remove the items of a cache.

The access time of a raw file records its last use. `touch` sets the access time, because many
file systems do not. `touch` keeps the modification time, because servers derive entity tags from it
and copying programs compare it. The modification time of `table.json` or `dataset.json` records the
last use of a table or a derived dataset.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from dshub.cache import paths
from dshub.cache.disk import remove
from dshub.cache.locks import is_locked
from dshub.cache.owners import Holder, holder

Kind = Literal["raw", "prepared", "derived", "partial", "synthetic", "imported", "other"]

TOUCH_INTERVAL = 60.0  # seconds between updates of the time of last use
BLOCK = 4096  # bytes; smaller files have no holes, even if the file system reports 0 blocks

Sort = Literal[
    "download", "rejected", "damaged", "table", "derived", "scratch", "text", "removed", "other"
]


@dataclass(frozen=True)
class Leftover:
    """Entry of `partial-v1`, or an unfinished entry of `derived-v1`.

    Attributes:
        sort: an unfinished `download`; `rejected` bytes with a wrong checksum; `damaged` content
            that was set aside; an unfinished `table`, `derived` dataset, `scratch` folder or small
            `text` file; content being `removed`; or `other` files that dshub did not write.
        of: checksum of a download or of rejected bytes, recipe key of a table, name of a
            derived dataset, former path of damaged content with `-` for `/`, or empty.
        holder: state of the process that the entry is named after, or that locks it; see
            `dshub.cache.owners.holder`.
    """

    sort: Sort
    of: str
    holder: Holder


@dataclass(frozen=True)
class Usage:
    """Item of a cache.

    Attributes:
        kind: a `raw` upstream file, a `prepared` table, a `derived` result of `Dataset.cache`, a
            `partial` download or leftover, the manifest of `synthetic` data, a record of an
            `imported` file or dataset outside the cache, or an `other` file that dshub did not
            write.
        name: checksum of a raw or referenced file, dataset of a table, name of a derived dataset,
            dataset and layout of an import, relative path of an `other` file, or else the file
            name.
        path: path of the file or folder.
        size: size in bytes; for a partial item, without the holes in sparse files.
        used: time of the last use, in seconds since the epoch.
        leftover: details of a partial item, or None for other kinds.
    """

    kind: Kind
    name: str
    path: Path
    size: int
    used: float
    leftover: Leftover | None = None


def usage(root: Path) -> Iterator[Usage]:
    """Yield every item of a cache, bucket by bucket.

    Items that are unreadable or disappear during listing are skipped, and so are dshub's own small
    files, such as pins.
    """
    yield from _bucket(root, paths.BLOBS, "raw", lambda path: path.name)
    yield from _tables(root)
    yield from _derived(root)
    yield from _partials(root)
    yield from _bucket(root, paths.SYNTHETIC, "synthetic", lambda path: path.as_posix())
    yield from _bucket(root, paths.REFERENCES, "imported", lambda path: path.stem)
    yield from _bucket(
        root, paths.IMPORTS, "imported", lambda path: path.with_suffix("").as_posix()
    )
    for bucket in (paths.PINS, paths.TERMS, paths.MIRRORS, paths.LISTINGS):
        yield from _bucket(root, bucket, None, PurePath.as_posix)


def touch(path: Path) -> None:
    """Mark a raw file, a table or a derived dataset as used now, ignoring errors."""
    with suppress(OSError):
        if path.is_dir():
            record = path / paths.TABLE_FILE
            path = record if record.exists() else path / paths.DATASET_FILE
            if _is_past(path.stat().st_mtime):
                os.utime(path)
        elif _is_past(_used(path.stat())):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _is_past(used: float) -> bool:
    """Return whether a time is more than `TOUCH_INTERVAL` seconds in the past or the future.

    A future time counts as past, because it means that the clock was set back.
    """
    return abs(time.time() - used) > TOUCH_INTERVAL


def _used(status: os.stat_result) -> float:
    return max(status.st_atime, status.st_mtime)


def _bucket(
    root: Path, bucket: str, kind: Kind | None, name: Callable[[PurePath], str]
) -> Iterator[Usage]:
    """Yield the files of a bucket; if `kind` is None, only those that dshub did not write.

    Args:
        name: function that returns the item name of a dshub file from its path in the bucket.
    """
    for parent, _, files in _walk(root / bucket):
        for path in (parent / file for file in files):
            relative = path.relative_to(root)
            if not paths.is_ours(relative):
                yield from _file("other", relative.as_posix(), path)
            elif kind is not None:
                yield from _file(kind, name(path.relative_to(root / bucket)), path)


def _file(kind: Kind, name: str, path: Path) -> Iterator[Usage]:
    with suppress(OSError):
        status = path.lstat()
        yield Usage(kind, name, path, status.st_size, _used(status))


def _derived(root: Path) -> Iterator[Usage]:
    """Yield derived datasets, unfinished ones, their lock files, and other files."""
    for folder in _entries(root / paths.DERIVED):
        for path in _entries(folder) or [folder] * (not folder.is_dir()):
            with suppress(OSError):
                yield _derived_entry(root, path)


def _derived_entry(root: Path, path: Path) -> Usage:
    name = path.parent.name
    if paths.is_derived_leftover(path.name):
        is_held = is_locked(path.with_suffix(".lock"))
        left = Leftover("derived", name, "alive" if is_held else "dead")
        return _entry(root, path, left)
    if paths.is_derived(path.name, [entry.name for entry in _entries(path)]):
        return _table(path, name, kind="derived", marker=paths.DATASET_FILE)
    return _entry(root, path, Leftover("other", "", "none"))


def _entries(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder; empty if it is not a readable folder."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _partials(root: Path) -> Iterator[Usage]:
    for path in _entries(root / paths.PARTIAL):
        if not path.name.endswith(".lock"):
            with suppress(OSError):
                yield _entry(root, path, leftover(path))


def _entry(root: Path, path: Path, left: Leftover) -> Usage:
    is_folder = path.is_dir() and not path.is_symlink()
    statuses = [file.lstat() for file in (_files(path) if is_folder else (path,))]
    used = max((status.st_mtime for status in statuses), default=path.lstat().st_mtime)
    size = sum(map(_on_disk, statuses))
    if left.sort == "other":
        return Usage("other", path.relative_to(root).as_posix(), path, size, used)
    return Usage("partial", path.name, path, size, used, left)


def _on_disk(status: os.stat_result) -> int:
    """Return the size of a file without holes. Downloads that arrive out of order have holes."""
    blocks: int | None = getattr(status, "st_blocks", None)  # missing on Windows
    return status.st_size if blocks is None else min(status.st_size, max(blocks * 512, BLOCK))


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):
        yield from (Path(parent, file) for file in files)


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk a folder like `os.walk`; clear the list of subfolders to skip them.

    A hidden folder, such as a trash folder, counts as a file and is not entered.
    """
    for parent, folders, files in os.walk(folder):
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders).difference(hidden))
        yield Path(parent), folders, sorted([*files, *hidden])


def _tables(root: Path) -> Iterator[Usage]:
    """Yield tables, and files next to them that do not belong to a table."""
    top = root / paths.TABLES
    for folder, folders, files in _walk(top):
        if paths.is_table(folder.relative_to(top), folders, files):
            folders.clear()
            with suppress(OSError):
                yield _table(folder, folder.parent.relative_to(top).as_posix())
        else:
            for path in (folder / file for file in files):
                yield from _file("other", path.relative_to(root).as_posix(), path)


def _table(
    folder: Path, name: str, *, kind: Kind = "prepared", marker: str = paths.TABLE_FILE
) -> Usage:
    """Return a table or derived dataset; the modification time of `marker` is its last use."""
    statuses = {path.name: path.lstat() for path in _files(folder)}
    used = (statuses.get(marker) or folder.lstat()).st_mtime
    return Usage(kind, name, folder, sum(status.st_size for status in statuses.values()), used)


def leftover(path: Path) -> Leftover:
    """Classify an entry of `partial-v1` by its name."""
    state = holder(path)
    stem = path.name if state == "none" else path.name.partition(".")[0]
    checksum = re.fullmatch(r"(?:md5-)?([0-9a-f]{32}|[0-9a-f]{64})", stem)
    if checksum is not None:
        return Leftover("download", checksum[1], state)
    word, _, of = stem.partition("-")
    match word, state:
        case ("rejected" | "damaged") as sort, _:
            return Leftover(sort, of, state)
        case ("table" | "scratch" | "text" | "removed") as sort, "dead" | "alive" | "unknown":
            return Leftover(sort, of, state)
        case _:
            return Leftover("other", "", state)


PINNED = "pinned"
IRREPLACEABLE = "it is the last copy and cannot be downloaded again; `dshub cache rm` removes it"


@dataclass(frozen=True, kw_only=True)
class Item(Usage):
    """Item of the cache and the datasets that use it.

    Attributes:
        name: description, such as `fashion-mnist: train-images`.
        datasets: names of the datasets that use the item, or empty. A shared file lists only
            datasets that are in the cache, or all if none is.
        pinned: True if the item is pinned.
        irreplaceable: True for the last copy of data that cannot be downloaded again.
    """

    datasets: tuple[str, ...]
    pinned: bool = False
    irreplaceable: bool = False

    @property
    def held(self) -> bool:
        """True if a live process on this machine is writing to the item."""
        return self.leftover is not None and self.leftover.holder == "alive"


@dataclass(frozen=True)
class Removal:
    """Item with the reason why it is removed or kept; the reason is empty if the user named it."""

    item: Item
    reason: str


@dataclass(frozen=True)
class Removals:
    """Items to remove, and items that stay although the user might expect their removal.

    Attributes:
        removed: items to remove.
        left: items that stay.
        everything: True if all files and tables except those in `left` are removed, although the
            user did not name the datasets.
    """

    removed: tuple[Removal, ...] = ()
    left: tuple[Removal, ...] = ()
    everything: bool = False

    @property
    def size(self) -> int:
        """Total size of the items to remove in bytes."""
        return sum(removal.item.size for removal in self.removed)

    @property
    def irreplaceable(self) -> list[str]:
        """Names of the items to remove that cannot be downloaded again."""
        return [removal.item.name for removal in self.removed if removal.item.irreplaceable]


def execute(removals: Iterable[Removal], root: Path) -> None:
    """Remove items from the cache at `root`, skipping items that no longer exist.

    Raises:
        StoreError: the cache is not writable. Items removed before the error stay removed.
    """
    for removal in removals:
        remove(root, removal.item.path)
