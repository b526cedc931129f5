"""Folders as mirrors, and opening any kind of mirror.

A folder that is a mirror: any web server, rsync or a stick can take it from there.
"""

import errno
import io
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from dshub.cache.disk import disk_faults, refuse_links
from dshub.cache.files import open_file, replace_file
from dshub.cache.locks import lock
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.paths import PARTIAL
from dshub.cache.store import Store
from dshub.checksums import CHUNK
from dshub.display import Address
from dshub.errors import StoreError
from dshub.mirrors.bucket import BucketDestination
from dshub.mirrors.destinations import BUCKETS, Destination, How

FICLONE = 0x40049409  # of Linux: the new file shares the blocks of the old one (man ioctl_ficlone)
PATIENCE = 60.0  # seconds for another process to finish its index


class FolderDestination:
    """A mirror on a file system.

    What is being written lies in `partial-v1`, and moves to its name when it is complete.

    Args:
        root: the folder; made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.title, self.address = root, str(root), str(root.absolute())
        self._store = Store(root, tagged=False)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none, or a link."""
        path = self.root / name
        with disk_faults(path, "read"):
            try:
                status = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def names(self) -> Iterator[str]:
        """Every file of the mirror, sorted."""
        for bucket in BUCKETS:
            for parent, folders, files in os.walk(self.root / bucket, onerror=_unlisted):
                folders.sort()
                for file in sorted(files):
                    yield Path(parent, file).relative_to(self.root).as_posix()

    def open(self, name: str) -> BinaryIO:
        """A file, to be read."""
        try:
            return io.BufferedReader(open_file(self.root / name))
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(path=self.title, action="read", reason=f"{name}: {reason}") from error

    def put(self, path: Path, name: str) -> How:
        """Clone, link or copy a file: the first of these that works here."""
        target, mine = self.root / name, self._own("file")
        with disk_faults(target, "write"):
            try:
                how = _take(path, mine)
                self._make(target.parent)
                mine.replace(target)
            finally:  # a link replaced by another one to the same file stays: POSIX wants it so
                mine.unlink(missing_ok=True)
        return how

    def write(self, name: str, data: bytes) -> None:
        """Publish some bytes by rename, once they are on the disk."""
        target, mine = self.root / name, self._own("text")
        with disk_faults(target, "write"):
            self._make(target.parent)
            replace_file(target, data, mine, sync=True)

    def remove(self, name: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        path = self.root / name
        with disk_faults(path, "remove"):
            refuse_links(self.root, path.parent)
            path.unlink(missing_ok=True)
        with suppress(OSError):  # one that is not empty
            for folder in path.relative_to(self.root).parents[:-1]:
                (self.root / folder).rmdir()

    def set_aside(self, name: str) -> str:
        """Move a damaged file to `partial-v1`."""
        return str(self._store.set_aside(self.root / name))

    def free(self) -> int | None:
        """Bytes free on its file system."""
        return self._store.free()

    def costs(self, path: Path) -> bool:
        """Whether a file lies on another file system, so that it has to be copied."""
        folder = next((item for item in (self.root, *self.root.parents) if item.exists()), None)
        with suppress(OSError):
            return folder is None or folder.stat().st_dev != path.stat().st_dev
        return True

    def locked(self) -> AbstractContextManager[object]:
        """Hold the lock of the index."""
        return lock(self._own("index").with_name("index"), patience=PATIENCE)

    def sweep(self) -> None:
        """Remove what dead processes left half-written; unfinished downloads stay."""
        with suppress(OSError):
            for path in (self.root / PARTIAL).iterdir():
                if path.name.startswith(("file.", "text.")) and is_orphan(path):
                    path.unlink()

    def fetching_store(self, cache: Store) -> Store:
        """Files are fetched to where they stay; what the cache has was taken before."""
        del cache
        return self._store

    def _own(self, stem: str) -> Path:
        """A name of this process's alone, in a folder that is there."""
        path = self.root / PARTIAL / own_name(stem)
        with disk_faults(self.root, "write"):
            self._make(path.parent)
        return path

    def _make(self, folder: Path) -> None:
        refuse_links(self.root, folder)
        folder.mkdir(parents=True, exist_ok=True)


def _unlisted(error: OSError) -> None:
    """Raise where a folder cannot be listed: what is in it must not pass for missing."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return
    reason = error.strerror or str(error)
    raise StoreError(path=str(error.filename), action="read", reason=reason) from error


def _take(path: Path, mine: Path) -> How:
    """Make `mine` a file with the bytes of `path`; a clone stays whole if the other is changed."""
    if _clone(path, mine):
        return "reflink"
    mine.unlink(missing_ok=True)
    with suppress(OSError):  # another file system, one without links, or too many of them
        mine.hardlink_to(path)
        return "hard link"
    with open_file(path, follow=True) as source, mine.open("xb") as target:
        shutil.copyfileobj(source, target, CHUNK)
        target.flush()
        os.fsync(target.fileno())
    return "copy"


def _clone(path: Path, mine: Path) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    with open_file(path, follow=True) as source, mine.open("xb") as target:
        try:
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise
            return False
    return True


def open_destination(dest: str) -> Destination:
    """The place that a path, or an address such as `s3://bucket/mirror`, means.

    Raises:
        MissingExtraError: the extra `cloud` is not installed.
        StoreError: nothing can be written there.
    """
    if Address(dest).is_local:
        return FolderDestination(Address(dest).path)
    if dest.startswith(("http:", "https:")):
        raise StoreError(
            path=dest,
            action="write",
            reason="a web server only gives what it has",
            hint="name the folder that it serves, or a bucket (s3://…, gs://…)",
        )
    return BucketDestination(dest)
