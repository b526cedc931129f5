"""Represent faults of manifests, and find their line numbers."""

import re
from dataclasses import dataclass
from typing import Any

BROKEN: Any = object()
"""Placeholder for a missing or invalid value. Its fault is already reported."""

_LONGEST = 200  # characters to inspect at the beginning of a line
_HEADER = re.compile(r"(\[\[?)([^\]]+)\]")
_KEY = re.compile(r"([A-Za-z0-9_.\"'-]+)\s*=")


@dataclass(frozen=True)
class Fault:
    """Fault in a manifest.

    Example: `line 14, resources.train.sha256: must be 64 hexadecimal digits`.

    Attributes:
        place: dotted path of the field; empty for the whole file.
        message: description of the problem.
        line: 1-based line number in the file, or None.
    """

    place: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line else []
        where += [self.place] if self.place else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


def with_lines(faults: list[Fault], text: str) -> list[Fault]:
    """Add line numbers of a TOML text to faults, and sort the faults by line."""
    lines = _places(text)
    located = [Fault(fault.place, fault.message, _line(fault.place, lines)) for fault in faults]
    return sorted(located, key=lambda fault: (fault.line or 0, fault.place))


def _line(place: str, lines: dict[str, int]) -> int | None:
    while place:
        if place in lines:
            return lines[place]
        end = 2 * _LONGEST  # `_places` returns no place longer than this
        place = place[: max(place.rfind(".", 0, end), place.rfind("[", 0, end), 0)]
    return None


def _places(text: str) -> dict[str, int]:
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.lstrip()[:_LONGEST]  # noqa: PLW2901
        if header := _HEADER.match(line):
            table = _plain(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            places.setdefault(table, number)
        elif key := _KEY.match(line):
            places.setdefault(f"{table}.{_plain(key[1])}".lstrip("."), number)
    return places


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
