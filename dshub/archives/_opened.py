"""A resource that is open, the files in it, and the archives in it."""

import fnmatch
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from dshub.archives import _decoding as _kinds
from dshub.archives._decoding import Damage
from dshub.archives._members import (
    Allowance,
    Budget,
    Counter,
    Entry,
    Layer,
    Peeled,
    SharedBudget,
    checked,
    plain,
    translated,
)
from dshub.archives._sources import Origin, Region, Scratch, Source, file_region
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.progress import Progress, Silent

if TYPE_CHECKING:
    from dshub.archives import OpenContainer

_SMALL = 1 << 20  # bytes of a member that is read at once: for a thousand pictures that is quicker
_WILD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file for a reader: what it is called, and its bytes with every wrapping removed.

    Attributes:
        member: its name in the archive; empty for a file that is in none.
    """

    archive: "Archive"
    entry: Entry | None

    @property
    def name(self) -> str:
        """For messages: `cifar-10.tar.gz:cifar-10-batches/data_batch_1`."""
        return f"{self.archive.title}:{self.entry.name}" if self.entry else self.archive.title

    @property
    def member(self) -> str:
        """Its name in the archive, `inner.tar:a.jpg` in one that lies in another; else empty."""
        return self.archive.prefix + self.entry.name if self.entry else ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The plain bytes, to be read once from the beginning.

        Raises:
            ReadError: the file is damaged; raised here or by the read that meets the damage.
            UnsafeArchiveError: it grows beyond its limits; raised by the read that would.
        """
        with self.archive.stream(self.entry) as stream:
            yield stream

    def check_size(self, size: int) -> None:
        """Compare the size of what a reader makes of it with the limits of the resource.

        Raises:
            UnsafeArchiveError: it is more than a file of this size may unpack to.
        """
        self.archive.check_size(self.entry, size)


@dataclass(frozen=True)
class _Shared:
    """What a resource and the archives in it have in common.

    Attributes:
        total: for whatever is unpacked inside of it.
        count: of the members of all its archives.
    """

    limits: Limits
    scratch: Scratch
    total: Budget
    count: Counter
    progress: Progress


@dataclass(frozen=True)
class _Directory:
    """What a container holds: entries in the order in which readers get them, and by name."""

    container: "OpenContainer"
    entries: Mapping[str, Entry]
    errors: tuple[type[Exception], ...]


class Archive:
    """A resource that is open, or an archive in it: one file, or many where it is a container.

    The directory of a container is read and checked once, when a member is asked for.

    Attributes:
        title: what to call it in errors.
        prefix: what the names of its members begin with where it lies in another archive.
    """

    def __init__(self, origin: Origin, shared: _Shared, title: str, prefix: str = "") -> None:
        self.title, self.prefix = title, prefix
        self._origin, self._shared = origin, shared
        self._known: _Directory | None = None
        self._inner: dict[str, Archive] = {}
        self._counted: dict[str, int] = {}  # bytes of compressed members that are in the total

    @property
    def is_container(self) -> bool:
        """Whether it holds members, perhaps within a compression; raises ReadError."""
        return self._source(most=1).container is not None

    def files(self, member: str = "") -> list[ArchiveFile]:
        """The files that `resource:member` means.

        Args:
            member: name or pattern (`*`, `?`, `[…]`; also across `/`) of members; or one of
                archives in it, a colon, and the same for these.

        Returns:
            One file without `member`; otherwise every member that fits: those of a zip sorted by
            name, those of a tar in the order of the archive; those of inner archives one archive
            after the other.

        Raises:
            ReadError: it is no container, is damaged, or holds no such member that we can read.
            UnsafeArchiveError: the archive must not be touched, or such a member is a link.
            StoreError: there is no space to unpack it.
        """
        if not member:
            return [ArchiveFile(self, None)]
        found = self.matching(member)
        if not found:
            raise ReadError(file=self.title, reason=f"it holds no member {member!r}")
        return found

    def stream(self, entry: Entry | None) -> AbstractContextManager[BinaryIO]:
        """The bytes of the resource itself, or of a member, with all compressions removed."""
        if entry is None:
            return closing(cast("BinaryIO", self._origin.peel().stream))
        if entry.size > _SMALL:
            return closing(cast("BinaryIO", self.peel(entry).stream))
        raw = self._raw(entry)
        with closing(raw):
            data = raw.read()
        if _kinds.stream_of(data[: _kinds.HEAD]) is None:
            return io.BytesIO(data)
        peeled = self._peeled(cast("BinaryIO", io.BytesIO(data)), entry)
        return closing(cast("BinaryIO", peeled.stream))

    def check_size(self, entry: Entry | None, size: int) -> None:
        """Raise UnsafeArchiveError where a file, or a member, may not unpack to so many bytes."""
        packed = self._origin.packed if entry is None else entry.packed
        name = None if entry is None else entry.name
        Budget(self._shared.limits, packed, self.title, name).spend(size)

    def peel(self, entry: Entry) -> Peeled:
        """The bytes of a member with all compressions removed."""
        return self._peeled(self._raw(entry), entry)

    def region(self, entry: Entry) -> Region | None:
        """Where the bytes of a member lie as they are; None where they have to be unpacked."""
        return self._directory().container.region(entry)

    def matching(self, member: str) -> list[ArchiveFile]:
        """As `files`, but none where there is none of that name."""
        name, colon, rest = member.partition(":")
        entries = self._entries(name, member)
        if not colon:
            return [ArchiveFile(self, entry) for entry in entries]
        if len(entries) == 1:  # which then names the archive that lacks something
            return self._archive(entries[0]).files(rest)
        return [file for entry in entries for file in self._archive(entry).matching(rest)]

    def _entries(self, name: str, member: str) -> list[Entry]:
        """The members that a name or a pattern means, each of which can be read."""
        known, wanted = self._directory(member).entries, plain(name)
        if _WILD.search(wanted):
            fits = re.compile(fnmatch.translate(wanted)).match
            found = [entry for key, entry in known.items() if key == wanted or fits(key)]
        else:
            found = [known[wanted]] if wanted in known else []
        for entry in found:
            self._check(entry)
        return found

    def _archive(self, entry: Entry) -> "Archive":
        """A member that is an archive itself."""
        if entry.name not in self._inner:
            title, prefix = f"{self.title}:{entry.name}", f"{self.prefix}{entry.name}:"
            inner = Archive(_Member(self, entry), self._shared, title, prefix)
            self._inner[entry.name] = inner
        return self._inner[entry.name]

    def _raw(self, entry: Entry) -> BinaryIO:
        known, name = self._directory(), f"{self.title}:{entry.name}"
        with translated(name, known.errors):
            raw = known.container.open(entry)
        return cast("BinaryIO", Layer(raw, name, known.errors))

    def _peeled(self, raw: BinaryIO, entry: Entry) -> Peeled:
        own = Budget(self._shared.limits, entry.packed, self.title, entry.name)
        of_all = SharedBudget(self._shared.total, self._counted, entry.name)
        return Peeled(raw, f"{self.title}:{entry.name}", own, of_all)

    def _directory(self, member: str = "") -> _Directory:
        """What it holds, read and checked when a member is first asked for."""
        if self._known is None:
            self._known = self._read_directory(member)
        return self._known

    def _read_directory(self, member: str) -> _Directory:
        shared, packed = self._shared, self._origin.packed
        source = self._source(most=shared.limits.members)
        kind = source.container
        if kind is None:
            reason = f"it is no archive that could hold {member!r}"
            raise ReadError(file=self.title, reason=reason)
        errors = (*kind.errors, OSError)
        with translated(self.title, errors):
            container = kind.open(source)
            with closing(container.entries()) as found:
                entries = checked(found, Allowance(self.title, packed, shared.limits, shared.count))
        if kind.by_name:
            entries.sort(key=lambda entry: entry.name)
        return _Directory(container, {entry.name: entry for entry in entries}, errors)

    def _source(self, *, most: int) -> Source:
        shared = self._shared
        return Source(self._origin, shared.scratch, self.title, shared.progress, most=most)

    def _check(self, entry: Entry) -> None:
        """Whether a member that is wanted may and can be read."""
        if entry.kind == "link":
            raise UnsafeArchiveError(archive=self.title, member=entry.name, reason=entry.note)
        if entry.kind != "file":
            reason = f"it {entry.note}, and that cannot be read"
            raise ReadError(file=f"{self.title}:{entry.name}", reason=reason)


@dataclass(frozen=True)
class _Member:
    """A member that may be an archive itself; see `Origin`."""

    archive: Archive
    entry: Entry

    @property
    def packed(self) -> int:
        return self.entry.packed

    @property
    def region(self) -> Region | None:
        return self.archive.region(self.entry)

    def peel(self) -> Peeled:
        return self.archive.peel(self.entry)


class _File:
    """A file on disk; see `Origin`."""

    def __init__(self, path: Path, title: str, limits: Limits, stack: ExitStack) -> None:
        self._title, self._limits = title, limits
        with translated(title, (OSError,)):
            self.region = file_region(path, stack)
        self.packed = self.region.size

    def peel(self) -> Peeled:
        raw = self.region.piece(0, self.packed)
        layer = cast("BinaryIO", Layer(raw, self._title, (Damage, OSError)))
        return Peeled(layer, self._title, Budget(self._limits, self.packed, self._title, None))


def resource(
    path: Path,
    title: str,
    stack: ExitStack,
    *,
    limits: Limits,
    scratch: Path | None,
    progress: Progress | None,
) -> Archive:
    """A resource whose files are read, for as long as the stack is open.

    Raises:
        ReadError: there is no such file, or it may not be read.
    """
    origin, room = _File(path, title, limits, stack), Scratch(scratch)
    stack.callback(room.close)
    total = Budget(limits, origin.packed, title, None)
    return Archive(origin, _Shared(limits, room, total, Counter(), progress or Silent()), title)
