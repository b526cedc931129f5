"""The store: the cache of one user, with the read-only layers below it, and pins.

The cache of one user, with the read-only layers below it.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from dshub.cache import paths as layout
from dshub.cache.disk import disk_faults, refuse_links
from dshub.cache.files import is_foreign, replace_file
from dshub.cache.journal import arrived, claim, remains
from dshub.cache.locks import Waiting, lock
from dshub.cache.owners import is_orphan, own_name
from dshub.cache.partial import Partial
from dshub.cache.references import Reference, read_reference
from dshub.cache.usage import touch
from dshub.checksums import Digest
from dshub.errors import DshubError, Vanished


def _regular_size(path: Path) -> int | None:
    """Bytes of a regular file; None where there is none, or its folder is closed to this user."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class Store:
    """Finds what is kept, and publishes what is new.

    Args:
        root: the folder that is written to; made when something is first written.
        layers: read-only caches searched after it.
        patience: seconds without progress of another process that is writing the same thing,
            before the work is done a second time under a private name.
        tagged: put a CACHEDIR.TAG into it, which tells backup programs to pass by.
    """

    def __init__(
        self,
        root: Path,
        layers: Sequence[Path] = (),
        *,
        patience: float = 60.0,
        tagged: bool = True,
    ) -> None:
        self.root, self.layers, self.patience = root, tuple(layers), patience
        self._tagged = tagged

    @property
    def places(self) -> list[Path]:
        """The folders searched, in order."""
        return [self.root, *self.layers]

    def find(self, relative: PurePosixPath) -> Path | None:
        """The first layer's path of that relative name, or None."""
        for place in self.places:
            path = place / relative
            if os.path.lexists(path) and self._may_read(place, path):
                return path
        return None

    def blob(self, digest: Digest, size: int | None = None) -> Path | None:
        """The verified file with that checksum, or None.

        It may lie outside of the cache, where it was imported so. A file that is no regular
        file, or whose size differs from `size`, is no hit: something outside dshub has changed it.
        """
        for place in self.places:
            path = place / layout.blob_path(digest)
            there = _regular_size(path)
            if there is not None and size in {None, there} and self._may_read(place, path):
                return path
        reference = self.reference(digest)
        if reference is not None and size in {None, reference.size} and not reference.fault:
            return Path(reference.path)
        return None

    def reference(self, digest: Digest) -> Reference | None:
        """Where a file with that checksum was imported that stays outside; also if it is gone."""
        path = self.find(layout.reference_path(digest))
        return read_reference(path) if path is not None else None

    def is_foreign(self, path: Path, digest: Digest) -> bool:
        """Whether another user put a file here, or the note that says where it lies.

        Root is trusted: it can change every file, and often keeps the cache of a site.
        """
        note = self.find(layout.reference_path(digest))
        inside = any(path.is_relative_to(place) for place in self.places)
        with suppress(FileNotFoundError):
            return is_foreign(path if inside or note is None else note)
        return False

    def refer(self, digest: Digest, reference: Reference) -> None:
        """Note that a file with that checksum lies outside; raises StoreError."""
        self.write_text(layout.reference_path(digest), reference.encoded())

    def table(self, name: str, key: str) -> Path | None:
        """The folder of a prepared table, or None."""
        for place in self.places:
            path = place / layout.table_path(name, key)
            label = path / "table.json"
            if _regular_size(label) is not None and self._may_read(place, label):
                return path
        return None

    def _may_read(self, place: Path, path: Path) -> bool:
        """Whether a file of a layer is for this user; of the own cache, reading it says why not."""
        return place == self.root or os.access(path, os.R_OK)

    @contextmanager
    def partial(
        self,
        digest: Digest,
        size: int | None = None,
        *,
        waiting: Callable[[Waiting], None] = lambda _: None,
    ) -> Iterator[Partial]:
        """The partial download of a file, locked against other processes where locks work.

        What an earlier process left is taken over. The bytes are written under a name that is
        this process's alone, so that a lock that lies costs bandwidth and nothing else; when the
        block ends without a publication, they are left for the next process.

        Args:
            digest: of the file.
            size: of the file in bytes, where it is known.
            waiting: told for whom this process waits.
        """
        resting = self.root / layout.partial_path(digest)

        def done() -> bool:
            return self.blob(digest, size) is not None

        with self._lock(resting, done=done, waiting=waiting) as owned:
            with Partial(claim(resting), digest) as partial:
                try:
                    yield partial
                finally:
                    partial.leave(resting)
            if owned and done():
                # whoever got this lock in the meantime looks for the file before all else
                with suppress(OSError):
                    resting.with_name(f"{resting.name}.lock").unlink()

    def kept(self, digest: Digest) -> int:
        """Bytes of an unfinished download that the next one will go on with."""
        with suppress(OSError):
            left = remains(self.root / layout.partial_path(digest))
            return max(map(arrived, left), default=0)
        return 0

    def _lock(self, path: Path, **options: Any) -> AbstractContextManager[bool]:
        self._make(path.parent)
        return lock(path, patience=self.patience, **options)

    def table_lock(
        self,
        name: str,
        key: str,
        *,
        waiting: Callable[[Waiting], None] = lambda _: None,
    ) -> AbstractContextManager[bool]:
        """Hold the lock of a table that is about to be made; see `dshub.cache.locks`."""
        path = self.root / layout.PARTIAL / f"table-{key}"
        return self._lock(path, done=lambda: self.table(name, key) is not None, waiting=waiting)

    def publish(self, partial: Partial) -> Path:
        """Move a partial whose bytes were checked to its final name, and return that."""
        target = self.root / layout.blob_path(partial.digest)
        self._make(target.parent)
        if target.is_dir() and not target.is_symlink():
            self.set_aside(target)
        partial.publish(target)
        self._rejected(partial.digest).unlink(missing_ok=True)
        return target

    def reject(self, partial: Partial) -> Path:
        """Keep bytes that are not the published ones where a person can look at them.

        The last ones of a file are kept, until the file has arrived or `dshub cache` removes
        them.
        """
        aside = self._rejected(partial.digest)
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        partial.reject(aside)
        return aside

    def _rejected(self, digest: Digest) -> Path:
        return self.root / layout.PARTIAL / f"rejected-{digest.hex}"

    def damaged(self, digest: Digest, size: int | None) -> Path | None:
        """Content of a file that was found damaged: put aside, or not of its size where it lies."""
        place = layout.blob_path(digest)
        aside, final = self._aside(place), self.root / place
        if aside.is_file() and not aside.is_symlink():
            return aside
        if final.is_file() and not final.is_symlink() and final.stat().st_size != size:
            return final
        return None

    def salvage(self, partial: Partial, size: int | None) -> bool:
        """Take what was found damaged of a file for what has arrived of it, if there is any."""
        path = self.damaged(partial.digest, size)
        if path is None:
            return False
        partial.replace(path)
        return True

    def take(self, path: Path, digest: Digest) -> None:
        """Move a file of the cache's file system, whose bytes were checked, under its checksum."""
        target = self.root / layout.blob_path(digest)
        self._make(target.parent)
        if target.is_dir() and not target.is_symlink():
            self.set_aside(target)
        with disk_faults(target, "write"):
            path.replace(target)

    def adopt(self, path: Path) -> Digest:
        """Move a finished file of ours, from the cache's own file system, under its checksum."""
        digest = Digest.of_file(path)
        self.take(path, digest)
        return digest

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the cache's file system, gone when the block ends."""
        folder = self.root / layout.PARTIAL / own_name("scratch")
        self._make(folder.parent)
        with disk_faults(folder, "write"):
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def scratch_folder(self) -> Path:
        """A folder on the cache's file system, for files that have no name in it."""
        folder = self.root / layout.PARTIAL
        self._make(folder)
        return folder

    @contextmanager
    def new_table(self, name: str, key: str, *, orphans: bool = False) -> Iterator[Path]:
        """A folder that becomes the table when the block ends well, and goes otherwise.

        It is empty, or has what a killed process finished. A person's interruption leaves it to
        the next process, if it has a journal. If another process has published the same table
        meanwhile, its table stays.

        Args:
            name: of the dataset.
            key: of the recipe.
            orphans: take over what killed processes left of this table: only while a lock is
                held.
        """
        folder = self.root / layout.PARTIAL / own_name(f"table-{key}")
        target = self.root / layout.table_path(name, key)
        self._make(folder.parent)
        if not (orphans and self._adopt_table(folder, key)):
            with disk_faults(folder, "write"):
                folder.mkdir()
        try:
            yield folder
            with disk_faults(target, "write"):
                self._publish_table(folder, target)
        except KeyboardInterrupt:
            if not (folder / layout.JOURNAL).is_file():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)

    def _adopt_table(self, folder: Path, key: str) -> bool:
        """Take over what a killed process has of a table, if it is of use; the rest goes.

        Not from another user: the journal alone says what the rows are.
        """
        left = [path for path in folder.parent.glob(f"table-{key}.*") if is_orphan(path)]
        sizes = {path: _regular_size(path / layout.JOURNAL) for path in left}
        with suppress(OSError):
            useful = {path: size for path, size in sizes.items() if size and not is_foreign(path)}
            if useful:
                max(useful, key=lambda path: useful[path]).rename(folder)
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return folder.is_dir()

    def _publish_table(self, folder: Path, target: Path) -> None:
        if os.path.lexists(target) and not (target / "table.json").is_file():
            self.set_aside(target)
        self._make(target.parent)
        try:
            folder.rename(target)
        except OSError:
            if not (target / "table.json").is_file():
                raise

    def write_text(self, relative: PurePosixPath, data: bytes) -> Path:
        """Publish a small file by rename, and return its path."""
        target = self.root / relative
        self._make(target.parent)
        temporary = self.root / layout.PARTIAL / own_name("text")
        self._make(temporary.parent)
        with disk_faults(target, "write"):
            replace_file(target, data, temporary)
        return target

    @contextmanager
    def using(self, paths: Iterable[Path]) -> Iterator[None]:
        """Turn an error inside the block into Vanished if a path is gone.

        `dshub cache` in another process can remove a file between finding and opening it.
        """
        paths = list(paths)
        try:
            yield
        except (DshubError, OSError) as error:
            gone = next((path for path in paths if not os.path.lexists(path)), None)
            if gone is not None:
                raise Vanished(path=str(gone)) from error
            raise

    def touch(self, path: Path) -> None:
        """Note that a raw file, or a table's folder, is used now: `dshub cache` goes by it.

        Only in the folder that is written to, as well as it goes, and never an error.
        """
        if path.is_relative_to(self.root):
            touch(path)

    def set_aside(self, path: Path) -> Path:
        """Move damaged content away from its final name, where a person can look at it."""
        aside = self._aside(path.relative_to(self.root))
        self._make(aside.parent)
        with disk_faults(path, "move"):
            refuse_links(self.root, path.parent)
            if aside.is_dir() and not aside.is_symlink():
                shutil.rmtree(aside)
            else:
                aside.unlink(missing_ok=True)
            path.replace(aside)
        return aside

    def _aside(self, relative: PurePath) -> Path:
        return self.root / layout.PARTIAL / f"damaged-{'-'.join(relative.parts[1:])}"

    def free(self) -> int | None:
        """Bytes free for the cache, or None where the system does not tell."""
        for folder in (self.root, *self.root.parents):
            with suppress(OSError):
                return shutil.disk_usage(folder).free
        return None

    def _make(self, folder: Path) -> None:
        with disk_faults(folder, "write"):
            refuse_links(self.root, folder)
            if folder.is_dir():
                return
            if not self.root.is_dir():
                self.root.mkdir(parents=True, exist_ok=True)
            tag = self.root / layout.CACHEDIR_FILE
            if self._tagged:
                with suppress(FileExistsError), tag.open("xb") as file:
                    file.write(layout.CACHEDIR_TAG.encode())
            folder.mkdir(parents=True, exist_ok=True)


def pinned(store: Store) -> set[str]:
    """The names that are pinned in the cache that is written to."""
    bucket = store.root / layout.PINS
    found = bucket.rglob(f"*{layout.PIN_SUFFIX}")
    return {
        path.relative_to(bucket).as_posix().removesuffix(layout.PIN_SUFFIX)
        for path in found
        if path.is_file() and layout.is_ours(path.relative_to(store.root))
    }


def pin(store: Store, name: str) -> None:
    """Pin a dataset; one that is pinned stays so.

    Raises:
        StoreError: the cache cannot be written.
    """
    if name not in pinned(store):
        words = f"pinned {time.strftime('%Y-%m-%d %H:%M:%S')}; `dshub cache unpin {name}` ends it\n"
        store.write_text(layout.pin_path(name), words.encode())


def unpin(store: Store, name: str) -> None:
    """Let a dataset go again.

    Raises:
        StoreError: the cache cannot be written.
    """
    path = store.root / layout.pin_path(name)
    with disk_faults(path, "remove"), suppress(FileNotFoundError):
        path.unlink()
