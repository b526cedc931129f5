"""Open resources: the files in them, and the archives in them."""

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

_SMALL = 1 << 20  # bytes of a member that is read at once, which is faster for many images
_PIECE = 1 << 20  # bytes unpacked at a time
_AHEAD = 4  # pieces unpacked before they are written
_WILD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file for a reader: its name, and its bytes without any compression."""

    archive: "Archive"
    entry: Entry | None

    @property
    def name(self) -> str:
        """The name for messages: `cifar-10.tar.gz:cifar-10-batches/data_batch_1`."""
        return f"{self.archive.title}:{self.entry.name}" if self.entry else self.archive.title

    @property
    def member(self) -> str:
        """The name in the archive, `inner.tar:a.jpg` if nested; empty outside of any."""
        return self.archive.prefix + self.entry.name if self.entry else ""

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open the plain bytes, to be read once from the beginning.

        Raises:
            ReadError: the file is damaged; raised here or by the read that meets the damage.
            UnsafeArchiveError: it exceeds its limits; raised by the read that does.
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
    """Where an archive comes from.

    Attributes:
        packed: its size in bytes, as it is stored.
        region: where it lies, if its bytes are stored as they are.
        peel: opens its bytes without compressions.
    """

    packed: int
    region: Region | None
    peel: Callable[[Spend | None], io.BufferedReader]


@dataclass(frozen=True)
class Shared:
    """State that all archives in a resource share.

    Attributes:
        total: for everything unpacked inside the resource.
        entries: counts the entries of all its archives.
    """

    limits: Limits
    scratch: Scratch
    progress: Progress
    total: Budget
    entries: Iterator[int]


class Archive:
    """A resource that is open, or an archive inside it: one file, or many in a container.

    The directory of a container is read and checked once, when a member is first asked for.

    Attributes:
        title: what to call it in errors.
        prefix: what the names of its members begin with if it lies in another archive.
    """

    def __init__(self, origin: Origin, shared: Shared, title: str, prefix: str = "") -> None:
        self.title, self.prefix = title, prefix
        self._origin, self._shared = origin, shared
        self._directory: tuple[OpenContainer, dict[str, Entry]] | None = None
        self._inner: dict[str, Archive] = {}
        self._charged: dict[str, int] = {}  # unpacked bytes of members that are in the total

    @property
    def is_container(self) -> bool:
        """Whether it holds members; raises ReadError."""
        return self._recognize()[0] is not None

    def files(self, member: str = "") -> list[ArchiveFile]:
        """Find the files that `resource:member` means.

        Args:
            member: a name, or a pattern of `*`, `?` and `[…]` that also match `/`; or an archive
                inside, a colon, and the same for that.

        Returns:
            One file without `member`; otherwise every member that matches: those of a zip sorted
            by name, those of a tar in its order, those of inner archives archive by archive.

        Raises:
            ReadError: it is not a container, is damaged, or holds no such member that can be read.
            UnsafeArchiveError: the archive is unsafe, or such a member is a link.
            StoreError: there is no space to unpack it.
        """
        if not member:
            return [ArchiveFile(self, None)]
        found = self.matching(member)
        if not found:
            raise ReadError(file=self.title, reason=f"it has no member {member!r}")
        return found

    def matching(self, member: str) -> list[ArchiveFile]:
        """Find files as `files` does, but return an empty list if there are none."""
        name, colon, rest = member.partition(":")
        entries = self._matching_entries(name, member)
        if not colon:
            return [ArchiveFile(self, entry) for entry in entries]
        if len(entries) == 1:  # the error then names the archive that lacks the member
            return self._archive(entries[0]).files(rest)
        return [file for entry in entries for file in self._archive(entry).matching(rest)]

    def stream(self, entry: Entry | None) -> AbstractContextManager[BinaryIO]:
        """Open a member, or the resource itself, without compressions."""
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
        """Raise UnsafeArchiveError if a file, or a member, may not unpack to so many bytes."""
        packed = self._origin.packed if entry is None else entry.packed
        name = None if entry is None else entry.name
        Budget(self._shared.limits, packed, self.title, name).spend(size)

    def _matching_entries(self, name: str, member: str) -> list[Entry]:
        """Find the members that a name or a pattern means; all of them can be read."""
        _, entries = self._open_directory(member)
        name = normalize(name)
        if _WILD.search(name):
            matches = re.compile(fnmatch.translate(name)).match
            found = [entry for key, entry in entries.items() if key == name or matches(key)]
        else:
            found = [entries[name]] if name in entries else []
        for entry in found:
            if entry.kind == "link":
                raise UnsafeArchiveError(archive=self.title, member=entry.name, reason=entry.note)
            if entry.kind != "file":
                reason = f"it {entry.note}, which is not supported"
                raise ReadError(file=f"{self.title}:{entry.name}", reason=reason)
        return found

    def _archive(self, entry: Entry) -> "Archive":
        """Open a member that is an archive itself."""
        if entry.name not in self._inner:
            region = self._open_directory()[0].region(entry)
            origin = Origin(entry.packed, region, partial(self._peel, entry))
            title, prefix = f"{self.title}:{entry.name}", f"{self.prefix}{entry.name}:"
            self._inner[entry.name] = Archive(origin, self._shared, title, prefix)
        return self._inner[entry.name]

    def _peel(self, entry: Entry, advance: Spend | None = None) -> io.BufferedReader:
        """Open a member without compressions."""
        name = f"{self.title}:{entry.name}"
        with as_read_error(name):
            raw = self._open_directory()[0].open(entry)
        own = Budget(self._shared.limits, entry.packed, self.title, entry.name)
        return peel(raw, name, own.spend, self._charge(entry.name), advance=advance)

    def _charge(self, member: str) -> Spend:
        """Count a member's unpacked bytes toward the total, once even if it is read again."""
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
        """Return the container and its entries by name, in the order that readers get.

        They are read and checked when a member is first asked for.
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
                container.entries(),
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
        """Tell which container it is, and where it lies unless it has to be unpacked."""
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
