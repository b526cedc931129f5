"""What the operating system says about the disk, in dshub's own errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dshub.errors import DiskFullError, StoreError

_FULL = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would pass the largest size allowed here",
}


@contextmanager
def disk_faults(path: Path, action: str) -> Iterator[None]:
    """Turn an OSError inside the block into a StoreError that names the path and the action."""
    try:
        yield
    except OSError as error:
        named = str(error.filename or path)
        if error.errno in _FULL:
            raise DiskFullError(path=named, reason=_FULL[error.errno]) from error
        reason = error.strerror or str(error)
        raise StoreError(path=named, action=action, reason=reason) from error
