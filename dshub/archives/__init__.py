"""Files inside archives and compressed files, read in place.

There are two kinds, one module each:

* a `Stream` holds one compressed file (`gz`, `bz2`, `xz`, `zst`);
* a `Container` holds members under names (`tar`, `zip`).

Files are recognized by their content, since many a `.tar.gz` is a plain tar. All compressions are
removed, around a container (a tar in gzip) and around its members (gzip in a zip, as in EMNIST).
Containers may be nested: `inner.tar:a/b.jpg` is a member of a member.

A compressed container is unpacked once, into a scratch file without a name that disappears with
the process. No member is ever unpacked to a file of its own.

Before the first byte of a member is read, all entries of the archive are checked: names, links,
sizes, and whether its own parts agree (`_members`). A resource's limits apply to the sizes that it
states, and again to the bytes that come out, so a bomb ends early and in little memory. Damage
becomes a `ReadError` with the names of file and member, an unsafe archive an `UnsafeArchiveError`.
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
    """A compression; a module offers it as `archive`.

    Attributes:
        suffix: the ending of its files' names.
        tar_suffixes: endings for a tar inside.
    """

    suffix: ClassVar[str]
    tar_suffixes: ClassVar[tuple[str, ...]]

    def matches(self, head: bytes) -> bool:
        """Tell whether a file that begins so is of this kind; `head` has at most 512 bytes."""

    def open(self, raw: ByteStream) -> ByteStream:
        """Open the bytes inside `raw`, which is closed with the result.

        Memory must not depend on how much is inside. Reads raise Damage, also if the data are cut
        short.
        """

    def write(self, raw: BinaryIO) -> BinaryIO:
        """Return a sink that compresses to `raw`.

        The same bytes are always compressed to the same bytes.
        """


class OpenContainer(Protocol):
    """An open archive with members."""

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, in the order of the archive, under the name it has there.

        Names and limits are checked elsewhere, for all kinds alike. Mark an entry `unsafe` for
        faults of this kind only, such as parts of the archive that disagree.
        """

    def open(self, entry: Entry) -> ByteStream:
        """Open the bytes of an entry. Several may be open at the same time, also in threads."""

    def region(self, entry: Entry) -> Region | None:
        """Return where the bytes of an entry lie as they are; None if they must be unpacked."""


class Container(Protocol):
    """An archive with members; a module offers it as `archive`. Damaged bytes raise Damage.

    Attributes:
        suffix: the ending of its files' names.
        by_name: readers get its members sorted by name, not in the archive's order.
    """

    suffix: ClassVar[str]
    by_name: ClassVar[bool]

    def matches(self, head: bytes, tail: bytes) -> bool:
        """Tell whether a file that begins and ends so is of this kind.

        Args:
            head: at most 512 bytes.
            tail: the last 65,557 bytes; empty if only the beginning is to be considered.
        """

    def open(self, file: Region) -> OpenContainer:
        """Open the archive, once for all its members; `file` stays open as long."""

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        """Make an archive of named files; the same files always give the same bytes."""


@dataclass(frozen=True)
class Packing:
    """How to make archives with some ending: a container, perhaps within a compression."""

    container: Container
    stream: Stream | None

    def write_members(self, path: Path, members: Iterable[tuple[str, Path]]) -> None:
        """Write an archive of files under the given names; a tar keeps their order."""
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
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Archive]:
    """Open a resource to read its files.

    Args:
        path: the resource on disk.
        title: what to call it in errors.
        limits: what it may unpack to.
        scratch: a folder with space for unpacked containers; the system's temporary folder if None.
        progress: shows how far unpacking is.

    Raises:
        ReadError: there is no such file, or it cannot be read.
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
        shared = Shared(limits, space, progress or Silent(), total, count(1))
        yield Archive(Origin(file.size, region, peeled), shared, title)


@contextmanager
def open_files(
    path: Path, *, title: str, member: str = "", limits: Limits | None = None
) -> Iterator[list[ArchiveFile]]:
    """Open the files that one reference means; see `Archive.files`."""
    with open_archive(path, title=title, limits=limits) as archive:
        yield archive.files(member)


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, with any compression removed."""
    with open_files(path, title=path.name) as (file,), file.open() as stream:
        yield stream


def check_size(size: int, packed: int, title: str) -> None:
    """Check the size of a reader's output for a file without limits from a manifest.

    Raises:
        UnsafeArchiveError: by default, `packed` bytes may not unpack to so many.
    """
    Budget(Limits(), packed, title, None).spend(size)


def stream_suffixes() -> list[str]:
    """Return the file name endings of the compressions: `[".bz2", ".gz", ".xz", ".zst"]`."""
    return [kind.suffix for kind in streams()]


def stream_for(name: str) -> Stream | None:
    """Choose the compression for a file to write, by its name."""
    return next((kind for kind in streams() if name.lower().endswith(kind.suffix)), None)


def container_for(name: str) -> Packing | None:
    """Choose how to make an archive, by its name: `.zip`, `.tar.gz`, `.tgz` and so on."""
    name = name.lower()
    for container in containers():
        if name.endswith(container.suffix):
            return Packing(container, None)
        for stream in streams():
            short = stream.tar_suffixes if container.suffix == ".tar" else ()
            if name.endswith((container.suffix + stream.suffix, *short)):
                return Packing(container, stream)
    return None
