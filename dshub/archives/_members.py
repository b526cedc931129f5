"""Members of archives: what is refused, and what they may unpack to.

One wrapping after the other removed: damage is told with the file's name, bytes are counted.
"""

import io
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, Self, cast

from dshub.archives import _decoding as _kinds
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.progress import size

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dshub.archives import Stream

LAYERS = 4  # compressions one inside the other; a file may hold itself without end
RATIO_FROM = 256 << 20  # bytes; up to here anything may unpack to, however small it is packed
RAISE_LIMITS = "if that is right, raise `limits.{}` of this resource in the manifest"
_BUFFER = 1 << 16  # bytes
_LARGEST_PIECE = 1 << 20  # bytes read at a time where everything is asked for


@contextmanager
def translated(name: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Raise ReadError, with this name, in place of any of `errors` and of a layer's beneath."""
    try:
        yield
    except ReadError as error:
        if error.file == name:
            raise
        raise ReadError(file=name, reason=error.reason) from error
    except errors as error:
        reason = str(error) or type(error).__name__
        raise ReadError(file=name, reason=f"it is damaged: {reason}") from error


class Budget:
    """How many bytes may come out of a file or a member of it."""

    def __init__(self, limits: Limits, packed: int, archive: str, member: str | None) -> None:
        self.archive, self.member = archive, member
        self._limits, self._packed, self._spent = limits, packed, 0
        self._allowed = min(limits.unpacked, max(RATIO_FROM, limits.ratio * packed))

    def spend(self, count: int) -> None:
        """Take note of bytes that came out; raises UnsafeArchiveError where they are too many."""
        self._spent += count
        if self._spent <= self._allowed:
            return
        told, limit = f"unpacks to more than {size(self._allowed)}", "unpacked"
        if self._allowed < self._limits.unpacked:
            told, limit = f"{told}, out of {size(self._packed)}", "ratio"
        hint = RAISE_LIMITS.format(limit)
        raise UnsafeArchiveError(archive=self.archive, member=self.member, reason=told, hint=hint)


class SharedBudget:
    """What one member takes of a budget for many: of it, what is read again counts once.

    Args:
        total: the budget.
        counted: what was taken of it so far, by the names of members.
        member: the name of this one.
    """

    def __init__(self, total: Budget, counted: dict[str, int], member: str) -> None:
        self._total, self._counted, self._member, self._spent = total, counted, member, 0

    def spend(self, count: int) -> None:
        """See `Budget.spend`."""
        self._spent += count
        new = self._spent - self._counted.get(self._member, 0)
        if new > 0:
            self._counted[self._member] = self._spent
            self._total.spend(new)


class Layer(io.RawIOBase):
    """A stream of some kind: its damage is a ReadError, and what comes out is on a budget.

    Every read gives as much as was asked for, but at the end.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        errors: tuple[type[Exception], ...],
        *,
        budgets: tuple[Budget | SharedBudget, ...] = (),
        beneath: BinaryIO | None = None,
    ) -> None:
        self._stream, self._name, self._errors = stream, name, errors
        self._budgets, self._beneath, self._given = budgets, beneath, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        with translated(self._name, self._errors):
            while filled < len(view):
                count: int = self._stream.readinto(view[filled:])  # type: ignore[attr-defined]
                if not count:
                    break
                filled += count
        for budget in self._budgets:
            budget.spend(filled)
        self._given += filled
        return filled

    def tell(self) -> int:
        return self._given

    def readall(self) -> bytes:
        pieces, step = [], _BUFFER
        while piece := self.read(step):
            pieces.append(piece)
            step = min(2 * step, _LARGEST_PIECE)
        return b"".join(pieces)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stream.close()
            if self._beneath is not None:
                self._beneath.close()


class Peeled:
    """A stream with every compression around it removed, and the kinds of those."""

    def __init__(self, stream: BinaryIO, name: str, *budgets: Budget | SharedBudget) -> None:
        """Peel.

        Args:
            stream: the bytes as they are stored, whose reads give as much as was asked for; it
                is closed with what is inside.
            name: what to call it in errors.
            budgets: what each of its layers may grow to.

        Raises:
            ReadError: it is damaged at its beginning, or wrapped again and again.
        """
        self.kinds: list[Stream] = []
        self._stored = stream
        self.stream = io.BufferedReader(cast("io.RawIOBase", stream), _BUFFER)
        try:
            self._peel(name, budgets)
        except BaseException:
            self.stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    @property
    def taken(self) -> int:
        """How many bytes were read so far, as they are stored."""
        return self._stored.tell()

    @property
    def head(self) -> bytes:
        """The first bytes inside."""
        return self.stream.peek(_kinds.HEAD)[: _kinds.HEAD]

    def _peel(self, name: str, budgets: tuple[Budget | SharedBudget, ...]) -> None:
        while kind := _kinds.stream_of(self.head):
            if len(self.kinds) == LAYERS:
                raise ReadError(file=name, reason=f"it is compressed more than {LAYERS} times")
            self._remove(kind, name, budgets)

    def _remove(
        self, kind: "Stream", name: str, budgets: tuple[Budget | SharedBudget, ...]
    ) -> None:
        with translated(name, kind.errors):
            inside = kind.open(cast("BinaryIO", self.stream))
        layer = Layer(
            inside, name, kind.errors, budgets=budgets, beneath=cast("BinaryIO", self.stream)
        )
        self.stream = io.BufferedReader(layer, _BUFFER)
        self.kinds.append(kind)


_NAMES, _LONG = 16 << 20, 256  # characters of all names: so many, and so many more for each entry
_COMPOSED = 255  # characters, no file system takes more; composing takes their square in time
_DRIVE = re.compile(r"[A-Za-z]:")

Kind = Literal["file", "folder", "link", "strange", "unsafe"]


class Entry(NamedTuple):
    """One entry of an archive.

    Attributes:
        name: as the archive says; once checked, without `./` and doubled slashes.
        size: bytes inside.
        packed: bytes that it takes in the archive.
        place: where its bytes are, and what else its kind of archive must know to read them.
        kind: `strange` cannot be read by us, `unsafe` condemns the whole archive.
        note: why, for these two: `is encrypted`.
    """

    name: str
    size: int
    packed: int
    place: tuple[int, ...]
    kind: Kind = "file"
    note: str = ""


class Counter:
    """How many entries there are in a resource: in all of its archives, however they lie."""

    def __init__(self) -> None:
        self.entries = 0


@dataclass(frozen=True)
class Allowance:
    """What an archive may hold.

    Attributes:
        archive: what to call it in errors.
        packed: its size in bytes.
        limits: of the resource that it is or lies in.
        count: of the entries of that resource.
    """

    archive: str
    packed: int
    limits: Limits
    count: Counter


def checked(entries: Iterable[Entry], allowance: Allowance) -> list[Entry]:
    """The entries that are no folders, under plain names, in the order of the archive.

    Args:
        entries: every entry, in the order of the archive.
        allowance: what it may hold.

    Raises:
        UnsafeArchiveError: an entry has a name that leads elsewhere or is there twice (also in
            other case, or composed of other Unicode characters: elsewhere they would be one file),
            lies below a link, cannot be trusted, is larger or one more than the limits allow, or
            makes the names of all together fill the memory.
    """
    archive, limits, count = allowance.archive, allowance.limits, allowance.count
    found: list[Entry] = []
    seen: set[str] = set()
    characters = 0
    total = Budget(limits, allowance.packed, archive, None)
    for entry in entries:
        total.member, name = entry.name, plain(entry.name)
        count.entries += 1
        if count.entries > limits.members:
            reason = f"is one more than the {limits.members:,} that are allowed"
            hint = RAISE_LIMITS.format("members")
            raise UnsafeArchiveError(archive=archive, member=entry.name, reason=reason, hint=hint)
        characters += len(name)
        if characters > _NAMES + _LONG * len(found):
            reason = f"and those before it have names of {characters:,} characters"
            raise UnsafeArchiveError(archive=archive, member=entry.name[:80], reason=reason)
        if fault := _fault(entry, name, seen):
            raise UnsafeArchiveError(archive=archive, member=entry.name, reason=fault)
        total.spend(entry.size)
        if entry.size > RATIO_FROM:  # below, the total is all that counts
            Budget(limits, entry.packed, archive, entry.name).spend(entry.size)
        if entry.kind != "folder":
            seen.add(_key(name))
            found.append(entry if name == entry.name else entry._replace(name=name))
    _check_links(found, archive)
    return found


def plain(name: str) -> str:
    """A name without `./` and doubled slashes: `./a//b/` is `a/b`."""
    if "./" not in name and "//" not in name and not name.endswith(("/", ".")):
        return name
    root = "/" if name.startswith("/") else ""
    return root + "/".join(part for part in name.split("/") if part not in {"", "."})


def _key(name: str) -> str:
    """What is the same for names that would be one file on some file system."""
    if name.isascii():
        return name.lower()
    parts = [
        part if len(part) > _COMPOSED else unicodedata.normalize("NFC", part)
        for part in name.split("/")
    ]
    return "/".join(parts).lower()


def _fault(entry: Entry, name: str, seen: set[str]) -> str:
    """Why no archive may hold such an entry; empty for a good one."""
    if entry.kind == "unsafe":
        return entry.note
    if fault := _fault_of_name(name):
        return fault
    if entry.kind == "folder":
        return ""  # may have no name, being the top, and may be there twice
    if not name:
        return "has no name"
    return "is in it twice" if _key(name) in seen else ""


def _fault_of_name(name: str) -> str:
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        return "leads out of the archive"
    if "\\" in name:
        return "has a backslash in its name: where it leads depends on the system"
    return "has a zero byte in its name" if "\0" in name else ""


def _check_links(members: list[Entry], archive: str) -> None:
    links = {_key(entry.name) for entry in members if entry.kind == "link"}
    if not links:
        return
    keys = sorted(_key(entry.name) for entry in members)
    for link in links:
        at = bisect_left(keys, f"{link}/")
        if at < len(keys) and keys[at].startswith(f"{link}/"):
            below = next(entry for entry in members if _key(entry.name) == keys[at])
            raise UnsafeArchiveError(archive=archive, member=below.name, reason="lies below a link")
