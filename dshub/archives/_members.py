"""Check the entries of archives, and limit their unpacked content."""

import io
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from dshub.archives._decoding import HEAD, ByteStream, Damage, Readable, stream_of
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.progress import size

if TYPE_CHECKING:
    from typing_extensions import Buffer

RATIO_FROM = 256 << 20  # bytes; the compression ratio is not limited up to this unpacked size
_LAYERS = 4  # maximum nested compressions, because a file can contain itself
_BUFFER = 1 << 16  # bytes
_LARGEST_PIECE = 1 << 20  # bytes per read in `readall`
_RAISE_LIMITS = "if you trust the file, raise `limits.{}` of this resource in the manifest"
_STATE_ENCODING = (
    "the name can be in another encoding, which `dshub new --zip-encoding` or `member_encoding` of "
    "the resource states"
)

Spend = Callable[[int], None]


@contextmanager
def as_read_error(name: str) -> Iterator[None]:
    """Convert Damage and OSError to a ReadError with the name of the file."""
    try:
        yield
    except (Damage, OSError) as error:
        reason = str(error) or type(error).__name__
        raise ReadError(file=name, reason=f"it is damaged: {reason}") from error


class Budget:
    """Limit on the unpacked bytes of a file or member."""

    def __init__(self, limits: Limits, packed: int, archive: str, member: str | None) -> None:
        self.archive, self.member = archive, member
        self._limits, self._packed, self._spent = limits, packed, 0
        self._allowed = min(limits.unpacked, max(RATIO_FROM, limits.ratio * packed))

    def spend(self, count: int) -> None:
        """Count unpacked bytes; raise UnsafeArchiveError if the total exceeds the limits."""
        self._spent += count
        if self._spent <= self._allowed:
            return
        reason, limit = f"unpacks to more than {size(self._allowed)}", "unpacked"
        if self._allowed < self._limits.unpacked:
            reason, limit = f"{reason}, out of {size(self._packed)}", "ratio"
        hint = _RAISE_LIMITS.format(limit)
        raise UnsafeArchiveError(archive=self.archive, member=self.member, reason=reason, hint=hint)


class Layer(Readable):
    """A stream that counts its bytes and converts Damage to ReadError.

    Reads return fewer bytes than requested only at the end.
    """

    def __init__(self, stream: ByteStream, name: str, *spends: Spend) -> None:
        self._stream, self._name, self._spends = stream, name, spends

    def readinto(self, buffer: "Buffer") -> int:
        view, filled = memoryview(buffer).cast("B"), 0
        with as_read_error(self._name):
            while filled < len(view) and (count := self._stream.readinto(view[filled:])):
                filled += count
        for spend in self._spends:
            spend(filled)
        return filled

    def readall(self) -> bytes:
        pieces, step = [], _BUFFER
        while piece := self.read(step):
            pieces.append(piece)
            step = min(2 * step, _LARGEST_PIECE)
        return b"".join(pieces)

    def close(self) -> None:
        self._stream.close()
        super().close()


def peel(
    stored: ByteStream, name: str, *spends: Spend, advance: Spend | None = None
) -> io.BufferedReader:
    """Remove every compression around a stream.

    Args:
        stored: stored bytes, closed with the result.
        name: name of the file in errors.
        spends: called with the number of decompressed bytes of each compression.
        advance: called with the number of stored bytes that are read.

    Raises:
        ReadError: the beginning is damaged, or too many compressions are nested.
    """
    counts = () if advance is None else (advance,)
    stream: io.BufferedReader = io.BufferedReader(Layer(stored, name, *counts), _BUFFER)
    for _ in range(_LAYERS + 1):
        kind = stream_of(peek(stream))
        if kind is None:
            return stream
        with as_read_error(name):
            inside = kind.open(stream)
        stream = io.BufferedReader(Layer(inside, name, *spends), _BUFFER)
    raise ReadError(file=name, reason=f"it is compressed more than {_LAYERS} times")


def peek(stream: io.BufferedReader) -> bytes:
    """Return the first bytes of a stream without advancing it."""
    return stream.peek(HEAD)[:HEAD]


Kind = Literal["file", "folder", "link", "unsupported", "unsafe"]


class Entry(NamedTuple):
    """An entry of an archive.

    Attributes:
        name: name in the archive, normalized by `check_entries`.
        size: unpacked bytes.
        packed: stored bytes.
        place: values that the container needs to read the entry, such as its offset.
        kind: type of the entry. `unsupported` entries cannot be read. An `unsafe` entry makes the
            whole archive unsafe.
        note: reason why the entry cannot be read, such as `is encrypted`.
        raw_name: stored bytes of the name, if its encoding is unknown; empty otherwise.
    """

    name: str
    size: int
    packed: int
    place: tuple[int, ...]
    kind: Kind = "file"
    note: str = ""
    raw_name: bytes = b""


def decoded_names(entries: Iterable[Entry], encoding: str | None, title: str) -> Iterator[Entry]:
    """Decode the names whose encoding is unknown; None for names as the container gives them.

    Raises:
        ReadError: a name does not have the encoding.
    """
    for entry in entries:
        if encoding is None or not entry.raw_name:
            yield entry
            continue
        try:
            yield entry._replace(name=entry.raw_name.decode(encoding))
        except UnicodeDecodeError:
            reason = f"the name of its member {entry.raw_name!r} is not {encoding}"
            hint = "state the encoding of its names"
            raise ReadError(file=title, reason=reason, hint=hint) from None


_NAMES, _LONG = 16 << 20, 256  # maximum characters of all names, plus extra per entry
_COMPOSED = 255  # characters to normalize at most, because that takes quadratic time
_DRIVE = re.compile(r"[A-Za-z]:")


def check_entries(
    entries: Iterable[Entry], *, title: str, packed: int, limits: Limits, count: Iterator[int]
) -> list[Entry]:
    """Check all entries of an archive, and return all except folders, with normalized names.

    Args:
        entries: entries in archive order.
        title: name of the archive in errors.
        packed: size of the archive in bytes.
        limits: limits of the resource.
        count: counter of the entries of all archives in the resource, from 1.

    Raises:
        UnsafeArchiveError: an entry points outside the archive, is below a link, is not safe to
            read, or has the name of another entry (ignoring case and Unicode form, as some file
            systems do); or the archive exceeds its limits.
    """
    checked: list[Entry] = []
    seen: set[str] = set()
    characters = 0
    total = Budget(limits, packed, title, None)
    for entry in entries:
        total.member, name = entry.name, normalize(entry.name)
        if next(count) > limits.members:
            reason = f"exceeds the limit of {limits.members:,} members"
            hint = _RAISE_LIMITS.format("members")
            raise UnsafeArchiveError(archive=title, member=entry.name, reason=reason, hint=hint)
        characters += len(name)
        if characters > _NAMES + _LONG * len(checked):
            reason = f"and the entries before it have {characters:,} characters in their names"
            raise UnsafeArchiveError(archive=title, member=entry.name[:80], reason=reason)
        if fault := _fault(entry, name, seen):
            hint = _STATE_ENCODING if entry.raw_name and "\\" in entry.name else ""
            raise UnsafeArchiveError(archive=title, member=entry.name, reason=fault, hint=hint)
        total.spend(entry.size)
        if entry.size > RATIO_FROM:  # smaller entries only count toward the total
            Budget(limits, entry.packed, title, entry.name).spend(entry.size)
        if entry.kind != "folder":
            seen.add(_key(name))
            checked.append(entry if name == entry.name else entry._replace(name=name))
    _check_links(checked, title)
    return checked


def normalize(name: str) -> str:
    """Remove `./`, doubled slashes and a trailing slash: `./a//b/` becomes `a/b`."""
    if "./" not in name and "//" not in name and not name.endswith(("/", ".")):
        return name
    root = "/" if name.startswith("/") else ""
    return root + "/".join(part for part in name.split("/") if part not in {"", "."})


def _key(name: str) -> str:
    """Return a key that is equal for names of the same file on any file system."""
    if name.isascii():
        return name.lower()
    parts = [
        part if len(part) > _COMPOSED else unicodedata.normalize("NFC", part)
        for part in name.split("/")
    ]
    return "/".join(parts).lower()


def _fault(entry: Entry, name: str, seen: set[str]) -> str:
    """Return the reason why an entry is unsafe; empty for a safe entry."""
    if entry.kind == "unsafe":
        return entry.note
    if fault := _fault_of_name(name):
        return fault
    if entry.kind == "folder":
        return ""  # the root folder has no name, and folders can appear twice
    if not name:
        return "has no name"
    return "appears twice" if _key(name) in seen else ""


def _fault_of_name(name: str) -> str:
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        return "points outside the archive"
    if "\\" in name:
        return "has a backslash in its name, which means different things on different systems"
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
            raise UnsafeArchiveError(archive=archive, member=below.name, reason="is below a link")
