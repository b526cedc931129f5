"""Paths into a JSON document, such as `data[].paragraphs[].context`.

A path begins at the document root. Keys are separated by dots, and `[]` means each item of a list.
If the document itself is a list, `[]` is the path of its items, and `[].id` the path of their ids.
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
    """A document does not match a path; the message names the position and its content."""


def type_name(value: Any) -> str:
    """Return the JSON name of a value's type."""
    return _TYPES[type(value)]


def segments(path: str) -> tuple[Keys, ...]:
    """Split a path at its lists, and each segment into keys.

    Raises:
        ValueError: the path is malformed.
    """
    if path and not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a path such as `data[].title`")
    return tuple(tuple(filter(None, part.split("."))) for part in path.split("[]"))


class Node(NamedTuple):
    """A value in a document, with its path of keys and list indices."""

    value: Any
    path: tuple[str | int, ...] = ()

    def at(self, keys: Keys) -> str:
        """Format the path of the value at `keys` below this node, for errors."""
        steps = (*self.path, *keys)
        texts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        return "".join(texts).removeprefix(".") or "the document"

    def follow(self, keys: Keys) -> Any:
        """Return the value at `keys` below this node.

        Raises:
            Misfit: a key is missing, or a parent is not an object.
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
        """Return `check` of the value at `keys`; prefix the message of a Misfit with the path."""
        value = self.follow(keys)
        try:
            return check(value)
        except Misfit as error:
            raise Misfit(f"{self.at(keys)} {error}") from None

    def items(self, keys: Keys) -> list["Node"]:
        """Return the items of the list at `keys`.

        Raises:
            Misfit: the value is missing or not a list.
        """
        values = self.follow(keys)
        if not isinstance(values, list):
            raise Misfit(f"{self.at(keys)} is {type_name(values)}, not a list")
        path = (*self.path, *keys)
        return [Node(value, (*path, i)) for i, value in enumerate(values)]


Trail = tuple[Node, ...]
"""The nodes from the document root to a row, with one node per list. The last node is the row."""


def trails(trail: Trail, lists: Sequence[Keys]) -> Iterator[Trail]:
    """Yield a trail for every row below the last node of `trail`, in order.

    Raises:
        Misfit: the document lacks one of `lists`.
    """
    if not lists:
        yield trail
        return
    for item in trail[-1].items(lists[0]):
        yield from trails((*trail, item), lists[1:])


@dataclass(frozen=True)
class Place:
    """The position of a column's values in a document.

    Attributes:
        segments: segments of the column's path.
        level: number of lists that the column's path shares with the path of the rows.
    """

    segments: tuple[Keys, ...]
    level: int

    @classmethod
    def of(cls, path: str, rows: Sequence[Keys]) -> "Place":
        """Create the place of a column from the column's path and the segments of the rows' path.

        Raises:
            ValueError: the path is malformed, or passes through two lists below the row.
        """
        own = segments(path)
        shared = takewhile(lambda pair: pair[0] == pair[1], zip(own[:-1], rows[:-1], strict=False))
        place = cls(own, len(list(shared)))
        if len(own) > place.level + 2:
            raise ValueError(f"{path!r} passes through two lists below the row")
        return place

    @property
    def is_list(self) -> bool:
        """Whether a row has a list of values in this column."""
        return len(self.segments) > self.level + 1

    def read_any(self, trail: Trail) -> Any:
        """Return the value of a row, or None if it is missing."""
        value = trail[self.level].value
        for key in self.segments[self.level]:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def read(self, trail: Trail, check: Callable[[Any], Any]) -> Any:
        """Return the checked value of a row, or the list of checked values.

        Raises:
            Misfit: a key is missing, or a value fails the check.
        """
        node, keys = trail[self.level], self.segments[self.level]
        if not self.is_list:
            return node.checked(keys, check)
        return [item.checked(self.segments[-1], check) for item in node.items(keys)]


def put(node: Any, path: Sequence[Keys], value: Any, name: str) -> Any:
    """Insert a value into a document, and return the document.

    Args:
        node: existing document, or None to create one.
        path: segments of the path.
        value: value at the end of the path; for each list on the path, a list of values.
        name: column name, for errors.

    Raises:
        SchemaError: a list already has a different number of items.
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
    return [put(item, rest, own, name) for item, own in zip(items, value, strict=True)]
