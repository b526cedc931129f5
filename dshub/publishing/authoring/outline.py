"""The outline of a dataset: everything that its manifest will say of the files."""

import glob
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dshub.catalog.features import Feature
from dshub.errors import DshubError
from dshub.publishing.authoring.survey import Entry

PACKED = Path()  # stands for the archive to be made of a folder
Reference = tuple[Path, str]
"""A file on disk or `PACKED`, and the member or pattern in it; empty for the file itself."""


@dataclass
class SplitOutline:
    """A split.

    Attributes:
        reader: as in a manifest.
        parts: the files of each part, in the order of rows.
        references: the same files as a manifest names them.
        rename: columns of the reader with other names in the dataset.
    """

    reader: dict[str, Any]
    parts: dict[str, list[Entry]] = field(default_factory=dict)
    references: dict[str, list[Reference]] = field(default_factory=dict)
    rename: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    without: list[str] = field(default_factory=list)
    figures: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, part: str, entries: Sequence[Entry]) -> None:
        """Add a part whose files are each referred to by name."""
        self.parts[part] = list(entries)
        self.references[part] = [(entry.path, glob.escape(entry.file.member)) for entry in entries]


@dataclass
class Outline:
    """A dataset.

    Attributes:
        kind: the files in a few words.
        members: names and files of the archive to make; empty for none.
        doubts: guesses to check, and skipped files and columns.
    """

    kind: str
    splits: dict[str, SplitOutline] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    members: list[tuple[str, Path]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def cover(names: Collection[str], members: Sequence[str], prefix: str) -> list[str]:
    """Find patterns that match these members of an archive and no others.

    Args:
        names: the members; all begin with the prefix.
        members: all members of the archive.
        prefix: folders, with a `/` at the end.

    Raises:
        DshubError: no simple patterns do.
    """
    chosen = set(names)
    others = [name for name in members if name.startswith(prefix) and name not in chosen]
    for patterns, taken in zip(_patterns(chosen, prefix), _patterns(others, prefix), strict=True):
        if "" not in patterns and not patterns & taken:
            return sorted(patterns)
    raise DshubError(
        f"the archive has other files among those of the dataset, such as {others[0]!r}",
        hint="remove them from the archive, or give the unpacked folder",
    )


def _patterns(names: Collection[str], prefix: str) -> tuple[set[str], set[str], set[str]]:
    """Patterns by prefix, by suffix, and by folder and suffix; empty for a name without these."""
    anything = f"{glob.escape(prefix)}*"
    by_suffix, by_folder = set(), set()
    for name in names:
        folder, slash, _ = name[len(prefix) :].partition("/")
        _, dot, suffix = glob.escape(name.rpartition("/")[2]).rpartition(".")
        by_suffix.add(f"{anything}.{suffix}" if dot else "")
        by_folder.add(f"{glob.escape(prefix + folder)}/*.{suffix}" if slash and dot else "")
    return {anything} if names else set(), by_suffix, by_folder
