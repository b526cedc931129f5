"""A resource that is open, and the files in it."""

import fnmatch
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from dshub.archives._layers import Budget, Layer, Peeled, translated
from dshub.archives._members import Entry, checked, plain
from dshub.archives._sources import Source, peeled_file
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.manifest import Limits

if TYPE_CHECKING:
    from dshub.archives import OpenContainer


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
        return f"{self.archive.title}:{self.member}" if self.entry else self.archive.title

    @property
    def member(self) -> str:
        """Its name in the archive; empty for a file that is in none."""
        return self.entry.name if self.entry else ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The plain bytes, to be read once from the beginning.

        Raises:
            ReadError: the file is damaged; raised by the read that meets the damage.
            UnsafeArchiveError: it grows beyond its limits; raised by the read that would.
        """
        with self.archive.peeled(self.entry) as found:
            yield cast("BinaryIO", found.stream)


@dataclass(frozen=True)
class _Directory:
    """What a container holds."""

    container: "OpenContainer"
    entries: list[Entry]
    errors: tuple[type[Exception], ...]
    total: Budget  # for compressions inside members


class Archive:
    """A resource that is open: one file, or many where it is a container.

    The directory of a container is read and checked once, when a member is asked for.
    """

    def __init__(self, path: Path, title: str, limits: Limits, stack: ExitStack) -> None:
        self.title = title
        self._path, self._limits, self._stack = path, limits, stack
        self._known: _Directory | None = None
        self._counted: set[str] = set()  # members whose compressed content is in the total

    def files(self, member: str = "") -> list[ArchiveFile]:
        """The files that `resource:member` means.

        Args:
            member: name or pattern (`*`, `?`, `[…]`; also across `/`) of members.

        Returns:
            One file without `member`; otherwise every member that fits: those of a zip sorted by
            name, those of a tar in the order of the archive.

        Raises:
            ReadError: it is no container, is damaged, or holds no such member that we can read.
            UnsafeArchiveError: the archive must not be touched, or such a member is a link.
        """
        if not member:
            return [ArchiveFile(self, None)]
        directory, wanted = self._directory(member), plain(member)
        fits = re.compile(fnmatch.translate(wanted)).match
        found = [entry for entry in directory.entries if entry.name == wanted or fits(entry.name)]
        if not found:
            raise ReadError(file=self.title, reason=f"it holds no member {member!r}")
        for entry in found:
            self._check(entry)
        return [ArchiveFile(self, entry) for entry in found]

    def peeled(self, entry: Entry | None) -> Peeled:
        """The bytes of the resource itself, or of a member, with all compressions removed."""
        if entry is None or self._known is None:
            return peeled_file(self._path, self.title, self._limits)
        name, known = f"{self.title}:{entry.name}", self._known
        budgets = [Budget(self._limits, entry.packed, self.title, entry.name)]
        if entry.name not in self._counted:  # one that is read again is no larger
            budgets.append(known.total)
        with translated(name, known.errors):
            raw = known.container.open(entry)
        layer = cast("BinaryIO", Layer(raw, name, known.errors))
        peeled = Peeled(layer, name, *budgets)
        if peeled.kinds:
            self._counted.add(entry.name)
        return peeled

    def _directory(self, member: str) -> _Directory:
        if self._known is not None:
            return self._known
        source = Source(self._path, self.title, self._limits)
        kind = source.container
        if kind is None:
            reason = f"it is no archive that could hold {member!r}"
            raise ReadError(file=self.title, reason=reason)
        if source.streamed and not kind.streamed:
            reason = f"it is a {kind.suffix} within a compression, which cannot be read in place"
            raise ReadError(file=self.title, reason=reason)
        errors = (*kind.errors, OSError)
        with translated(self.title, errors):
            container = kind.open(source)
            self._stack.callback(container.close)
            with closing(container.entries()) as found:
                entries = checked(
                    found, archive=self.title, packed=source.packed, limits=self._limits
                )
        if kind.by_name:
            entries.sort(key=lambda entry: entry.name)
        total = Budget(self._limits, source.packed, self.title, None)
        self._known = _Directory(container, entries, errors, total)
        return self._known

    def _check(self, entry: Entry) -> None:
        """Whether a member that is wanted may and can be read."""
        if entry.kind == "link":
            raise UnsafeArchiveError(archive=self.title, member=entry.name, reason=entry.note)
        if entry.kind != "file":
            reason = f"it {entry.note}, and that cannot be read"
            raise ReadError(file=f"{self.title}:{entry.name}", reason=reason)
