"""Find and open the files of tables."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dshub import archives
from dshub.cache.disk import disk_faults
from dshub.cache.pointers import LONGEST
from dshub.datasets.media import refuse_pointer
from dshub.datasets.tabular.options import Paths
from dshub.errors import ArgumentError, ReadError


@dataclass(frozen=True, slots=True)
class LooseFile:
    """File on disk that is open only while it is read, because a dataset can have many files.

    Attributes:
        path: path of the file.
        name: name for messages.
        member: path in the folder that was given; empty without one.
    """

    path: Path
    name: str
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading, decompressed.

        Raises:
            ReadError: the file cannot be read.
        """
        with archives.open_files(self.path, title=self.name) as (file,), file.open() as stream:
            yield stream

    def check_size(self, size: int) -> None:
        """Check an uncompressed size against the limits; see `dshub.formats.File`."""
        archives.check_size(size, self.path.stat().st_size, self.name)


def find_files(paths: Paths, suffixes: Sequence[str]) -> list[LooseFile]:
    """Return the files of a table, in the order of `paths`, and sorted within each of them.

    Args:
        paths: files, folders and patterns. `**` in a pattern also matches folders.
        suffixes: suffixes of the files to use in folders. They can be followed by the suffix of a
            compression, as in `a.csv.gz`.

    Raises:
        ArgumentError: `paths` is not a path, or empty.
        ReadError: a path does not exist, a folder or pattern has no files, or a file is a pointer
            of Git LFS, git-annex or DVC.
        StoreError: a file cannot be read.
    """
    single = [paths] if isinstance(paths, str | os.PathLike) else paths
    if not isinstance(single, Iterable):
        raise ArgumentError(name="path", value=paths, expected="a path, a pattern or several paths")
    found = [file for path in single for file in _files(path, suffixes)]
    if not found:
        raise ArgumentError(name="path", value=paths, expected="at least one path")
    for file in found:
        _refuse_pointer(file.path)
    return found


def _refuse_pointer(path: Path) -> None:
    with disk_faults(path, "read"):
        if 0 < path.stat().st_size < LONGEST:
            refuse_pointer(path.read_bytes(), str(path))


def _files(given: str | os.PathLike[str], suffixes: Sequence[str]) -> list[LooseFile]:
    if not isinstance(given, str | os.PathLike):
        raise ArgumentError(name="path", value=given, expected="a path or a pattern")
    path = Path(given)
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if _is_table(file, path, suffixes)]
        reason = f"the folder has no files that end with {' or '.join(suffixes)}"
    elif path.exists():
        return [LooseFile(path, str(path))]
    else:
        names = glob.glob(os.fspath(path), recursive=True)  # noqa: PTH207  # absolute patterns
        files = list(map(Path, sorted(names)))
        files = [file for file in files if file.is_file()]
        is_pattern = glob.has_magic(os.fspath(path))
        reason = "no file matches this pattern" if is_pattern else "there is no such file"
    if not files:
        raise ReadError(file=str(path), reason=reason, hint="correct the path")
    if not path.is_dir():
        return [LooseFile(file, str(file)) for file in files]
    return [LooseFile(file, str(file), file.relative_to(path).as_posix()) for file in files]


def _is_table(file: Path, folder: Path, suffixes: Sequence[str]) -> bool:
    name = file.name.lower()
    packed = next((end for end in archives.stream_suffixes() if name.endswith(end)), "")
    is_hidden = any(part.startswith((".", "__")) for part in file.relative_to(folder).parts)
    return not is_hidden and name.removesuffix(packed).endswith(tuple(suffixes)) and file.is_file()
