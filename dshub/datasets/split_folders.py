"""Find the folders that a split expression selects."""

from dataclasses import dataclass, field
from pathlib import Path

from dshub.catalog.names import ambiguous
from dshub.datasets.split_expressions import Part, parse_split, synonyms, unknown_split
from dshub.datasets.trees import (
    Groups,
    Split,
    find_classes,
    inner_splits,
    shown,
    split_in_folder,
    split_word,
)
from dshub.errors import ArgumentError, SchemaError


@dataclass(frozen=True)
class Chosen:
    """The splits of a folder that a split expression names, and those that share their classes.

    Attributes:
        splits: all splits with the same classes.
        parts: name and slice of each selected split; None for all its rows.
        notes: what is uncertain.
    """

    splits: dict[str, Split]
    parts: list[tuple[str, Part | None]]
    notes: list[str] = field(default_factory=list)


def choose(root: Path, groups: Groups, expression: str | None) -> Chosen:
    """Find the splits that an expression selects.

    Args:
        root: path of the folder.
        groups: folders in it.
        expression: split expression; None for all files of a folder without splits.

    Raises:
        ArgumentError: the folder has splits, but `expression` is None.
        SchemaError: folders of splits are inside folders of classes.
        SplitError: the expression has invalid syntax.
        UnknownNameError: a split does not exist, or the name of a split means several folders.
    """
    if expression is None:
        return _whole(root, groups)
    parts = [(_folder_of(root, groups, part.split), part) for part in parse_split(expression)]
    names = dict.fromkeys([*(groups.splits or groups.places), *(name for name, _ in parts)])
    chosen = {name: groups.places[name] for name in names}
    return Chosen(find_classes(chosen, key=groups.key), list(parts))


def _whole(root: Path, groups: Groups) -> Chosen:
    """Return all files of a folder as one split."""
    if groups.splits:
        names = sorted(groups.splits)
        expected = f"one of the splits in {root}: {', '.join(names)}"
        hint = f"pass a split, such as split={names[0]!r}"
        if groups.beside:
            hint += f"; split={groups.beside[0]!r} reads a folder beside the splits"
        raise ArgumentError(name="split", value=None, expected=expected, hint=hint)
    every = [place for places in (*groups.places.values(), groups.loose) for place in places]
    splits = find_classes({"": every})
    if mixed := inner_splits(splits[""]):
        got = f"folders of splits in {shown(mixed)}"
        hint = f"pass one of these folders, such as {root / mixed[0]}"
        expected = "folders of splits above those of classes"
        raise SchemaError(where=str(root), expected=expected, got=got, hint=hint)
    notes = []
    if word := groups.ambiguous:
        text = f"{word} is read as a class, because other folders are beside it"
        notes.append(f"{text}; to read only this folder, pass split={word!r}")
    return Chosen(splits, [("", None)], notes)


def _folder_of(root: Path, groups: Groups, split: str) -> str:
    """Return the name of the folder of a split."""
    if split in groups.places:
        return split
    names = {split.lower(), *synonyms(split)}
    same = [name for name in groups.places if name.lower() in names]
    word = split_word(split)
    same = same or [
        name for name in groups.splits if (split_in_folder(name) or ("",))[0] == (word or split)
    ]
    if len(same) > 1:
        raise ambiguous(f"split of {root}", split, same)
    if not same:
        raise unknown_split(str(root), split, sorted(groups.places))
    return same[0]
