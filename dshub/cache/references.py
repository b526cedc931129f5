"""References to verified files outside the cache.

A file with the recorded path, size and modification time counts as unchanged. `dshub verify` also
checks its content.
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
    """Reference to a file outside the cache.

    Attributes:
        path: absolute path of the file.
        size: size in bytes.
        changed: modification time at the time of hashing, in nanoseconds since the epoch.
    """

    path: PathText
    size: Count
    changed: Moment

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> "Reference":
        """Create a reference to a file from its `stat` result from before it was hashed."""
        return cls(str(path.absolute()), status.st_size, status.st_mtime_ns)

    @property
    def fault(self) -> str:
        """Reason why the file is unusable, or an empty string."""
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
        """Return the reference as JSON."""
        return json.dumps(asdict(self), indent=1).encode()


def read_reference(path: Path) -> Reference | None:
    """Read a reference; return None if it is missing or damaged."""
    with suppress(OSError, ValueError):
        return decode_paths(read_file(path), Reference)
    return None
