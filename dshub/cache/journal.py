"""Journals of partial downloads, and leftovers of processes that ended.

The journal beside a partial download: which bytes have arrived, and from where.

A text file of fixed-width lines, so that each is rewritten in place by one small write and a
process killed at any moment leaves a journal that can be read. A journal is begun by rename, in
place of the one before. The first line is JSON, the others are ranges of bytes::

    {"url": "https://…", "etag": "…"}                          (padded to 4,095 characters)
    000000000000000 000000012582912
    000000016777216 000000017825792

A journal is never trusted: it saves bandwidth, and the checksum of the whole decides. Without
one, the bytes of a partial are taken to be those from the beginning of the file.
"""

import io
import json
import os
import re
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dshub._validate import ETag, Text, decode_paths
from dshub.cache.disk import clear, disk_faults
from dshub.cache.files import open_file, read_file, replace_file
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.spans import Extents
from dshub.checksums import CHUNK

HEAD = 4096  # bytes of the first line
LINE = 32  # bytes of each further line

_RANGE = re.compile(r"([0-9]{15}) ([0-9]{15})")


@dataclass(frozen=True)
class Origin:
    """Where the bytes of a partial came from.

    Attributes:
        url: the address.
        etag: the strong validator (RFC 9110, 8.8.3) it answered with, or empty.
    """

    url: Text = ""
    etag: ETag = ""


def read_journal(path: Path) -> tuple[Origin, Extents] | None:
    """What a journal says; None where there is none, or none that can be read."""
    try:
        text = read_file(path).decode("utf-8")
        origin = decode_paths(text[:HEAD].encode(), Origin)
    except (OSError, ValueError):
        return None
    extents = Extents()
    for line in text[HEAD:].splitlines():
        match = _RANGE.fullmatch(line)
        if match is not None:
            extents.add(int(match[1]), int(match[2]))
    return origin, extents


class Journal:
    """A journal that is kept up to date while bytes arrive. Its owner's lock guards it.

    Until `begin`, there is none and nothing is recorded.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lines = path, dict[int, int]()
        self._file: io.FileIO | None = None

    @property
    def begun(self) -> bool:
        """Whether it records what happens."""
        return self._file is not None

    def begin(self, origin: Origin, extents: Extents) -> None:
        """Begin with what is there; raises StoreError.

        It replaces whatever has its path. On a full disk the old one stays: without a journal, a
        file with holes would pass for whole.
        """
        self.close()
        lines = [_line(start, stop) for start, stop in extents]
        with disk_faults(self._path, "write"):
            _replace(self._path, _head(origin) + "".join(lines))
            self._file = open_file(self._path, "rb+")
        self._lines = {start: number for number, (start, _) in enumerate(extents)}

    def note(self, origin: Origin) -> None:
        """Record where the bytes come from; raises StoreError."""
        self._put(0, _head(origin))

    def record(self, start: int, stop: int) -> None:
        """Record a range, in place of one with the same start; raises StoreError."""
        number = self._lines.setdefault(start, len(self._lines))
        self._put(HEAD + number * LINE, _line(start, stop))

    def _put(self, offset: int, text: str) -> None:
        if self._file is not None:
            with disk_faults(self._path, "write"):
                self._file.seek(offset)
                self._file.write(text.encode())

    def close(self) -> None:
        """Record nothing more."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def _head(origin: Origin) -> str:
    head = json.dumps({"url": origin.url, "etag": origin.etag})
    if len(head) >= HEAD:
        head = json.dumps({"url": "", "etag": ""})
    return head.ljust(HEAD - 1) + "\n"


def _line(start: int, stop: int) -> str:
    return f"{start:015d} {stop:015d}\n"


def _replace(path: Path, text: str) -> None:
    if path.is_dir() and not path.is_symlink():
        clear(path)
    replace_file(path, text.encode(), path.with_name(own_name(path.name)))


def claim(resting: Path) -> Path:
    """A name that is this process's alone, with the bytes of an earlier process if it left any.

    Those lie under the resting name, or, where that process was killed, under a name of its own.
    Taking them is a rename, which succeeds for one process only. What a process has gathered that
    lives, or of which nobody can tell here whether it does, is never taken but copied.

    Args:
        resting: the name under which unfinished bytes wait.
    """
    own, others = resting.with_name(own_name(resting.name)), beside(resting)
    with disk_faults(resting, "write"):
        found = [path for path in _nobodys(resting, others) if _is_ours(path)]
        for path in sorted(found, key=arrived, reverse=True):
            with suppress(OSError):  # taken by another, or not to be moved by us
                path.rename(own)
                break
        for path in found:
            clear(path)
    if others and not own.exists():
        _copy_most(others, own)
    return own


def _is_ours(path: Path) -> bool:
    """Whether a folder can be gone on with: in a shared cache another person's may be closed."""
    data = path / "data"
    mode = os.R_OK | os.W_OK
    return os.access(path, mode | os.X_OK) and (not data.exists() or os.access(data, mode))


def remains(resting: Path) -> list[Path]:
    """Folders with bytes of an unfinished download that nobody writes to any more."""
    return _nobodys(resting, beside(resting))


def _nobodys(resting: Path, others: Sequence[Path]) -> list[Path]:
    found = [resting] if resting.is_dir() and not resting.is_symlink() else []
    return found + list(filter(is_orphan, others))


def beside(resting: Path) -> list[Path]:
    """The folders of processes that work, or have worked, on the same thing."""
    prefix = f"{resting.name}."
    try:
        with os.scandir(resting.parent) as entries:  # a pattern would cost more than all the rest
            return [
                Path(item) for item in entries if item.name.startswith(prefix) and item.is_dir()
            ]
    except OSError:
        return []


def arrived(path: Path) -> int:
    """Bytes of an unfinished download in a folder; 0 where there is none."""
    if path.is_symlink() or not path.is_dir():
        return 0
    try:
        status = os.lstat(path / "data")
    except OSError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        return 0
    end = status.st_size
    known = read_journal(path / "journal")
    return end if known is None else min(known[1].total, end)


def _copy_most(others: Sequence[Path], own: Path) -> None:
    """Copy the most that another process has: the journal first, so that it promises no more.

    It may live, and not get on; or be of another machine, which cannot be asked.
    """
    source = max(others, key=arrived)
    if not arrived(source):
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
