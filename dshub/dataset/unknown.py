"""Splits and columns that somebody names: whether there are such, and which were probably meant."""

from collections.abc import Collection, Iterable
from typing import Any

from dshub.errors import ArgumentError, UnknownNameError
from dshub.manifest import Manifest

SAME = (
    ("train", "training"),
    ("val", "valid", "validation", "dev"),
    ("test", "testing"),
)  # names in one line mean the same split, here and there


def same(split: str) -> tuple[str, ...]:
    """The names that mean the same split; none where it is not the name of one."""
    return next((names for names in SAME if split.lower() in names), ())


def unknown_split(title: str, split: object, known: Collection[str]) -> UnknownNameError:
    """The error for a split that a dataset lacks, with the one that was meant.

    Args:
        title: what the dataset is called.
        split: what somebody wrote: another library's word, such as `val`, or another capital.
        known: the splits that there are.
    """
    text, hint = str(split), ""
    meant = {text.lower(), *same(text)}
    close = [name for name in known if name.lower() in meant]
    if not close and text.lower() == "all":
        hint = f"all of them are {'+'.join(known)}"
    elif not close and "validation" in meant and "train" in known:
        hint = "train[:90%] and train[90%:] hold out a part of train"
    kind = f"split of {title}"
    return UnknownNameError(
        kind=kind, name=text, close=close or None, known=tuple(known), hint=hint
    )


def unknown_column(
    name: Any, known: Collection[str], manifest: Manifest | None = None
) -> UnknownNameError:
    """The error for a column that a dataset lacks.

    Args:
        name: what somebody wrote.
        known: the columns that there are.
        manifest: where the rows come from; one of its splits may have been meant.
    """
    hint = ""
    if manifest is not None and name in manifest.splits:
        hint = f'{name} is a split: load("{manifest.name}", "{name}")'
    return UnknownNameError(kind="column", name=name, known=tuple(known), hint=hint)


def known_columns(
    names: Any, known: Collection[str], manifest: Manifest | None = None
) -> tuple[str, ...]:
    """The columns that are named, one or several.

    Raises:
        UnknownNameError: there is no such column.
        ArgumentError: one is named twice.
    """
    several = isinstance(names, Iterable) and not isinstance(names, str)
    chosen = tuple(names) if several else (names,)
    for name in chosen:
        if name not in known:
            raise unknown_column(name, known, manifest)
    if len(set(chosen)) < len(chosen):
        raise ArgumentError(name="names", value=names, expected="columns, each of them once")
    return chosen
