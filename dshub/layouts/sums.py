"""The SHA-256 of each file, gathered while it is read for other reasons.

They are kept as `sha256sum` writes and checks them, a line for each file:
`<hexadecimal digits>  <name>`; see the manual of GNU coreutils, "md5sum invocation".
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dshub.digest import is_hex
from dshub.errors import ReadError
from dshub.files import new_file, open_file, read_file
from dshub.layouts.places import readable
from dshub.store.faults import disk_faults

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Sums:
    """What was read so far. Files may be read in several threads."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._fresh: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def note(self, name: str, digest: str) -> None:
        """A file was read to its end."""
        self._found[name] = digest
        self._fresh.append(name)

    def append(self, path: Path) -> None:
        """Add those that came since this was last called; raises StoreError."""
        fresh, self._fresh = self._fresh, []
        with disk_faults(path, "write"), open_file(path, "ab") as file:
            file.writelines(_line(name, self._found[name]) for name in fresh)

    def write(self, path: Path, names: Iterable[str]) -> str:
        """Write those of some files, which were read, and return the checksum of what is written.

        Raises:
            StoreError: the file cannot be written.
        """
        hasher = hashlib.sha256()
        with disk_faults(path, "write"), new_file(path) as file:
            for name in names:
                line = _line(name, self._found[name])
                hasher.update(line)
                file.write(line)
        return hasher.hexdigest()

    def read(self, path: Path) -> None:
        """Take over what was written; lines that are damaged are passed over."""
        self._found |= dict(written(path))


def written(path: Path) -> Iterator[tuple[str, str]]:
    """Names and checksums that `Sums` wrote; none where there is no such file."""
    try:
        lines = read_file(path).split(b"\n")
    except OSError:
        return
    for line in lines:
        digest, _, name = line.lstrip(b"\\").partition(b"  ")
        if is_hex("sha256", digest.decode("latin-1")) and name:
            text = name.decode("utf-8", "surrogateescape")
            yield (_unescaped(text) if line.startswith(b"\\") else text), digest.decode("ascii")


def _line(name: str, digest: str) -> bytes:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n".encode("utf-8", "surrogateescape")


def _unescaped(name: str) -> str:
    parts = name.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\r", "\r") for part in parts)


class Summed(io.RawIOBase):
    """A stream that is hashed as it is read.

    Args:
        stream: read from its beginning; not closed with this.
        name, size: of the file, as it was listed.
        title: for errors.
        sums: what is told the checksum once the end is reached.
    """

    def __init__(self, stream: BinaryIO, name: str, size: int, *, title: str, sums: Sums) -> None:
        self._stream, self._name, self._size = stream, name, size
        self._title, self._sums = title, sums
        self._hasher, self._done = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        with readable(self._title):
            count: int = self._stream.readinto(view)  # type: ignore[attr-defined]
        self._hasher.update(view[:count])
        self._done += count
        if count == 0 and len(view):
            self._end()
        return count

    def _end(self) -> None:
        if self._done != self._size:
            reason = f"it has {self._done:,} bytes, but had {self._size:,} when it was listed"
            hint = "something changes it: wait until that is over, and import it again"
            raise ReadError(file=self._title, reason=reason, hint=hint)
        if self._name not in self._sums:
            self._sums.note(self._name, self._hasher.hexdigest())
