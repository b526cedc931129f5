"""How a file that a person has comes into the store: copied, linked, or left where it is."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

from dshub.digest import CHUNK, Digest
from dshub.errors import StoreError
from dshub.files import open_file
from dshub.progress import Progress, size
from dshub.store import Partial, Reference, Store
from dshub.store.faults import disk_faults

Keep = Literal["auto", "copy", "link", "reference"]
"""`copy` gives the cache bytes of its own. `link` gives one file two names, so that a program which
writes into the person's file damages the cache, where `dshub verify` finds it. `reference` leaves
the file where it is and notes where. `auto` shares blocks where the file system can do that, copies
files up to `LARGE`, and refers to larger ones: nothing is risked, and nothing large is there twice.
"""

Kept = Literal["copied", "cloned", "linked", "referenced", "unpacked", "cached"]

LARGE = 1 << 30  # bytes of a file that is not worth a second copy
_FICLONE = 0x40049409  # share a file's blocks: linux/fs.h


def keep_file(
    store: Store, path: Path, digest: Digest, *, keep: Keep, status: os.stat_result, say: Progress
) -> Kept | None:
    """Take a file whose checksum was computed.

    Args:
        store: where it goes.
        path: the file.
        digest: what its bytes hash to.
        keep: how.
        status: of the file before its checksum was computed.
        say: is told where it cannot be kept as asked for.

    Returns:
        How it is kept; None where the file changed meanwhile.

    Raises:
        StoreError: the cache cannot be written, or the file cannot be read any more.
    """
    path = path.resolve()
    if _changed(path, status):
        return None
    if keep == "reference":
        return _refer(store, path, digest, status)
    if keep == "link":
        if _placed(store, path, digest, link=True):
            return "linked"
        say.say(f"{path} cannot be linked to, since it lies on another file system; copying it")
    if _placed(store, path, digest, link=False):
        return "cloned"
    if keep == "auto" and status.st_size > LARGE:
        say.say(f"{path} stays where it is, being {size(status.st_size)}; --copy copies it")
        return _refer(store, path, digest, status)
    return "copied" if copy_file(store, path, digest) else None


def copy_file(store: Store, path: Path, digest: Digest) -> bool:
    """Copy a file's bytes; False where they are others than `digest` says, and nothing is kept."""
    with store.partial(digest) as partial:
        if store.blob(digest) is not None:
            partial.discard()
            return True
        partial.restart()
        with disk_faults(path, "read"), open_file(path, follow=True) as source:
            span = partial.claim(None)
            while span is not None and (piece := source.read(CHUNK)):
                partial.write(span, memoryview(piece))
        return finished(store, partial, digest)


def finished(store: Store, partial: Partial, digest: Digest) -> bool:
    """Publish what has arrived if it hashes to `digest`; drop it otherwise."""
    if partial.actual == digest:
        store.publish(partial)
        return True
    partial.discard()
    return False


def _changed(path: Path, status: os.stat_result) -> bool:
    with disk_faults(path, "read"):
        now = path.stat()
    return (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns)


def _refer(store: Store, path: Path, digest: Digest, status: os.stat_result) -> Kept:
    store.refer(digest, Reference.of(path, status))
    return "referenced"


def _placed(store: Store, path: Path, digest: Digest, *, link: bool) -> bool:
    """Give the cache the file without copying it; False where that cannot be done here."""
    with suppress(OSError), store.scratch() as folder:
        target = folder / "data"
        if link:
            os.link(path, target)
        else:
            _clone(path, target)
        store.take(target, digest)
        return True
    return False


def _clone(path: Path, target: Path) -> None:
    """A second file that shares the blocks of the first until one is written to.

    Raises:
        OSError: the file system cannot do that.
    """
    if sys.platform != "linux":
        raise OSError("known for Linux only")
    import fcntl

    with open_file(path, follow=True) as source, target.open("xb") as sink:
        fcntl.ioctl(sink.fileno(), _FICLONE, source.fileno())


def check_readable(path: Path) -> None:
    """Raise StoreError where there is nothing at a path."""
    if not path.exists():
        raise StoreError(
            path=str(path), action="read", reason="there is no such file", hint="check the path"
        )
