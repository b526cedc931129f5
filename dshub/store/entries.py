"""What the entries of `partial-v1` are, told from their names."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dshub.store.owners import is_orphan, owner

Holder = Literal["nobody", "dead", "alive", "unknown"]
Sort = Literal["download", "rejected", "damaged", "table", "scratch", "text", "removed", "other"]


@dataclass(frozen=True)
class Leftover:
    """One entry.

    Attributes:
        sort: an unfinished `download`; bytes `rejected` in place of a file; content found
            `damaged` and put aside; a `table`, a `scratch` folder or a small `text` under way;
            content that is being `removed`; or something `other` that dshub did not make.
        of: checksum of the file (download, rejected), key (table), or the old path with `-` in
            place of `/` (damaged); else empty.
        holder: what became of the process whose name it bears: `nobody` where it bears none,
            `unknown` of a process of another machine, which cannot be asked.
    """

    sort: Sort
    of: str
    holder: Holder


def leftover(path: Path) -> Leftover:
    """What an entry is."""
    held = _holder(path)
    stem = path.name if held == "nobody" else path.name.partition(".")[0]
    checksum = re.fullmatch(r"(?:md5-)?([0-9a-f]{32}|[0-9a-f]{64})", stem)
    if checksum is not None:
        return Leftover("download", checksum[1], held)
    word, _, of = stem.partition("-")
    match word, held:
        case ("rejected" | "damaged") as sort, _:
            return Leftover(sort, of, held)
        case ("table" | "scratch" | "text" | "removed") as sort, "dead" | "alive" | "unknown":
            return Leftover(sort, of, held)
        case _:
            return Leftover("other", "", held)


def _holder(path: Path) -> Holder:
    found = owner(path)
    if found is None:
        return "nobody"
    if is_orphan(path):
        return "dead"
    return "unknown" if found[0] else "alive"
