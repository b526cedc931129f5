"""Mirrors in folders, for any web server, rsync or a memory stick; and opening a mirror."""

import errno
import io
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from dshub.cache.disk import disk_faults, refuse_links, remove
from dshub.cache.files import clone_file, open_file, replace_file
from dshub.cache.locks import lock
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.store import Store
from dshub.checksums import CHUNK
from dshub.display import Address
from dshub.errors import StoreError
from dshub.mirrors.bucket import BucketDestination
from dshub.mirrors.destinations import BUCKETS, Destination, How

PATIENCE = 60.0  # seconds for another process to write its index


class FolderDestination(Destination):
    """A mirror on a file system.

    Files are written in `partial-v1`, and moved to their names when they are complete.

    Args:
        root: the folder; created when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.title, self.address = root, str(root), str(root.absolute())
        self._store = Store(root, tagged=False)

    def size(self, name: str) -> int | None:
        """Bytes of a regular file; None for anything else."""
        path = self.root / name
        with disk_faults(path, "read"), suppress(FileNotFoundError, NotADirectoryError):
            status = os.lstat(path)
            return status.st_size if stat.S_ISREG(status.st_mode) else None
        return None

    def names(self) -> Iterator[str]:
        """Every file of the mirror, sorted."""
        for bucket in BUCKETS:
            for parent, folders, files in os.walk(self.root / bucket, onerror=_raise_unlisted):
                folders.sort()
                for file in sorted(files):
                    yield Path(parent, file).relative_to(self.root).as_posix()

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        try:
            return io.BufferedReader(open_file(self.root / name))
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(path=self.title, action="read", reason=f"{name}: {reason}") from error

    def put(self, path: Path, name: str) -> How:
        """Clone, link or copy a file: the first of these that works."""
        target, temporary = self.root / name, self._store.scratch_folder() / own_name("file")
        with disk_faults(target, "write"):
            try:
                how = _take(path, temporary)
                self._make_folder(target.parent)
                temporary.replace(target)
            finally:  # POSIX leaves a link in place that replaces another link to the same file
                temporary.unlink(missing_ok=True)
        return how

    def write(self, name: str, data: bytes) -> None:
        """Publish bytes by rename, once they are on the disk."""
        target, temporary = self.root / name, self._store.scratch_folder() / own_name("text")
        with disk_faults(target, "write"):
            self._make_folder(target.parent)
            replace_file(target, data, temporary, sync=True)

    def _make_folder(self, folder: Path) -> None:
        refuse_links(self.root, folder)
        folder.mkdir(parents=True, exist_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file, and folders that become empty."""
        remove(self.root, self.root / name)
        with suppress(OSError):  # a folder is not empty
            for folder in Path(name).parents[:-1]:
                (self.root / folder).rmdir()

    def set_aside(self, name: str) -> str:
        """Move a damaged file to `partial-v1`."""
        return str(self._store.set_aside(self.root / name))

    def free(self) -> int | None:
        """Bytes free on its file system."""
        return self._store.free()

    def costs(self, path: Path) -> bool:
        """Whether a file has to be copied, because it is on another file system."""
        with suppress(OSError):
            folder = next(item for item in (self.root, *self.root.parents) if item.exists())
            return folder.stat().st_dev != path.stat().st_dev
        return True

    def locked(self) -> AbstractContextManager[object]:
        """Hold the lock of the index; files that dead processes left half-written are removed."""
        folder = self._store.scratch_folder()
        with suppress(OSError):
            for path in folder.iterdir():
                if path.name.startswith(("file.", "text.")) and is_orphan(path):
                    path.unlink()
        return lock(folder / "index", patience=PATIENCE)

    def fetching_store(self, cache: Store) -> Store:
        """Fetch into the mirror itself; files of the cache have been taken before."""
        del cache
        return self._store


def _raise_unlisted(error: OSError) -> None:
    """Raise if a folder cannot be listed: its files must not count as missing."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        reason = error.strerror or str(error)
        raise StoreError(path=str(error.filename), action="read", reason=reason) from error


def _take(path: Path, target: Path) -> How:
    """Give `target` the bytes of `path`; best by a clone, which later changes do not affect."""
    try:
        clone_file(path, target)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
    else:
        return "reflink"
    target.unlink(missing_ok=True)
    with suppress(OSError):  # another file system, one without links, or too many of them
        target.hardlink_to(path)
        return "hard link"
    with open_file(path, follow=True) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink, CHUNK)
        sink.flush()
        os.fsync(sink.fileno())
    return "copy"


def open_destination(dest: str) -> Destination:
    """Open the mirror at a path, or at an address such as `s3://bucket/mirror`.

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
            reason="files cannot be written to a web server",
            hint="name the folder that it serves, or a bucket (s3://…, gs://…)",
        )
    return BucketDestination(dest)
