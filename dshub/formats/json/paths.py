"""Paths into a JSON document, such as `data[].paragraphs[].context`.

A path begins at the document. Keys are separated by points, and `[]` stands for each item of a
list. If the document is a list, it is `[]`, and `[].id` the id of each of its items.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import NoneType
from typing import Any, NamedTuple

from dshub.errors import SchemaError

Keys = tuple[str, ...]

_PATH = re.compile(r"(\[\]|[^.\[\]]+(\[\])?)(\.[^.\[\]]+(\[\])?)*")
_TYPES = {
    NoneType: "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


class Misfit(Exception):  # noqa: N818  # never leaves the reader
    """A document that differs from a path; the message names the place and its content."""


def type_name(value: Any) -> str:
    """Return the JSON name of a value's type."""
    return _TYPES[type(value)]


def segments(path: str) -> tuple[Keys, ...]:
    """Split a path at its lists, and each segment into keys.

    Raises:
        ValueError: it is not a path.
    """
    if path and not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a path such as `data[].title`")
    return tuple(tuple(filter(None, part.split("."))) for part in path.split("[]"))


class Node(NamedTuple):
    """A value in a document, and its path: keys, and the numbers of list items."""

    value: Any
    path: tuple[str | int, ...] = ()

    def at(self, keys: Keys) -> str:
        """Return the path of a value below this one, for errors."""
        steps = (*self.path, *keys)
        texts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        return "".join(texts).removeprefix(".") or "the document"

    def follow(self, keys: Keys) -> Any:
        """Return the value at some keys.

        Raises:
            Misfit: there is no such key.
        """
        value = self.value
        for i, key in enumerate(keys):
            if not isinstance(value, dict):
                raise Misfit(f"{self.at(keys[:i])} is {type_name(value)}, not an object")
            if key not in value:
                raise Misfit(f"{self.at(keys[:i])} has no key {key!r}")
            value = value[key]
        return value

    def checked(self, keys: Keys, check: Callable[[Any], Any]) -> Any:
        """Apply a check to the value at some keys; complete its Misfit with the path."""
        value = self.follow(keys)
        try:
            return check(value)
        except Misfit as error:
            raise Misfit(f"{self.at(keys)} {error}") from None

    def items(self, keys: Keys) -> list["Node"]:
        """Return the items of the list at some keys.

        Raises:
            Misfit: there is no such list.
        """
        values = self.follow(keys)
        if not isinstance(values, list):
            raise Misfit(f"{self.at(keys)} is {type_name(values)}, not a list")
        path = (*self.path, *keys)
        return [Node(value, (*path, i)) for i, value in enumerate(values)]


Trail = tuple[Node, ...]
"""The nodes on the way to a row: the document, the item of each list, the row as the last one."""


def trails(trail: Trail, lists: Sequence[Keys]) -> Iterator[Trail]:
    """Yield the trail of every row below a trail, in order.

    Raises:
        Misfit: the document lacks one of the lists.
    """
    if not lists:
        yield trail
        return
    for item in trail[-1].items(lists[0]):
        yield from trails((*trail, item), lists[1:])


@dataclass(frozen=True)
class Place:
    """The place of a column's values in a document.

    Attributes:
        segments: of the path.
        level: number of lists that the path shares with that of the rows.
    """

    segments: tuple[Keys, ...]
    level: int

    @classmethod
    def of(cls, path: str, rows: Sequence[Keys]) -> "Place":
        """Compare a path with that of the rows.

        Raises:
            ValueError: it is not a path, or leads through two lists below the row.
        """
        own = segments(path)
        shared = takewhile(lambda pair: pair[0] == pair[1], zip(own[:-1], rows[:-1], strict=False))
        place = cls(own, len(list(shared)))
        if len(own) > place.level + 2:
            raise ValueError(f"{path!r} leads to lists of lists")
        return place

    @property
    def is_list(self) -> bool:
        """Whether a row has a list of values there."""
        return len(self.segments) > self.level + 1

    def read(self, trail: Trail, check: Callable[[Any], Any]) -> Any:
        """Return the checked value of a row, or a list of them.

        Raises:
            Misfit: the document has no such key, or another value.
        """
        node, keys = trail[self.level], self.segments[self.level]
        if not self.is_list:
            return node.checked(keys, check)
        return [item.checked(self.segments[-1], check) for item in node.items(keys)]


def put(node: Any, path: Sequence[Keys], value: Any, name: str) -> Any:
    """Put a value into a document, as the inverse of reading.

    Args:
        node: the existing document, None at first.
        path: its segments; for each list on it, `value` is a list of as many.
        value: to put at the end of the path.
        name: of the column, for errors.

    Raises:
        SchemaError: a list already has another number of items.
    """
    keys, *rest = path
    if keys:
        node = {} if node is None else node
        node[keys[0]] = put(node.get(keys[0]), [keys[1:], *rest], value, name)
        return node
    if not rest:
        return value
    items = [None] * len(value) if node is None else node
    if len(items) != len(value):
        expected, got = f"{len(items)} items, as in other columns", str(len(value))
        raise SchemaError(where=f"column {name}", expected=expected, got=got)
    return [put(item, rest, one, name) for item, one in zip(items, value, strict=True)]
