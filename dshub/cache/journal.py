"""Keep journals of unfinished downloads, and resume downloads of other processes.

The journal of a partial download records its source and the ranges of arrived bytes. It is a text
file of fixed-width lines. Each line is updated in place by one small write, so a process killed at
any moment leaves a readable journal. A new journal replaces the old one by rename. The first line
is JSON, and the other lines are byte ranges::

    {"url": "https://…", "etag": "…"}                          (padded to 4,095 characters)
    000000000000000 000000012582912
    000000016777216 000000017825792

A wrong journal costs bandwidth only, because the checksum of the finished file is verified. A
partial download without a journal has arrived in order, from the beginning of the file.
"""

import io
import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dshub._validate import ETag, Text, decode_paths
from dshub.cache.disk import clear, disk_faults
from dshub.cache.files import open_file, read_file, regular_size, replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.spans import Extents
from dshub.checksums import CHUNK

HEAD = 4096  # bytes in the first line, with its newline
LINE = 32  # bytes in every other line, with its newline

_RANGE = re.compile(r"([0-9]{15}) ([0-9]{15})")


@dataclass(frozen=True)
class Origin:
    """Source of a partial download.

    Attributes:
        url: URL without secrets.
        etag: strong validator (RFC 9110, 8.8.3), or empty.
    """

    url: Text = ""
    etag: ETag = ""


def read_journal(path: Path) -> tuple[Origin, Extents] | None:
    """Read a journal; return None if it is missing or damaged."""
    try:
        text = read_file(path).decode()
        origin = decode_paths(text[:HEAD].encode(), Origin)
    except (OSError, ValueError):
        return None
    ranges = filter(None, map(_RANGE.fullmatch, text[HEAD:].splitlines()))
    return origin, Extents(*((int(match[1]), int(match[2])) for match in ranges))


class Journal:
    """Journal that is updated while bytes arrive. Not thread-safe: callers hold a lock.

    Nothing is recorded before `begin`.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lines = path, dict[int, int]()
        self._file: io.FileIO | None = None

    @property
    def begun(self) -> bool:
        """True between `begin` and `close`."""
        return self._file is not None

    def begin(self, origin: Origin, extents: Extents) -> None:
        """Replace the journal with a new one; raises StoreError.

        On a full disk the old journal remains. Without it, holes in the file would count as bytes.
        """
        self.close()
        text = _head(origin) + "".join(_line(start, stop) for start, stop in extents)
        with disk_faults(self._path, "write"):
            if self._path.is_dir() and not self._path.is_symlink():
                clear(self._path)
            temporary = self._path.with_name(own_name(self._path.name))
            replace_file(self._path, text.encode(), temporary)
            self._file = open_file(self._path, "rb+")
        self._lines = {start: number for number, (start, _) in enumerate(extents)}

    def note(self, origin: Origin) -> None:
        """Record the source; raises StoreError."""
        self._put(0, _head(origin))

    def record(self, start: int, stop: int) -> None:
        """Record a range, replacing the range with the same start; raises StoreError."""
        number = self._lines.setdefault(start, len(self._lines))
        self._put(HEAD + number * LINE, _line(start, stop))

    def _put(self, offset: int, text: str) -> None:
        if self._file is not None:
            with disk_faults(self._path, "write"):
                self._file.seek(offset)
                self._file.write(text.encode())

    def close(self) -> None:
        """Close the journal, which ends recording."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def _head(origin: Origin) -> str:
    head = json.dumps(asdict(origin))
    return (head if len(head) < HEAD else "{}").ljust(HEAD - 1) + "\n"


def _line(start: int, stop: int) -> str:
    return f"{start:015d} {stop:015d}\n"


def claim(resting: Path) -> Path:
    """Return a folder name for this process's download, and resume an earlier one.

    An earlier process leaves its folder under the resting name or, if it was killed, under a name
    with its pid. Renaming that folder succeeds in one process only. The bytes of a live process,
    or of a process on another machine, are copied instead.

    Args:
        resting: path of the download's folder while no process writes to it.
    """
    own, others = resting.with_name(own_name(resting.name)), process_folders(resting)
    with disk_faults(resting, "write"):
        usable = [path for path in abandoned_folders(resting, others) if _is_usable(path)]
        for path in sorted(usable, key=partial_size, reverse=True):
            with suppress(OSError):  # another process was faster, or permissions forbid renaming
                path.rename(own)
                break
        for path in usable:
            clear(path)
    if others and not own.exists():
        _copy_most(others, own)
    return own


def _is_usable(path: Path) -> bool:
    """Return whether this user can resume a download, even one that another user started."""
    data = path / "data"
    mode = os.R_OK | os.W_OK
    return os.access(path, mode | os.X_OK) and (not data.exists() or os.access(data, mode))


def abandoned_folders(resting: Path, others: Sequence[Path]) -> list[Path]:
    """Return the folders of an unfinished download that no live process writes to.

    Args:
        resting: path of the download's folder while no process writes to it.
        others: `process_folders` of the same download.
    """
    at_rest = [resting] if resting.is_dir() and not resting.is_symlink() else []
    return at_rest + list(filter(is_orphan, others))


def process_folders(resting: Path) -> list[Path]:
    """Return the folders of all processes, live or dead, for one file or table."""
    prefix = f"{resting.name}."
    try:
        with os.scandir(resting.parent) as entries:  # much faster than `Path.glob`
            return [
                Path(item) for item in entries if item.name.startswith(prefix) and item.is_dir()
            ]
    except OSError:
        return []


def partial_size(path: Path) -> int:
    """Return how many bytes of an unfinished download a folder has; 0 if it has no download."""
    size = regular_size(path / "data")
    if not size or path.is_symlink():
        return 0
    journal = read_journal(path / "journal")
    return size if journal is None else min(journal[1].total, size)


def _copy_most(others: Sequence[Path], own: Path) -> None:
    """Copy the largest partial download of another process, which can be alive but stuck.

    The journal is copied first, so that it lists no bytes that are written later.
    """
    source = max(others, key=partial_size)
    if not partial_size(source):
        return
    try:
        own.mkdir()
        with suppress(FileNotFoundError):
            _copy(source / "journal", own / "journal")
        _copy(source / "data", own / "data")
    except OSError:
        clear(own)


def _copy(source: Path, target: Path) -> None:
    with open_file(source) as file, target.open("xb") as sink:
        shutil.copyfileobj(file, sink, CHUNK)
