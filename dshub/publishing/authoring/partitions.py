"""Outline tables in folders such as `year=2024`, which are packed with their folders."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.trees import find_classes, pair_of, split_word
from dshub.publishing.authoring.class_folders import check_names, references
from dshub.publishing.authoring.folder_columns import folder_columns, folder_path
from dshub.publishing.authoring.outline import PACKED, Outline, Reference, SplitOutline
from dshub.publishing.authoring.survey import Entry


def read_folders(outline: Outline, members: Mapping[Path, Sequence[str]]) -> None:
    """Add the columns of folders to an outline of tables.

    Args:
        outline: outline of tables, which is changed.
        members: names of all members of each archive.

    Raises:
        DshubError: a name cannot be packed.
    """
    tables = {name: split for name, split in outline.splits.items() if len(split.parts) == 1}
    entries = {name: _entries(split) for name, split in tables.items()}
    trees = {
        name: find_classes({name: [entry.folders for entry in of]}, key=_key(of))[name]
        for name, of in entries.items()
    }
    columns = folder_columns(list(trees.values()), {})
    if not columns:
        return
    outline.members = [
        (entry.name, entry.path) for of in entries.values() for entry in of if not _inside(entry)
    ]
    check_names(outline.members)
    members = {PACKED: [name for name, _ in outline.members], **members}
    for name, split in tables.items():
        (part,) = split.parts
        packed = [_packed(entry) for entry in entries[name]]
        split.parts[part] = packed
        split.references[part] = _references(packed, members)
        if trees[name].columns:
            entry = packed[0]
            outer = len(entry.folders) - entry.file.member.count("/")
            _, pattern = folder_path(trees[name], columns, outer)
            suffix = _common_suffix(packed)
            path = f"{pattern}{{name:path}}{suffix}"
            split.reader = {"format": "partitioned", "path": path, "of": split.reader}


def _entries(split: SplitOutline) -> list[Entry]:
    (part,) = split.parts.values()
    return part


def _inside(entry: Entry) -> bool:
    """Return True for a file in an archive."""
    return bool(entry.file.member)


def _key(entries: Sequence[Entry]) -> str:
    """Return the key of folders such as `split=train`; empty without one."""
    pairs = filter(None, map(pair_of, entries[0].folders))
    return next((name for name, value in pairs if split_word(value)), "")


def _packed(entry: Entry) -> Entry:
    """Return an entry with the name that it will have in the archive."""
    if _inside(entry):
        return entry
    return replace(entry, file=LooseFile(entry.path, str(entry.path), entry.name))


def _references(entries: Sequence[Entry], members: Mapping[Path, Sequence[str]]) -> list[Reference]:
    """Return references to files, with few patterns if possible."""
    loose = set(members[PACKED])
    originals = [
        replace(entry, file=LooseFile(entry.path, entry.name)) if entry.name in loose else entry
        for entry in entries
    ]
    folder = (
        os.path.commonpath([entry.file.member for entry in entries]) if len(entries) > 1 else ""
    )
    prefix = f"{folder}/" if folder else ""
    return references(originals, prefix, members)


def _common_suffix(entries: Sequence[Entry]) -> str:
    suffixes = {
        entry.base[entry.base.find(".") :] if "." in entry.base else "" for entry in entries
    }
    return suffixes.pop() if len(suffixes) == 1 else ""
