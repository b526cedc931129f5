"""What is found out of a dataset before its manifest is written."""

import glob
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dshub.catalog.features import Feature
from dshub.errors import DshubError
from dshub.publishing.authoring.survey import Entry

PACKED = Path()  # stands for the archive that is made of a folder
Reference = tuple[Path, str]
"""A file on disk, or `PACKED`, and the member or pattern in it; empty for the file itself."""


@dataclass
class Part:
    """The files of a part of a split.

    Attributes:
        entries: in the order in which they are read.
        references: as the manifest names them.
    """

    entries: list[Entry]
    references: list[Reference]


@dataclass
class SplitOutline:
    """A split.

    Attributes:
        reader: as in a manifest.
        parts: the files of each.
        rename: the reader's columns that get other names.
    """

    reader: dict[str, Any]
    parts: dict[str, Part]
    rename: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    without: list[str] = field(default_factory=list)
    figures: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass
class Outline:
    """A dataset.

    Attributes:
        kind: what the files are, for a person.
        examples: the first value of each column, as a person reads it.
        members: names and files of the archive that is to be made; empty for none.
        doubts: what was guessed and could be otherwise, and what was left out.
    """

    kind: str
    splits: dict[str, SplitOutline]
    features: dict[str, Feature] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    members: list[tuple[str, Path]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def part(entries: Sequence[Entry], members: Mapping[Path, list[str]]) -> Part:
    """A part of files that are each named by itself."""
    references = [
        (entry.path, glob.escape(entry.file.member) if entry.path in members else "")
        for entry in entries
    ]
    return Part(list(entries), references)


def cover(wanted: Collection[str], everything: Sequence[str], prefix: str) -> list[str]:
    """Patterns that fit the wanted members of an archive, all of which begin alike, and no other.

    Raises:
        DshubError: there are none that a person could read.
    """
    names = set(wanted)
    others = [name for name in everything if name.startswith(prefix) and name not in names]
    for pattern_of in (_all, _by_ending, _by_folder):
        patterns = {pattern_of(name, prefix) for name in names}
        if "" not in patterns and not any(pattern_of(name, prefix) in patterns for name in others):
            return sorted(patterns)
    raise DshubError(
        f"other files lie among those of the dataset, such as {others[0]!r}",
        hint="take them out of the archive, or name the folder that it was made of",
    )


def _all(name: str, prefix: str) -> str:  # noqa: ARG001
    """The pattern of everything that begins so."""
    return f"{glob.escape(prefix)}*"


def _by_ending(name: str, prefix: str) -> str:
    """The pattern of what ends in the same way; empty where a name has no ending."""
    ending = name[len(prefix) :].rpartition(".")
    return f"{glob.escape(prefix)}*.{glob.escape(ending[2])}" if ending[1] else ""


def _by_folder(name: str, prefix: str) -> str:
    """The pattern of what ends in the same way, below the same folder; empty where it has none."""
    top, slash, rest = name[len(prefix) :].partition("/")
    ending = rest.rpartition(".")
    if not slash or not ending[1]:
        return ""
    return f"{glob.escape(prefix + top)}/*.{glob.escape(ending[2])}"
