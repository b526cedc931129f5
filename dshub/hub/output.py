"""Write upstream files from the cache into a folder, under their own names."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from dshub.cache.disk import disk_faults
from dshub.cache.files import clone_file
from dshub.cache.owners import own_name
from dshub.cache.store import Store
from dshub.checksums import Digest
from dshub.download.sources import Fetched, Job
from dshub.errors import StoreError

How = Literal["cloned", "linked", "copied", "kept"]


@dataclass(frozen=True)
class Output:
    """An upstream file in a folder of the user.

    Attributes:
        job: the upstream file.
        path: path of the written or existing file.
        how: `cloned` or `linked` if the file shares disk space with the cache, `copied` if it does
            not, `kept` if it existed already. A linked file is read-only, because it is the file in
            the cache.
    """

    job: Job
    path: Path
    how: How


def output_paths(
    jobs: Sequence[Job], folder: Path, store: Store, *, force: bool = False
) -> dict[Job, Path]:
    """Return the path to write each file to, after checking the files that exist there.

    The files of several datasets get a subfolder for each dataset. If the cache has only the
    decompressed content of a file, its name loses the suffix, such as `.gz`.

    Args:
        jobs: upstream files, downloaded or not.
        folder: folder to write to; it need not exist.
        store: cache of the files.
        force: allow existing files with other bytes.

    Raises:
        StoreError: two files have the same path, or a file exists and has other bytes.
    """
    several = len({job.dataset for job in jobs}) > 1
    paths = {
        job: folder / (job.dataset if several else "") / _name(job, store)
        for job in dict.fromkeys(jobs)
    }
    for path, count in Counter(paths.values()).items():
        if count > 1:
            reason, hint = f"{count} files of the dataset have this name", "use `dshub mirror`"
            raise StoreError(path=str(path), action="write", reason=reason, hint=hint)
    for job, path in paths.items():
        if os.path.lexists(path) and not force and not _is_equal(path, job, store):
            reason = "it exists and differs from the file of the dataset"
            hint = "use --force to replace it, or choose another folder"
            raise StoreError(path=str(path), action="write", reason=reason, hint=hint)
    return paths


def write_output(
    fetched: Sequence[Fetched], paths: Mapping[Job, Path], store: Store
) -> list[Output]:
    """Clone, link or copy files from the cache, except for equal files that exist.

    Raises:
        StoreError: a file cannot be written.
        Vanished: another process removed a file from the cache.
    """
    outputs = []
    with store.using(item.path for item in fetched):
        for job, source in {item.job: item.path for item in fetched}.items():
            path = paths[job]
            is_equal = path.is_file() and _is_equal(path, job, store)
            how: How = "kept" if is_equal else _write(source, path, store)
            outputs.append(Output(job, path, how))
    return outputs


def _digest(job: Job, store: Store) -> Digest:
    """Return the checksum of the bytes in the cache, or of the upstream file if there are none."""
    resource = job.resource
    is_packed = store.blob(resource.digest, resource.size) is not None
    if is_packed or resource.content_digest is None or store.file(resource) is None:
        return resource.digest
    return resource.content_digest


def _name(job: Job, store: Store) -> str:
    name = PurePosixPath(job.resource.name).name  # a URL can end with an escaped slash
    name = job.name if name in {"", ".."} else name
    is_unpacked = _digest(job, store) != job.resource.digest
    return PurePosixPath(name).stem if is_unpacked else name


def _is_equal(path: Path, job: Job, store: Store) -> bool:
    digest, size = _digest(job, store), job.resource.size
    if not path.is_file():
        return False
    if digest == job.resource.digest and size not in {None, path.stat().st_size}:
        return False
    with disk_faults(path, "read"):
        return Digest.of_file(path, digest.algorithm) == digest


def _write(source: Path, path: Path, store: Store) -> How:
    """Write a file under a temporary name, and rename it."""
    temporary = path.with_name(own_name(f".{path.name}"))
    ways: dict[How, Callable[[Path, Path], object]] = {"cloned": clone_file}
    if source.is_relative_to(store.root) and sys.platform != "win32":
        ways["linked"] = _link
    with disk_faults(path, "write", hint="choose another folder with --output-dir"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            how = next((how for how, make in ways.items() if _works(make, source, temporary)), None)
            if how is None:
                shutil.copyfile(source, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return how or "copied"


def _works(make: Callable[[Path, Path], object], source: Path, target: Path) -> bool:
    """Return True if `make` created the target."""
    with suppress(OSError):
        make(source, target)
        return True
    target.unlink(missing_ok=True)  # `clone_file` leaves an empty file
    return False


def _link(source: Path, target: Path) -> None:
    """Link a file, and make it read-only, because editing it would change the cache."""
    os.link(source, target)
    source.chmod(source.stat().st_mode & ~0o222)
