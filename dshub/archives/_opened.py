"""Open resources, find the files in them, and open nested archives."""

import fnmatch
import io
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from dshub.archives._decoding import HEAD, TAIL, container_of, stream_of
from dshub.archives._members import (
    Budget,
    Entry,
    Spend,
    as_read_error,
    check_entries,
    decoded_names,
    normalize,
    peek,
    peel,
)
from dshub.archives._sources import Region, Scratch, prefetched
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.progress import Progress, Task

if TYPE_CHECKING:
    from dshub.archives import Container, OpenContainer

_SMALL = 1 << 20  # bytes; reading smaller members at once is faster for many images
_PIECE = 1 << 20  # bytes per read while unpacking
_AHEAD = 4  # pieces to prefetch while unpacking
_WILD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file for a reader: a whole resource, or a member of an archive."""

    archive: "Archive"
    entry: Entry | None

    @property
    def name(self) -> str:
        """Name for messages, such as `cifar-10.tar.gz:cifar-10-batches/data_batch_1`."""
        return f"{self.archive.title}:{self.entry.name}" if self.entry else self.archive.title

    @property
    def member(self) -> str:
        """Name in the archive, `inner.tar:a.jpg` if nested; empty for a whole resource."""
        return self.archive.prefix + self.entry.name if self.entry else ""

    @property
    def raw_name(self) -> bytes:
        """Stored name in the archive if its encoding is unknown; empty otherwise."""
        return self.entry.raw_name if self.entry else b""

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open the decompressed bytes for one sequential read.

        Raises:
            ReadError: the file is damaged. Reads can raise it too.
            UnsafeArchiveError: raised by reads if the content exceeds its limits.
        """
        return self.archive.stream(self.entry)

    def check_size(self, size: int) -> None:
        """Check the size of a reader's output.

        Raises:
            UnsafeArchiveError: the size exceeds the resource's limits.
        """
        self.archive.check_size(self.entry, size)


@dataclass(frozen=True)
class Origin:
    """The stored bytes of an archive.

    Attributes:
        packed: stored size in bytes.
        region: region of the stored bytes, or None if they must be unpacked.
        peel: function that opens the decompressed bytes.
    """

    packed: int
    region: Region | None
    peel: Callable[[Spend | None], io.BufferedReader]


@dataclass(frozen=True)
class Shared:
    """The state shared by all archives in a resource.

    Attributes:
        total: budget for all unpacked bytes in the resource.
        entries: counter of the entries of all archives.
        encoding: encoding of member names that do not state it; None for the default.
    """

    limits: Limits
    scratch: Scratch
    progress: Progress
    total: Budget
    entries: Iterator[int]
    encoding: str | None = None


class Archive:
    """An open resource, or an archive inside it.

    The directory of a container is read and checked when a member is first requested.

    Attributes:
        title: name in errors.
        prefix: prefix of member names; empty for the resource itself.
    """

    def __init__(self, origin: Origin, shared: Shared, title: str, prefix: str = "") -> None:
        self.title, self.prefix = title, prefix
        self._origin, self._shared = origin, shared
        self._directory: tuple[OpenContainer, dict[str, Entry]] | None = None
        self._inner: dict[str, Archive] = {}
        self._charged: dict[str, int] = {}  # bytes per member that already count in the total

    @property
    def is_container(self) -> bool:
        """Whether the archive has members; raises ReadError."""
        return self._recognize()[0] is not None

    def files(self, member: str = "") -> list[ArchiveFile]:
        """Return the files that match `resource:member` in a manifest.

        Args:
            member: name, or pattern (`*`, `?`, `[…]`, which also match `/`). For an inner
                archive, its name or pattern, a colon, and a name or pattern inside it.

        Returns:
            The resource itself if `member` is empty, otherwise all matching members. Those of a
            zip are sorted by name, and those of a tar are in archive order.

        Raises:
            ReadError: the resource is not a container or is damaged, no member matches, or a
                matching member cannot be read.
            UnsafeArchiveError: the archive is unsafe, or a matching member is a link.
            StoreError: the disk has too little space to unpack the archive.
        """
        if not member:
            return [ArchiveFile(self, None)]
        files = self.matching(member)
        if not files:
            raise ReadError(file=self.title, reason=f"it has no member {member!r}")
        return files

    def matching(self, member: str) -> list[ArchiveFile]:
        """Return the files that match `member`, or an empty list if none do."""
        name, colon, inner = member.partition(":")
        entries = self._matching_entries(name, member)
        if not colon:
            return [ArchiveFile(self, entry) for entry in entries]
        if len(entries) == 1:  # `files` raises an error that names the inner archive
            return self._archive(entries[0]).files(inner)
        return [file for entry in entries for file in self._archive(entry).matching(inner)]

    def stream(self, entry: Entry | None) -> AbstractContextManager[BinaryIO]:
        """Open the decompressed bytes of a member, or of the resource if `entry` is None."""
        if entry is None:
            return closing(self._origin.peel(None))
        if entry.size > _SMALL:
            return closing(self._peel(entry))
        name = f"{self.title}:{entry.name}"
        with as_read_error(name), self._open_directory()[0].open(entry) as raw:
            data = raw.read(entry.size) or b""
        if stream_of(data[:HEAD]) is None:
            return io.BytesIO(data)
        return closing(self._peel(entry))

    def check_size(self, entry: Entry | None, size: int) -> None:
        """Raise UnsafeArchiveError if `size` exceeds the limits of a member or the resource."""
        packed = self._origin.packed if entry is None else entry.packed
        name = None if entry is None else entry.name
        Budget(self._shared.limits, packed, self.title, name).spend(size)

    def _matching_entries(self, name: str, member: str) -> list[Entry]:
        """Return the members that match a name or pattern, after checking that they are files."""
        _, entries = self._open_directory(member)
        name = normalize(name)
        if _WILD.search(name):
            matches = re.compile(fnmatch.translate(name)).match
            matching = [entry for key, entry in entries.items() if key == name or matches(key)]
        else:
            matching = [entries[name]] if name in entries else []
        for entry in matching:
            if entry.kind == "link":
                raise UnsafeArchiveError(archive=self.title, member=entry.name, reason=entry.note)
            if entry.kind != "file":
                reason = f"it {entry.note}, which is not supported"
                raise ReadError(file=f"{self.title}:{entry.name}", reason=reason)
        return matching

    def _archive(self, entry: Entry) -> "Archive":
        """Open a member as an archive."""
        if entry.name not in self._inner:
            region = self._open_directory()[0].region(entry)
            origin = Origin(entry.packed, region, partial(self._peel, entry))
            title, prefix = f"{self.title}:{entry.name}", f"{self.prefix}{entry.name}:"
            self._inner[entry.name] = Archive(origin, self._shared, title, prefix)
        return self._inner[entry.name]

    def _peel(self, entry: Entry, advance: Spend | None = None) -> io.BufferedReader:
        """Open the decompressed bytes of a member."""
        name = f"{self.title}:{entry.name}"
        with as_read_error(name):
            raw = self._open_directory()[0].open(entry)
        own = Budget(self._shared.limits, entry.packed, self.title, entry.name)
        return peel(raw, name, own.spend, self._charge(entry.name), advance=advance)

    def _charge(self, member: str) -> Spend:
        """Return a function that counts a member's bytes toward the total on the first read."""
        spent = 0

        def spend(amount: int) -> None:
            nonlocal spent
            spent += amount
            new = spent - self._charged.get(member, 0)
            if new > 0:
                self._charged[member] = spent
                self._shared.total.spend(new)

        return spend

    def _open_directory(self, member: str = "") -> "tuple[OpenContainer, dict[str, Entry]]":
        """Return the container and its entries by name, in the order for readers.

        The first call reads and checks them.
        """
        if self._directory is not None:
            return self._directory
        kind, region = self._recognize()
        if kind is None:
            reason = f"it is not an archive, so it has no member {member!r}"
            raise ReadError(file=self.title, reason=reason)
        if region is None:
            region = self._unpack()
        with as_read_error(self.title):
            container = kind.open(region)
            entries = check_entries(
                decoded_names(container.entries(), self._shared.encoding, self.title),
                title=self.title,
                packed=self._origin.packed,
                limits=self._shared.limits,
                count=self._shared.entries,
            )
        if kind.by_name:
            entries.sort(key=lambda entry: entry.name)
        self._directory = container, {entry.name: entry for entry in entries}
        return self._directory

    def _recognize(self) -> "tuple[Container | None, Region | None]":
        """Return the container format, if any, and the region unless it must be unpacked."""
        region = self._origin.region
        if region is not None:
            head = region.read(0, HEAD)
            if stream_of(head) is None:
                return container_of(head, region.read(max(0, region.size - TAIL), TAIL)), region
        with self._origin.peel(None) as stream:
            return container_of(peek(stream)), None

    def _unpack(self) -> Region:
        shared = self._shared
        with (
            Task(shared.progress, f"unpacking {self.title}", self._origin.packed) as task,
            prefetched(self._pieces(task.advance), most=_AHEAD) as pieces,
        ):
            return shared.scratch.add(pieces)

    def _pieces(self, advance: Spend) -> Generator[bytes, None, None]:
        with self._origin.peel(advance) as stream:
            while piece := stream.read(_PIECE):
                yield piece
