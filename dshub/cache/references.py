"""Verified files that stay where a person has them: a small record of each in the cache.

A file is known again by its place, size and time of change, as build tools do; `dshub verify`
reads all of its bytes.
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
    """A file outside of the cache.

    Attributes:
        path: where it lies.
        size: bytes.
        changed: when, in nanoseconds since the epoch, as it was when its checksum was computed.
    """

    path: PathText
    size: Count
    changed: Moment

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> "Reference":
        """A reference to a file, from what was seen of it before it was read."""
        return cls(str(path.absolute()), status.st_size, status.st_mtime_ns)

    @property
    def fault(self) -> str:
        """Why the file cannot be used any more; empty where it can."""
        try:
            status = Path(self.path).stat()
        except FileNotFoundError:
            return "it was imported by reference and is gone"
        except OSError as error:
            return f"it was imported by reference: {error.strerror or error}"
        if status.st_size != self.size:
            told = f"{status.st_size:,} bytes, and had {self.size:,}"
            return f"it has changed since it was imported by reference: it has {told}"
        if status.st_mtime_ns != self.changed:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.st_mtime))
            return f"it has changed since it was imported by reference, at {moment}"
        return ""

    def encoded(self) -> bytes:
        """The record as it is kept."""
        return json.dumps(asdict(self), indent=1).encode()


def read_reference(path: Path) -> Reference | None:
    """The reference in a record; None where there is none, or it cannot be understood."""
    with suppress(OSError, ValueError):
        return decode_paths(read_file(path), Reference)
    return None
