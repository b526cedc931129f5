"""Write the files of a mirror to a folder, or to a bucket through fsspec.

A file name is a path in the mirror with forward slashes, such as `blobs-v1/3a/3aede38d…`. Every
write is atomic: an interrupted write leaves no file under the final name.
"""

import errno
import io
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from dshub.cache.disk import disk_faults, refuse_links, remove
from dshub.cache.files import clone_file, open_file, replace_file
from dshub.cache.locks import lock
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.store import Store
from dshub.checksums import CHUNK
from dshub.display import Address, cause, shown_url, without_secrets
from dshub.errors import DshubError, MissingExtraError, StoreError

How = Literal["reflink", "hard link", "copy", "upload"]

BUCKETS = ("blobs-v1/", "registry/", "tables-v1/")  # folders that dshub writes
LOCK_TIMEOUT = 60.0  # seconds to wait while another process writes the index
HINT = "check the bucket address and the permissions of your credentials"


class FolderDestination:
    """Mirror in a folder.

    Files are written to `partial-v1` and renamed when complete. Methods raise StoreError if the
    mirror cannot be read or written.

    Args:
        root: path of the mirror; created on the first write.

    Attributes:
        title: name of the mirror in messages.
        address: value for `DSHUB_MIRROR`.
        store: the mirror as a cache, so that downloads go straight into it.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.title, self.address = root, str(root), str(root.absolute())
        self.store = Store(root, tagged=False)

    def size(self, name: str) -> int | None:
        """Return the size of a regular file in bytes; None for anything else."""
        path = self.root / name
        with disk_faults(path, "read"), suppress(FileNotFoundError, NotADirectoryError):
            status = os.lstat(path)
            return status.st_size if stat.S_ISREG(status.st_mode) else None
        return None

    def names(self) -> Iterator[str]:
        """Yield every file in `BUCKETS`, sorted within each folder."""
        for bucket in BUCKETS:
            for parent, folders, files in os.walk(self.root / bucket, onerror=_raise_unlisted):
                folders.sort()
                for file in sorted(files):
                    yield Path(parent, file).relative_to(self.root).as_posix()

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            FileNotFoundError: the file does not exist.
            StoreError: the file cannot be read.
        """
        try:
            return io.BufferedReader(open_file(self.root / name))
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(path=self.title, action="read", reason=f"{name}: {reason}") from error

    def put(self, path: Path, name: str) -> How:
        """Add a file to the mirror as a clone, hard link or copy, whichever works first."""
        target, temporary = self.root / name, self.store.scratch_folder() / own_name("file")
        with disk_faults(target, "write"):
            try:
                how = _take(path, temporary)
                self._make_folder(target.parent)
                temporary.replace(target)
            finally:  # rename does nothing if both paths are links to the same file
                temporary.unlink(missing_ok=True)
        return how

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically and sync it to disk, replacing any existing file."""
        target, temporary = self.root / name, self.store.scratch_folder() / own_name("text")
        with disk_faults(target, "write"):
            self._make_folder(target.parent)
            replace_file(target, data, temporary, sync=True)

    def _make_folder(self, folder: Path) -> None:
        refuse_links(self.root, folder)
        folder.mkdir(parents=True, exist_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file, and any folders that become empty."""
        remove(self.root, self.root / name)
        with suppress(OSError):  # a folder still has files
            for folder in Path(name).parents[:-1]:
                (self.root / folder).rmdir()

    def set_aside(self, name: str) -> str:
        """Move a damaged file to `partial-v1` and return its new path."""
        return str(self.store.set_aside(self.root / name))

    def needs_copy(self, path: Path) -> bool:
        """Return True if a file is on another file system, so that adding it copies all bytes."""
        with suppress(OSError):
            folder = next(item for item in (self.root, *self.root.parents) if item.exists())
            return folder.stat().st_dev != path.stat().st_dev
        return True

    def locked(self) -> AbstractContextManager[object]:
        """Return a lock on the index, after removing partial files of dead processes."""
        folder = self.store.scratch_folder()
        with suppress(OSError):
            for path in folder.iterdir():
                if path.name.startswith(("file.", "text.")) and is_orphan(path):
                    path.unlink()
        return lock(folder / "index", patience=LOCK_TIMEOUT)


def _raise_unlisted(error: OSError) -> None:
    """Raise StoreError if a folder cannot be listed, so that its files do not seem missing."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        with disk_faults(Path(error.filename), "read"):
            raise error


def _take(path: Path, target: Path) -> How:
    """Clone, hard link or copy a file; a clone is unaffected by later changes to `path`."""
    try:
        clone_file(path, target)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
    else:
        return "reflink"
    target.unlink(missing_ok=True)
    with suppress(OSError):  # another file system, no support for links, or too many links
        target.hardlink_to(path)
        return "hard link"
    with open_file(path, follow=True) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink, CHUNK)
        sink.flush()
        os.fsync(sink.fileno())
    return "copy"


class BucketDestination:
    """Mirror in an object store, where writes are atomic.

    Object stores have no locks, so only one process at a time can write a mirror.

    Args:
        url: address of the mirror.

    Attributes:
        title: name of the mirror in messages, without secrets.
        address: value for `DSHUB_MIRROR`.
        store: None, because files are downloaded to the cache and then uploaded.

    Raises:
        MissingExtraError: fsspec, or its backend for the address, is not installed.
        StoreError: fsspec rejects the address.
    """

    def __init__(self, url: str) -> None:
        self.address, self.store = url.rstrip("/"), None
        self.title = shown_url(self.address)
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtraError(package="fsspec", extra="cloud") from error
        with self._faults("open", self.title):
            file_system, top = url_to_fs(self.address)
        self._files: Any = file_system
        self._top = str(top).rstrip("/")
        self._files.invalidate_cache()

    def _path(self, name: str) -> str:
        return f"{self._top}/{name}"

    @contextmanager
    def _faults(self, action: str, name: str) -> Iterator[None]:
        """Convert exceptions of the fsspec backend to dshub errors."""
        try:
            yield
        except (DshubError, FileNotFoundError):
            raise
        except ImportError as error:
            package = f"a backend for {name}"
            raise MissingExtraError(package=package, extra="cloud") from cause(error, self.address)
        except Exception as error:  # noqa: BLE001  # backends raise exceptions of many types
            reason = without_secrets(str(error), self.address) or type(error).__name__
            raise StoreError(path=name, action=action, reason=reason, hint=HINT) from cause(
                error, self.address
            )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """Size in bytes of each object, listed only once to save requests."""
        sizes: dict[str, int] = {}
        for bucket in BUCKETS:
            with self._faults("list", f"{self.title}/{bucket}"):
                try:
                    listed = self._files.find(self._path(bucket.rstrip("/")), detail=True)
                except FileNotFoundError:
                    listed = {}
                for path, facts in listed.items():
                    sizes[str(path)[len(self._top) :].lstrip("/")] = int(facts["size"])
        return sizes

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes; None if it does not exist."""
        return self._sizes.get(name)

    def names(self) -> Iterator[str]:
        """Yield every object in `BUCKETS`, sorted."""
        yield from sorted(name for name in self._sizes if name.startswith(BUCKETS))

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading; see `FolderDestination.open`."""
        with self._faults("read", f"{self.title}/{name}"):
            return cast("BinaryIO", self._files.open(self._path(name), "rb"))

    def put(self, path: Path, name: str) -> How:
        """Upload a file."""
        with self._faults("write", f"{self.title}/{name}"):
            self._make_parent(name)
            self._files.put_file(str(path), self._path(name))
        self._sizes[name] = path.stat().st_size
        return "upload"

    def write(self, name: str, data: bytes) -> None:
        """Write an object, replacing any existing one."""
        with self._faults("write", f"{self.title}/{name}"):
            self._make_parent(name)
            self._files.pipe_file(self._path(name), data)
        self._sizes[name] = len(data)

    def _make_parent(self, name: str) -> None:
        """Create the parent folder of a file, for backends that have folders."""
        parent = self._path(name).rpartition("/")[0]
        if not isinstance(self._files.protocol, str) and "s3" in self._files.protocol:
            return  # s3fs would try to create the bucket
        self._files.makedirs(parent, exist_ok=True)

    def remove(self, name: str) -> None:
        """Remove an object."""
        with self._faults("remove", f"{self.title}/{name}"):
            self._files.rm_file(self._path(name))
        self._sizes.pop(name, None)

    def set_aside(self, name: str) -> str:
        """Move a damaged object to `partial-v1` and return its new address."""
        aside = f"partial-v1/damaged-{name.replace('/', '-')}"
        with self._faults("move", f"{self.title}/{name}"):
            self._make_parent(aside)
            self._files.mv(self._path(name), self._path(aside))
        self._sizes.pop(name, None)
        return f"{self.title}/{aside}"

    def needs_copy(self, _path: Path) -> bool:
        """Return True, because every file is uploaded."""
        return True

    def locked(self) -> AbstractContextManager[object]:
        """Return a context manager that does nothing, because object stores have no locks."""
        return nullcontext()


Destination = FolderDestination | BucketDestination


def open_destination(dest: str) -> Destination:
    """Open the mirror at a path, or at an address such as `s3://bucket/mirror`.

    Raises:
        MissingExtraError: the extra `cloud` is not installed.
        StoreError: the address is an HTTP URL, or fsspec rejects it.
    """
    if Address(dest).is_local:
        return FolderDestination(Address(dest).path)
    if dest.startswith(("http:", "https:")):
        raise StoreError(
            path=dest,
            action="write",
            reason="a web server is read-only",
            hint="pass the folder that the web server serves, or a bucket (s3://…, gs://…)",
        )
    return BucketDestination(dest)
