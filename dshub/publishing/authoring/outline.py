"""Outline of a dataset: splits, features and files for a drafted manifest."""

import glob
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dshub.catalog.features import Feature
from dshub.catalog.manifest import MemberEncoding
from dshub.errors import DshubError
from dshub.publishing.authoring.survey import Entry

PACKED = Path()  # placeholder for an archive that will be packed from a folder
Reference = tuple[Path, str]
"""Path of a file or `PACKED`, and a member or pattern in an archive; empty for a plain file."""


@dataclass
class SplitOutline:
    """Outline of a split.

    Attributes:
        reader: reader options, as in a manifest.
        parts: files of each part, in the order of rows.
        references: references to the files of each part, as in a manifest.
        rename: new names of the reader's columns, by old name.
        steps: steps after the renaming, as in a manifest.
        rows: number of rows.
        without: features that the split lacks.
        figures: published figures, such as the number of rows per class.
    """

    reader: dict[str, Any]
    parts: dict[str, list[Entry]] = field(default_factory=dict)
    references: dict[str, list[Reference]] = field(default_factory=dict)
    rename: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    without: list[str] = field(default_factory=list)
    figures: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, part: str, entries: Sequence[Entry]) -> None:
        """Add a part with a reference for each file."""
        self.parts[part] = list(entries)
        self.references[part] = [(entry.path, glob.escape(entry.file.member)) for entry in entries]


@dataclass
class Outline:
    """Outline of a dataset.

    Attributes:
        kind: short description of the files.
        splits: outline of each split, by name.
        features: feature of each column, by name.
        members: name and path of each file to pack into an archive.
        doubts: notes on uncertain guesses, and on skipped files and columns.
        encodings: encoding of names in zip archives that do not state it.
    """

    kind: str
    splits: dict[str, SplitOutline] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    members: list[tuple[str, Path]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    encodings: dict[Path, MemberEncoding] = field(default_factory=dict)


def cover(names: Collection[str], members: Sequence[str], prefix: str) -> list[str]:
    """Find patterns that match the named members of an archive and no other member.

    Args:
        names: members to match; all start with the prefix.
        members: all members of the archive.
        prefix: parent folders, with a trailing `/`.

    Raises:
        DshubError: no simple pattern separates the members.
    """
    chosen = set(names)
    unrelated = [name for name in members if name.startswith(prefix) and name not in chosen]
    for patterns, excluded in zip(
        _patterns(chosen, prefix), _patterns(unrelated, prefix), strict=True
    ):
        if "" not in patterns and not patterns & excluded:
            return sorted(patterns)
    raise DshubError(
        f"the archive mixes data with unrelated files, such as {unrelated[0]!r}",
        hint="remove these files from the archive, or pass the unpacked folder",
    )


def _patterns(names: Collection[str], prefix: str) -> tuple[set[str], set[str], set[str]]:
    """Return three sets of patterns: by prefix, by suffix, and by folder and suffix.

    A set includes the empty string if a name has no such pattern.
    """
    anything = f"{glob.escape(prefix)}*"
    by_suffix, by_folder = set(), set()
    for name in names:
        folder, slash, _ = name[len(prefix) :].partition("/")
        _, dot, suffix = glob.escape(name.rpartition("/")[2]).rpartition(".")
        by_suffix.add(f"{anything}.{suffix}" if dot else "")
        by_folder.add(f"{glob.escape(prefix + folder)}/*.{suffix}" if slash and dot else "")
    return {anything} if names else set(), by_suffix, by_folder
