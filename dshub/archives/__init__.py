"""Files inside files, read in place: nothing is ever unpacked to a loose file.

Two kinds, one module each:

* a *stream* holds one thing, compressed (`gz`, `bz2`, `xz`, `zst`);
* a *container* holds members under names (`tar`, `zip`).

What a file is, is told by its content, not by its name: many a `.tar.gz` of the field is a plain
tar. Streams may lie around a container (a tar in gzip) and around its members (EMNIST is
gzip in zip); every layer is peeled off. Containers may lie in containers: `inner.tar:a/b.jpg` is a
member of a member.

A container that is compressed as a whole is unpacked once, into a scratch file without a name that
goes with the process; its members are then found by their place, like those of any other.

Before the first byte of a member is handed out, the whole archive has been checked: names, links,
sizes, and what its own parts say of each other (`_members`). A resource's limits hold for what it
promises, and again while it is read, so that a bomb ends early and in little memory. Damaged
content becomes a `ReadError` with the names of the file and the member; what must not be touched an
`UnsafeArchiveError`.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol, cast

from dshub.archives import _decoding as _kinds
from dshub.archives._decoding import Damage
from dshub.archives._members import Budget, Entry
from dshub.archives._opened import Archive, ArchiveFile, resource
from dshub.archives._sources import Cursor, Region, Scratch, Source
from dshub.catalog.manifest import Limits
from dshub.progress import Progress

__all__ = [
    "Archive",
    "ArchiveFile",
    "Container",
    "Cursor",
    "Damage",
    "Entry",
    "OpenContainer",
    "Packing",
    "Region",
    "Scratch",
    "Source",
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
    """A compression: what a module here offers as `archive`.

    Attributes:
        suffix: the ending of its files' names.
        tar_suffixes: endings that tell of a tar inside.
        errors: what reading may raise where the bytes are damaged.
    """

    suffix: ClassVar[str]
    tar_suffixes: ClassVar[tuple[str, ...]]
    errors: ClassVar[tuple[type[Exception], ...]]

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins so is of this kind; `head` has at most 512 bytes."""

    def open(self, raw: BinaryIO) -> BinaryIO:
        """The bytes inside, to the last; a file that is cut short is an error. Leaves `raw` open.

        Memory does not depend on how much is inside.
        """

    def write(self, raw: BinaryIO) -> BinaryIO:
        """Something to write to; what is written lands in `raw`, compressed, when closed.

        The same bytes are always compressed to the same.
        """


class OpenContainer(Protocol):
    """An open archive with members."""

    def entries(self) -> Generator[Entry, None, None]:
        """Every entry, in the order of the archive, under the name that stands there.

        Names and limits are checked elsewhere, for all kinds alike. What only this kind can tell,
        such as two places of the archive that disagree, makes an entry `unsafe`.
        """

    def open(self, entry: Entry) -> BinaryIO:
        """The bytes of an entry. Several may be open at the same time, also in several threads."""

    def region(self, entry: Entry) -> "Region | None":
        """Where the bytes of an entry lie as they are; None where they have to be unpacked."""


class Container(Protocol):
    """An archive with members: what a module here offers as `archive`.

    Attributes:
        suffix: the ending of its files' names.
        errors: what reading may raise where the bytes are damaged.
        by_name: whether readers get its members sorted by name, not in the archive's order.
    """

    suffix: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]]
    by_name: ClassVar[bool]

    def matches(self, head: bytes, tail: bytes) -> bool:
        """Whether a file that begins and ends so is of this kind.

        Args:
            head: at most 512 bytes.
            tail: the last 65,557 bytes; none where its beginning alone is to tell.
        """

    def open(self, source: Source) -> OpenContainer:
        """An archive that is opened once for all its members; `source` stays open as long."""

    def write_members(self, sink: BinaryIO, members: Iterable[tuple[str, Path]]) -> None:
        """Make an archive of named files: of the same files, always the same bytes."""


@dataclass(frozen=True)
class Packing:
    """How archives of some ending are made: a container, perhaps within a compression."""

    container: Container
    stream: Stream | None

    def write_members(self, path: Path, members: Iterable[tuple[str, Path]]) -> None:
        """Make an archive of named files; those of a tar stand in it in their order."""
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
    """A resource whose files are read, for as long as the context is entered.

    Args:
        path: the resource on disk.
        title: what to call it in errors.
        limits: what it may unpack to.
        scratch: a folder with space for what is unpacked; the system's own where not given.
        progress: is told how far unpacking has come, where it is compressed as a whole.
    """
    allowed = limits or Limits()
    with ExitStack() as stack:
        yield resource(path, title, stack, limits=allowed, scratch=scratch, progress=progress)


@contextmanager
def open_files(
    path: Path,
    *,
    title: str,
    member: str = "",
    limits: Limits | None = None,
    scratch: Path | None = None,
) -> Iterator[list[ArchiveFile]]:
    """The files that one reference means; see `Archive.files`."""
    with open_archive(path, title=title, limits=limits, scratch=scratch) as archive:
        yield archive.files(member)


@contextmanager
def open_stream(path: Path, *, limits: Limits | None = None) -> Iterator[BinaryIO]:
    """The bytes of a file, or those inside it where it is a compressed stream."""
    with open_files(path, title=path.name, limits=limits) as (file,), file.open() as stream:
        yield stream


def check_size(size: int, packed: int, title: str) -> None:
    """Compare the size of what a reader makes of a file without a manifest with the usual limits.

    Raises:
        UnsafeArchiveError: it is more than `packed` bytes may unpack to.
    """
    Budget(Limits(), packed, title, None).spend(size)


def stream_suffixes() -> list[str]:
    """File name endings of the compressions: `[".bz2", ".gz", ".xz", ".zst"]`."""
    return [kind.suffix for kind in _kinds.streams()]


def stream_for(name: str) -> Stream | None:
    """The compression that a file name tells of, for writing."""
    return _kinds.stream_named(name)


def container_for(name: str) -> Packing | None:
    """How to make the archive that a file name tells of: `.zip`, `.tar.gz`, `.tgz` and so on."""
    found = _kinds.container_named(name)
    return Packing(*found) if found else None
