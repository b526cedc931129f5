"""Read files in place from archives and compressed files.

Each module implements a format of one of two kinds:

* a `Stream` contains one compressed file (`gz`, `bz2`, `xz`, `zst`);
* a `Container` contains named members (`tar`, `zip`).

Formats are detected from the content, because some files named `.tar.gz` are plain tars. Every
level of compression is removed, around a container (a tar in gzip) and around its members (gzip in
a zip, as in EMNIST). Containers can be nested: `inner.tar:a/b.jpg` is a member of a member.

A compressed container is unpacked once, to an unnamed scratch file that disappears with the
process. Members are never unpacked to separate files.

Before a member is read, all entries of the archive are checked for unsafe names, links, sizes and
contradictory headers (`_members`). The limits of a resource apply both to declared sizes and to
the unpacked bytes, so an archive bomb fails early and in little memory. A damaged archive raises
`ReadError` with the names of the file and the member. An unsafe one raises `UnsafeArchiveError`.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol, cast

from dshub.archives._decoding import ByteStream, Damage, containers, streams
from dshub.archives._members import Budget, Entry, Spend, as_read_error, peel
from dshub.archives._opened import Archive, ArchiveFile, Origin, Shared
from dshub.archives._sources import Region, Scratch, SharedFile
from dshub.cache.files import open_file
from dshub.catalog.manifest import Limits
from dshub.progress import Progress, Silent

__all__ = [
    "Archive",
    "ArchiveFile",
    "ByteStream",
    "Container",
    "Damage",
    "Entry",
    "OpenContainer",
    "Packing",
    "Region",
    "Stream",
    "check_size",
    "container_for",
    "open_archive",
    "open_files",
    "open_stream",
    "stream_for",
    "stream_suffixes",
]


class Stream(Protocol):
    """A compression format, defined as `archive` in its module.

    Attributes:
        suffix: suffix of file names.
        tar_suffixes: suffixes of compressed tars, such as `.tgz`.
    """

    suffix: ClassVar[str]
    tar_suffixes: ClassVar[tuple[str, ...]]

    def matches(self, head: bytes) -> bool:
        """Return True if a file with these first bytes, at most 512, has this format."""

    def open(self, raw: ByteStream) -> ByteStream:
        """Open the decompressed bytes of `raw`, which is closed with the result.

        Memory use must not depend on the decompressed size. Reads of damaged or truncated data
        raise Damage.
        """

    def write(self, raw: BinaryIO) -> BinaryIO:
        """Return a sink that compresses to `raw`, with reproducible output."""


class OpenContainer(Protocol):
    """An open archive with members."""

    def entries(self) -> Iterator[Entry]:
        """Yield every entry with its original name, in archive order.

        `check_entries` checks names and limits for all formats. Mark an entry `unsafe` only for
        problems specific to the format, such as contradictory headers.
        """

    def open(self, entry: Entry) -> ByteStream:
        """Open the bytes of an entry; entries can be open in several threads at the same time."""

    def region(self, entry: Entry) -> Region | None:
        """Return the region of an entry's bytes, or None if they must be unpacked."""


class Container(Protocol):
    """An archive format with members, defined as `archive` in its module.

    Damaged archives raise Damage.

    Attributes:
        suffix: suffix of file names.
        by_name: whether readers get members sorted by name instead of in archive order.
    """

    suffix: ClassVar[str]
    by_name: ClassVar[bool]

    def matches(self, head: bytes, tail: bytes) -> bool:
        """Return True if a file with these first and last bytes has this format.

        Args:
            head: first bytes, at most 512.
            tail: last 65,557 bytes; empty to check only `head`.
        """

    def open(self, file: Region) -> OpenContainer:
        """Open the archive. `file` must stay open while members are read."""

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        """Write an archive of named files, with reproducible output."""


@dataclass(frozen=True)
class Packing:
    """A container format with an optional compression, for writing archives."""

    container: Container
    stream: Stream | None

    def write_members(self, path: Path, members: Iterable[tuple[str, Path]]) -> None:
        """Write an archive of named files; a tar keeps the order of `members`."""
        with ExitStack() as stack:
            sink = cast("BinaryIO", stack.enter_context(path.open("xb")))
            if self.stream is not None:
                sink = stack.enter_context(self.stream.write(sink))
            self.container.write_members(sink, members)


@contextmanager
def open_archive(
    path: Path,
    *,
    title: str,
    limits: Limits | None = None,
    encoding: str | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Archive]:
    """Open a resource to read its files.

    Args:
        path: path of the resource.
        title: name of the resource in errors.
        limits: limits on the unpacked content.
        encoding: encoding of member names that do not state it; see `Resource.member_encoding`.
        scratch: folder for unpacked containers; the system's temporary folder if None.
        progress: progress display for unpacking.

    Raises:
        ReadError: the file does not exist or cannot be read.
    """
    limits = limits or Limits()
    with ExitStack() as stack:
        with as_read_error(title):
            file = SharedFile(open_file(path, follow=True))
        stack.callback(file.close)
        region, space = Region(file, 0, file.size), Scratch(scratch)
        stack.callback(space.close)

        def peeled(advance: Spend | None) -> io.BufferedReader:
            budget = Budget(limits, file.size, title, None)
            return peel(region.open(), title, budget.spend, advance=advance)

        total = Budget(limits, file.size, title, None)
        shared = Shared(limits, space, progress or Silent(), total, count(1), encoding)
        yield Archive(Origin(file.size, region, peeled), shared, title)


@contextmanager
def open_files(
    path: Path, *, title: str, member: str = "", limits: Limits | None = None
) -> Iterator[list[ArchiveFile]]:
    """Open a resource and list its files that match `member`; see `Archive.files`."""
    with open_archive(path, title=title, limits=limits) as archive:
        yield archive.files(member)


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open the decompressed bytes of a file."""
    with open_files(path, title=path.name) as (file,), file.open() as stream:
        yield stream


def check_size(size: int, packed: int, title: str) -> None:
    """Check the size of a reader's output against the default limits.

    Raises:
        UnsafeArchiveError: `size` is too large for a file of `packed` bytes.
    """
    Budget(Limits(), packed, title, None).spend(size)


def stream_suffixes() -> list[str]:
    """Return the suffixes of compressed files: `[".bz2", ".gz", ".xz", ".zst"]`."""
    return [kind.suffix for kind in streams()]


def stream_for(name: str) -> Stream | None:
    """Return the compression that matches a file name."""
    return next((kind for kind in streams() if name.lower().endswith(kind.suffix)), None)


def container_for(name: str) -> Packing | None:
    """Return the archive format that matches a file name, such as `.zip`, `.tar.gz` or `.tgz`."""
    name = name.lower()
    for container in containers():
        if name.endswith(container.suffix):
            return Packing(container, None)
        for stream in streams():
            short = stream.tar_suffixes if container.suffix == ".tar" else ()
            if name.endswith((container.suffix + stream.suffix, *short)):
                return Packing(container, stream)
    return None
