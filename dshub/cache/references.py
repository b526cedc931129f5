"""References to verified files outside the cache.

A file counts as unchanged if its path, size and modification time are the same, as for build
tools. `dshub verify` reads its bytes.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dshub._validate import Count, Moment, PathText, decode_paths
from dshub.cache.files import read_file


@dataclass(frozen=True)
class Reference:
    """A file outside the cache.

    Attributes:
        path: where it is.
        size: bytes.
        changed: its modification time when its checksum was computed, in nanoseconds.
    """

    path: PathText
    size: Count
    changed: Moment

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> "Reference":
        """Make a reference to a file, with its status from before its bytes were read."""
        return cls(str(path.absolute()), status.st_size, status.st_mtime_ns)

    @property
    def fault(self) -> str:
        """Why the file can no longer be used; empty if it can."""
        try:
            status = Path(self.path).stat()
        except FileNotFoundError:
            return "it was imported by reference and has been moved or deleted"
        except OSError as error:
            return f"it was imported by reference: {error.strerror or error}"
        change = ""
        if status.st_size != self.size:
            change = f": it has {status.st_size:,} bytes, and had {self.size:,}"
        elif status.st_mtime_ns != self.changed:
            change = time.strftime(", at %Y-%m-%d %H:%M:%S", time.localtime(status.st_mtime))
        return change and f"it has changed since it was imported by reference{change}"

    def encoded(self) -> bytes:
        """The bytes of the record."""
        return json.dumps(asdict(self), indent=1).encode()


def read_reference(path: Path) -> Reference | None:
    """Read a reference; None if there is none, or it is damaged."""
    with suppress(OSError, ValueError):
        return decode_paths(read_file(path), Reference)
    return None
