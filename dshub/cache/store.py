"""Find, publish and pin content in a user's cache and the read-only layers below it."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from dshub.cache import paths
from dshub.cache.disk import clear, disk_faults, refuse_links, remove
from dshub.cache.files import is_foreign, regular_size, replace_file
from dshub.cache.journal import abandoned_folders, claim, partial_size, process_folders
from dshub.cache.locks import Waiting, lock
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.partial import Partial
from dshub.cache.references import Reference, read_reference
from dshub.cache.usage import touch
from dshub.checksums import Digest
from dshub.errors import DshubError, Vanished

if TYPE_CHECKING:
    from dshub.catalog.manifest import Resource


@dataclass(eq=False)
class Store:
    """Cache of files and tables, with read-only layers below it.

    Attributes:
        root: folder to write to, created on the first write.
        layers: read-only caches that are searched after `root`.
        patience: seconds to wait for another process that makes no progress on a file or table,
            before this process does the same work.
        tagged: write a CACHEDIR.TAG, so that backup programs skip the folder.
    """

    root: Path
    layers: Sequence[Path] = ()
    _: KW_ONLY
    patience: float = 60.0
    tagged: bool = True

    @property
    def places(self) -> list[Path]:
        """Folders to search, in order."""
        return [self.root, *self.layers]

    def _candidates(self, relative: PurePosixPath) -> Iterator[Path]:
        """Yield the path in `root`, and the paths in layers that this user can read."""
        yield self.root / relative
        for layer in self.layers:
            if os.access(layer / relative, os.R_OK):
                yield layer / relative

    def find(self, relative: PurePosixPath) -> Path | None:
        """Find a file by its path relative to the cache; return None if it is missing."""
        return next((path for path in self._candidates(relative) if os.path.lexists(path)), None)

    def blob(self, digest: Digest, size: int | None = None) -> Path | None:
        """Find a verified file by its checksum; return None if it is missing.

        The file can be an imported file outside the cache. Anything but a regular file of `size`
        bytes counts as missing, because something other than dshub modified it.
        """
        for path in self._candidates(paths.blob_path(digest)):
            actual = regular_size(path)
            if actual is not None and size in {None, actual}:
                return path
        reference = self.reference(digest)
        if reference is not None and size in {None, reference.size} and not reference.fault:
            return Path(reference.path)
        return None

    def file(self, resource: "Resource") -> Path | None:
        """Find a resource, or its decompressed content; return None if both are missing."""
        path = self.blob(resource.digest, resource.size)
        if path is None and resource.content_digest is not None:
            path = self.blob(resource.content_digest)
        return path

    def reference(self, digest: Digest) -> Reference | None:
        """Read the reference to a file outside the cache, even if the file no longer exists."""
        path = self.find(paths.reference_path(digest))
        return read_reference(path) if path is not None else None

    def is_foreign(self, path: Path, digest: Digest) -> bool:
        """Return whether another user added a file, or a reference to it, to the cache.

        Root is trusted, because it can change every file and often maintains shared caches.
        """
        reference = self.find(paths.reference_path(digest))
        inside = any(path.is_relative_to(place) for place in self.places)
        with suppress(FileNotFoundError):
            return is_foreign(path if inside or reference is None else reference)
        return False

    def refer(self, digest: Digest, reference: Reference) -> None:
        """Write a reference to a file outside the cache; raises StoreError."""
        self.write_text(paths.reference_path(digest), reference.encoded())

    def table(self, name: str, key: str) -> Path | None:
        """Find the folder of a prepared table; return None if it is missing."""
        records = self._candidates(paths.table_path(name, key) / paths.TABLE_FILE)
        return next((path.parent for path in records if regular_size(path) is not None), None)

    @contextmanager
    def partial(
        self,
        digest: Digest,
        size: int | None = None,
        *,
        waiting: Callable[[Waiting], None] = lambda _: None,
    ) -> Iterator[Partial]:
        """Open and lock the partial download of a file, resuming an earlier one.

        Every process writes to its own folder, so a file system without locks costs bandwidth
        only. A download that is not published is left for the next process.

        Args:
            digest: checksum of the file.
            size: size of the file in bytes, if known.
            waiting: called with the process that owns the lock.
        """
        resting = self.root / paths.partial_path(digest)

        def done() -> bool:
            return self.blob(digest, size) is not None

        with self._lock(resting, done=done, waiting=waiting) as locked:
            with Partial(claim(resting), digest) as partial:
                try:
                    yield partial
                finally:
                    partial.leave(resting)
            if locked and done():
                # safe: a process that acquires the lock now searches for the file first
                with suppress(OSError):
                    resting.with_name(f"{resting.name}.lock").unlink()

    def resumable_size(self, digest: Digest) -> int:
        """Return how many bytes of a file are on disk for the next download to resume."""
        with suppress(OSError):
            resting = self.root / paths.partial_path(digest)
            folders = abandoned_folders(resting, process_folders(resting))
            return max(map(partial_size, folders), default=0)
        return 0

    def _lock(self, path: Path, **options: Any) -> AbstractContextManager[bool]:
        self._make(path.parent)
        return lock(path, patience=self.patience, **options)

    def table_lock(
        self, name: str, key: str, *, waiting: Callable[[Waiting], None] = lambda _: None
    ) -> AbstractContextManager[bool]:
        """Hold the lock for preparing a table; see `dshub.cache.locks`."""
        path = self.root / paths.PARTIAL / f"table-{key}"
        return self._lock(path, done=lambda: self.table(name, key) is not None, waiting=waiting)

    def publish(self, partial: Partial) -> Path:
        """Move a complete, verified download to its final path, and return the path."""
        target = self._vacant(partial.digest)
        partial.publish(target)
        self._rejected(partial.digest).unlink(missing_ok=True)
        return target

    def _vacant(self, digest: Digest) -> Path:
        """Return the path for a new file, and set aside a folder at that path."""
        target = self.root / paths.blob_path(digest)
        self._make(target.parent)
        if target.is_dir() and not target.is_symlink():
            self.set_aside(target)
        return target

    def reject(self, partial: Partial) -> Path:
        """Move a download with a wrong checksum aside for inspection, and return its new path.

        It is kept until the next rejected or successful download of the file, or until
        `dshub cache` removes it.
        """
        aside = self._rejected(partial.digest)
        clear(aside)
        partial.reject(aside)
        return aside

    def _rejected(self, digest: Digest) -> Path:
        return self.root / paths.PARTIAL / f"rejected-{digest.hex}"

    def damaged(self, digest: Digest, size: int | None) -> Path | None:
        """Find a damaged file that was set aside, or a file in place with a wrong size."""
        relative = paths.blob_path(digest)
        aside, final = self._aside(relative), self.root / relative
        if regular_size(aside) is not None:
            return aside
        return final if regular_size(final) not in {None, size} else None

    def salvage(self, partial: Partial, size: int | None) -> bool:
        """Start the download from the bytes of a damaged file; return False if there is none."""
        path = self.damaged(partial.digest, size)
        if path is not None:
            partial.replace(path)
        return path is not None

    def take(self, path: Path, digest: Digest) -> None:
        """Move a verified file from elsewhere on the same file system into the cache."""
        target = self._vacant(digest)
        with disk_faults(target, "write"):
            path.replace(target)

    def adopt(self, path: Path) -> Digest:
        """Move a file from the same file system into the cache, and return its checksum."""
        digest = Digest.of_file(path)
        self.take(path, digest)
        return digest

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Create an empty folder on the cache's file system, and remove it after the block."""
        folder = self.scratch_folder() / own_name("scratch")
        with disk_faults(folder, "write"):
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def scratch_folder(self) -> Path:
        """Return the folder for temporary files on the cache's file system."""
        folder = self.root / paths.PARTIAL
        self._make(folder)
        return folder

    @contextmanager
    def new_table(self, name: str, key: str, *, orphans: bool = False) -> Iterator[Path]:
        """Create a folder, and publish it as a table if the block ends without an error.

        With `orphans`, the folder can contain the finished part of a killed process. On Ctrl-C a
        folder with a journal is left for the next process. If another process publishes the
        table first, its table is kept.

        Args:
            name: name of the dataset.
            key: recipe key.
            orphans: take over this table's unfinished folder of a killed process. Requires
                `table_lock`.
        """
        folder = self.scratch_folder() / own_name(f"table-{key}")
        target = self.root / paths.table_path(name, key)
        if not (orphans and self._adopt_table(folder, key)):
            with disk_faults(folder, "write"):
                folder.mkdir()
        leave = False
        try:
            yield folder
            with disk_faults(target, "write"):
                self._publish_table(folder, target)
        except KeyboardInterrupt:
            leave = (folder / paths.JOURNAL).is_file()
            raise
        finally:
            if not leave:
                shutil.rmtree(folder, ignore_errors=True)

    def _adopt_table(self, folder: Path, key: str) -> bool:
        """Take over the largest unfinished table of a killed process, and remove the others.

        Other users' tables are not taken over, because nothing but the journal vouches for the
        rows.
        """
        orphaned = [path for path in folder.parent.glob(f"table-{key}.*") if is_orphan(path)]
        sizes = {path: regular_size(path / paths.JOURNAL) for path in orphaned}
        with suppress(OSError):
            useful = {path: size for path, size in sizes.items() if size and not is_foreign(path)}
            if useful:
                max(useful, key=lambda path: useful[path]).rename(folder)
        for path in orphaned:
            shutil.rmtree(path, ignore_errors=True)
        return folder.is_dir()

    def _publish_table(self, folder: Path, target: Path) -> None:
        record = target / paths.TABLE_FILE
        if os.path.lexists(target) and not record.is_file():
            self.set_aside(target)
        self._make(target.parent)
        try:
            folder.rename(target)
        except OSError:
            if not record.is_file():
                raise

    def write_text(self, relative: PurePosixPath, data: bytes) -> Path:
        """Publish a small file by rename, and return its path."""
        target = self.root / relative
        self._make(target.parent)
        with disk_faults(target, "write"):
            replace_file(target, data, self.scratch_folder() / own_name("text"))
        return target

    @contextmanager
    def using(self, files: Iterable[Path]) -> Iterator[None]:
        """Turn an error inside the block into Vanished if one of the files no longer exists.

        `dshub cache` in another process can remove a file before this process opens it.
        """
        files = list(files)
        try:
            yield
        except (DshubError, OSError) as error:
            gone = next((path for path in files if not os.path.lexists(path)), None)
            if gone is not None:
                raise Vanished(path=str(gone)) from error
            raise

    def touch(self, path: Path) -> None:
        """Mark a raw file or a table folder as used now, ignoring errors and read-only layers."""
        if path.is_relative_to(self.root):
            touch(path)

    def set_aside(self, path: Path) -> Path:
        """Move damaged content aside for inspection, and return its new path."""
        aside = self._aside(path.relative_to(self.root))
        self._make(aside.parent)
        with disk_faults(path, "move"):
            refuse_links(self.root, path.parent)
            clear(aside)
            path.replace(aside)
        return aside

    def _aside(self, relative: PurePath) -> Path:
        return self.root / paths.PARTIAL / f"damaged-{'-'.join(relative.parts[1:])}"

    def free(self) -> int | None:
        """Return the free disk space for the cache in bytes; None if unknown."""
        for folder in (self.root, *self.root.parents):
            with suppress(OSError):
                return shutil.disk_usage(folder).free
        return None

    def _make(self, folder: Path) -> None:
        with disk_faults(folder, "write"):
            refuse_links(self.root, folder)
            if folder.is_dir():
                return
            self.root.mkdir(parents=True, exist_ok=True)
            tag = self.root / paths.CACHEDIR_FILE
            if self.tagged:
                with suppress(FileExistsError), tag.open("xb") as file:
                    file.write(paths.CACHEDIR_TAG.encode())
            folder.mkdir(parents=True, exist_ok=True)


def pinned(store: Store) -> set[str]:
    """Return the names of pinned datasets. Pins in read-only layers are ignored."""
    bucket = store.root / paths.PINS
    return {
        path.relative_to(bucket).as_posix().removesuffix(paths.PIN_SUFFIX)
        for path in bucket.rglob(f"*{paths.PIN_SUFFIX}")
        if path.is_file() and paths.is_ours(path.relative_to(store.root))
    }


def pin(store: Store, name: str) -> None:
    """Pin a dataset, if it is not pinned yet.

    Raises:
        StoreError: the cache is not writable.
    """
    if name not in pinned(store):
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        text = f"pinned {now}; remove with `dshub cache unpin {name}`\n"
        store.write_text(paths.pin_path(name), text.encode())


def unpin(store: Store, name: str) -> None:
    """Unpin a dataset, if it is pinned.

    Raises:
        StoreError: the cache is not writable.
    """
    remove(store.root, store.root / paths.pin_path(name))
