"""Parse split expressions such as `train`, `train[:1000]`, `train[10%:20%]` and `train+test`."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from dshub.catalog.names import ambiguous, plain, spelled
from dshub.display import short
from dshub.errors import ArgumentError, SplitError, UnknownNameError

_PART = re.compile(r"\s*+([A-Za-z0-9_-]+(?:\s++[A-Za-z0-9_-]++)*+)\s*+(\[([^\[\]]*)\])?\s*")
_BOUND = re.compile(r"\s*+(-?[0-9]{1,18})\s*+(%?)\s*")

SYNONYMS = (
    ("train", "training"),
    ("val", "valid", "validation", "dev"),
    ("test", "testing"),
)


@dataclass(frozen=True)
class Bound:
    """One end of a slice: a number of rows, or a percentage."""

    number: int
    percent: bool

    def row(self, rows: int) -> int:
        """Return the number of rows before this end in a split with `rows` rows.

        Percentages are rounded to the nearest row. Negative numbers count from the end.
        """
        row = round(self.number * rows / 100) if self.percent else self.number
        return min(max(row + rows if self.number < 0 else row, 0), rows)


@dataclass(frozen=True)
class Part:
    """One term of a split expression: a split with an optional slice."""

    split: str
    start: Bound | None = None
    stop: Bound | None = None

    def rows(self, count: int) -> range:
        """Return the rows that this part selects from a split with `count` rows."""
        start = self.start.row(count) if self.start else 0
        stop = self.stop.row(count) if self.stop else count
        return range(start, max(start, stop))


def parse_split(expression: str) -> list[Part]:
    """Parse a split expression into its terms, in order.

    Raises:
        SplitError: the syntax is invalid.
        ArgumentError: `expression` is not a string.
    """
    if not isinstance(expression, str):
        expected = "text such as 'train' or 'train+test'"
        raise ArgumentError(name="split", value=expression, expected=expected)
    parts = []
    for term in expression.split("+"):
        match = _PART.fullmatch(term)
        if match is None:
            unclosed = "[" in term and "]" not in term
            shown = short(term.strip())
            reason = "a '[' without its ']'" if unclosed else f"{shown} is not a split name"
            raise SplitError(expression=expression, reason=reason)
        if match[2] is None:
            parts.append(Part(match[1]))
            continue
        start, colon, stop = match[3].partition(":")
        if not colon:
            raise SplitError(expression=expression, reason="a slice needs a ':', as in [:100]")
        parts.append(Part(match[1], _bound(expression, start), _bound(expression, stop)))
    return parts


def _bound(expression: str, text: str) -> Bound | None:
    if not text.strip():
        return None
    match = _BOUND.fullmatch(text)
    if match is None:
        reason = f"{short(text.strip())} is neither a number of rows nor a percentage"
        raise SplitError(expression=expression, reason=reason)
    number, percent = int(match[1]), bool(match[2])
    if percent and abs(number) > 100:
        raise SplitError(expression=expression, reason=f"{number}% is not between -100% and 100%")
    return Bound(number, percent)


def find_split(title: str, split: str, splits: Collection[str]) -> str:
    """Return the split that a name refers to.

    Case, `-`, `_` and spaces do not matter, and `val`, `valid` and `dev` mean `validation`, if the
    dataset has no split of that name.

    Args:
        title: name of the dataset, for errors.
        split: requested split.
        splits: splits of the dataset.

    Raises:
        UnknownNameError: no split or more than one split matches the name.
    """
    names = [split, *synonyms(split)]
    matches = next(filter(None, (spelled(name, splits) for name in names)), [])
    if len(matches) > 1:
        raise ambiguous(f"split of {title}", split, matches)
    if not matches:
        raise unknown_split(title, split, splits)
    return matches[0]


def find_parts(title: str, expression: str, splits: Collection[str]) -> list[Part]:
    """Parse a split expression, and resolve its names with `find_split`.

    Raises:
        SplitError: the syntax is invalid.
        UnknownNameError: a split does not exist.
        ArgumentError: `expression` is not a string.
    """
    return [
        replace(part, split=find_split(title, part.split, splits))
        for part in parse_split(expression)
    ]


def synonyms(split: str) -> tuple[str, ...]:
    """Return the synonyms of a split name, including the name itself, or an empty tuple."""
    return next((names for names in SYNONYMS if plain(split) in names), ())


def unknown_split(title: str, split: object, splits: Collection[str]) -> UnknownNameError:
    """Return the error for a split that does not exist, with suggestions.

    Args:
        title: name of the dataset.
        split: requested split, such as another library's name or one with a different case.
        splits: splits of the dataset.
    """
    text, hint = str(split), ""
    names = synonyms(text)
    close = [name for name in splits if name.startswith(names)] or None if names else None
    if not close and text.lower() == "all":
        hint = f"use {'+'.join(splits)} for all splits"
    elif not close and "validation" in names and "train" in splits:
        hint = "use train[:90%] and train[90%:] to hold out a part of train"
    kind = f"split of {title}"
    return UnknownNameError(kind=kind, name=text, close=close, known=tuple(splits), hint=hint)
