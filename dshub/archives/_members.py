"""What an archive holds, and which archives are refused as a whole.

Nothing is ever unpacked to a loose file, so no member could overwrite one of the user's. Names are
checked all the same: an archive with such names was made to do harm or is not what it seems, and
which bytes a name means must be as clear to us as to any other program that reads the archive.

A link is never followed. One that nobody asks for is let be, for many an official archive holds
some; one that is asked for is refused, and so is an archive with a member below a link.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dshub.archives._layers import RAISE_LIMITS, RATIO_FROM, Budget
from dshub.errors import UnsafeArchiveError
from dshub.manifest import Limits

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
