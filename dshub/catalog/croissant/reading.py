"""Looking into a JSON-LD document that anybody may have written.

Namespaces are taken off terms, whichever way they are written (`sc:name`, `https://schema.org/name`,
`name`). Nothing here raises on a value of another type than Croissant asks for: it counts as not
being there.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from dshub.catalog.checks import unused

_NAMESPACES = re.compile(
    r"(?:https?://schema\.org/|http://mlcommons\.org/(?:croissant|schema)/|"
    r"http://purl\.org/dc/terms/|schema:|sc:|cr:|ml:|dct:)"
)
_OWN = "urn:x-dshub:"
_VALUES = {"@type", "dataType"}  # whose values are terms too
_PLAIN = {"@context", "data", "examples", "value"}  # JSON that is no JSON-LD

Node = dict[str, Any]


def normalised(value: Any, *, term_values: bool = False) -> Any:
    """The same document with terms without namespaces, and text that UTF-8 can write."""
    if isinstance(value, dict):
        return {
            term(key): (
                encodable(item)
                if term(key) in _PLAIN or term(key).startswith("dshub:")
                else normalised(item, term_values=term(key) in _VALUES)
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [normalised(item, term_values=term_values) for item in value]
    if isinstance(value, str):
        return term(value) if term_values else encodable(value)
    return value


def term(text: str) -> str:
    """A term without its namespace; ours keep their prefix."""
    text = encodable(text)
    if text.startswith(_OWN):
        return f"dshub:{text.removeprefix(_OWN)}"
    return _NAMESPACES.sub("", text, count=1) if _NAMESPACES.match(text) else text


def encodable(value: Any) -> Any:
    """The same value without halves of surrogate pairs in its texts, which JSON may hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [encodable(item) for item in value]
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    return value


def many(node: Node, key: str) -> list[Any]:
    """The values under a key, none, one or several."""
    found = node.get(key)
    if isinstance(found, dict) and "@list" in found:
        found = found["@list"]
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def nodes(node: Node, key: str) -> list[Node]:
    """The values under a key that are nodes."""
    return [item for item in many(node, key) if isinstance(item, dict)]


def one(node: Node, key: str) -> Node:
    """The first value under a key that is a node; empty where there is none."""
    return next(iter(nodes(node, key)), {})


def text(node: Node, key: str) -> str:
    """The first text under a key; of several languages English or the first. Or empty."""
    for item in many(node, key):
        if isinstance(item, dict):
            item = item.get("@value", item.get("en", next(iter(item.values()), "")))  # noqa: PLW2901
        if isinstance(item, str):
            return item
        if isinstance(item, int | float) and not isinstance(item, bool):
            return str(item)
    return ""


def texts(node: Node, key: str) -> list[str]:
    """Every text under a key."""
    return [item for item in many(node, key) if isinstance(item, str)]


def references(node: Node, key: str) -> list[str]:
    """The `@id`s under a key."""
    found = [item.get("@id") if isinstance(item, dict) else item for item in many(node, key)]
    return [item for item in found if isinstance(item, str)]


def flag(node: Node, key: str) -> bool:
    """Whether a key is true, as a value or as text."""
    return any(item is True or item in {"True", "true"} for item in texts_or_flags(node, key))


def texts_or_flags(node: Node, key: str) -> list[str | bool]:
    """Every text and truth value under a key."""
    return [item for item in many(node, key) if isinstance(item, str | bool)]


def place(node: Node) -> str:
    """What a node is called in messages: its `@id`, or its name."""
    found = node.get("@id")
    return found if isinstance(found, str) else text(node, "name")


def last(identifier: str) -> str:
    """The last part of an `@id`: `label` of `train/label`."""
    return re.split(r"[/#]", identifier.rstrip("/#"))[-1]


def key_of(title: str, taken: Container[str] = ()) -> str:
    """A key for a manifest, made of a title; another one where it is taken."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-_") or "unnamed"
    return unused(plain, taken, "-")


@dataclass(frozen=True)
class Note:
    """Something of a Croissant document that is not in the manifest, or not as it stood there.

    Attributes:
        id: the `@id` of the thing; empty for the dataset as a whole.
        message: what it is about.
    """

    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.id}: {self.message}" if self.id else self.message
