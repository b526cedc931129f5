"""Paths into a JSON document, such as `data[].paragraphs[].context`.

A path begins at the document. Keys are separated by points, and `[]` stands for each item of a
list. A document that itself is a list is `[]`, and `[].id` the id of each of its items.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Steps = tuple[str | None, ...]
"""The keys of a path in order, and None for each item of a list."""

_PATH = re.compile(r"(\[\]|[^.\[\]]+(\[\])?)(\.[^.\[\]]+(\[\])?)*")


class Misfit(Exception):  # noqa: N818  # never leaves the reader
    """A document is not as a path says; the text tells where in it, and what is there."""


def steps(path: str) -> Steps:
    """Take a path apart; the empty one leads to the document itself.

    Raises:
        ValueError: it is no path.
    """
    if path and not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no path such as `data[].title`")
    return tuple(None if key == "[]" else key for key in re.findall(r"\[\]|[^.\[\]]+", path))


@dataclass(frozen=True)
class Trail:
    """On the way to a row: the document, the item of each list, and the row as the last.

    Attributes:
        nodes: them.
        numbers: of the items in their lists; one fewer.
    """

    nodes: tuple[Any, ...]
    numbers: tuple[int, ...] = ()


def trails(trail: Trail, rows: Steps, begin: int = 0) -> Iterator[Trail]:
    """The trail of every row below a trail, in order.

    Raises:
        Misfit: the document has no such list.
    """
    if None not in rows[begin:]:
        yield trail
        return
    end = rows.index(None, begin)
    found = follow(trail.nodes[-1], rows[:end], begin, trail.numbers)
    for i, item in enumerate(_items(found, rows[:end], trail.numbers)):
        below = Trail((*trail.nodes, item), (*trail.numbers, i))
        yield from trails(below, rows, end + 1)


@dataclass(frozen=True)
class Place:
    """Where the values of a column are: a path, from the last list that it shares with the rows.

    Attributes:
        path: from the document.
        level: how many lists it shares with the rows' path.
        begin: where the path goes on from there.
    """

    path: Steps
    level: int
    begin: int

    @classmethod
    def of(cls, path: str, rows: Steps) -> "Place":
        """The place that a path means for rows.

        Raises:
            ValueError: it is no path, or leads through two lists below the row.
        """
        whole = steps(path)
        ends = [i + 1 for i, key in enumerate(rows) if key is None]
        shared = [end for end in ends if whole[:end] == rows[:end]]
        place = cls(whole, len(shared), shared[-1] if shared else 0)
        if whole[place.begin :].count(None) > 1:
            raise ValueError(f"{path!r} leads to lists of lists")
        return place

    @property
    def many(self) -> bool:
        """Whether a row has a list of values there."""
        return None in self.path[self.begin :]

    def value(self, trail: Trail) -> Any:
        """What a row has there: a value, or a list of them.

        Raises:
            Misfit: the document has no such key.
        """
        node, numbers = trail.nodes[self.level], trail.numbers[: self.level]
        if not self.many:
            return follow(node, self.path, self.begin, numbers)
        end = self.path.index(None, self.begin)
        found = follow(node, self.path[:end], self.begin, numbers)
        return [
            follow(item, self.path, end + 1, (*numbers, i))
            for i, item in enumerate(_items(found, self.path[:end], numbers))
        ]

    def shown(self, trail: Trail) -> str:
        """The path with the numbers of items, for a person: `data[3].title`."""
        return shown(self.path, trail.numbers[: self.level])


def follow(node: Any, path: Steps, begin: int, numbers: Sequence[int]) -> Any:
    """What is at the end of a path whose step `begin` is a key of `node`.

    Raises:
        Misfit: there is no such key.
    """
    for i in range(begin, len(path)):
        if not isinstance(node, dict):
            raise Misfit(f"{shown(path[:i], numbers)} is {told(node)}, not an object")
        if path[i] not in node:
            raise Misfit(f"{shown(path[:i], numbers)} has no key {path[i]!r}")
        node = node[path[i]]
    return node


def _items(node: Any, path: Steps, numbers: Sequence[int]) -> list[Any]:
    if not isinstance(node, list):
        raise Misfit(f"{shown(path, numbers)} is {told(node)}, not a list")
    return node


def shown(path: Steps, numbers: Sequence[int] = ()) -> str:
    """A path with the numbers of items as far as they are known, for a person."""
    waiting = [str(number) for number in reversed(numbers)]
    text = ""
    for key in path:
        text += f"[{waiting.pop() if waiting else ''}]" if key is None else f".{key}"
    return text.removeprefix(".") or "the document"


def told(node: Any) -> str:
    """What a node is, in JSON's words."""
    match node:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"


def placed(node: Any, path: Steps, value: Any) -> Any:
    """A document with a value put into it, as the inverse of reading.

    Args:
        node: what there is of the document; None for nothing yet.
        path: where; for each list on it, `value` is a list of as many.
        value: for the end of the path.

    Raises:
        Misfit: a list has another number of items already.
    """
    if not path:
        return value
    key, rest = path[0], path[1:]
    if key is None:
        items = [None] * len(value) if node is None else node
        if len(items) != len(value):
            raise Misfit(f"a list has {len(items)} items and {len(value)} values")
        return [placed(item, rest, one) for item, one in zip(items, value, strict=True)]
    held = {} if node is None else node
    held[key] = placed(held.get(key), rest, value)
    return held
