"""JSON by the standard library and text operations on paths."""

import json
from collections.abc import Iterator
from typing import Any


def read(
    files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]
) -> dict[str, list[Any]]:
    """The columns that the options name."""
    columns: dict[str, list[Any]] = {name: [] for name in options["columns"]}
    ((_, found),) = files.items()
    for _, data in found:
        text = data.decode("utf-8-sig")
        whole = [line for line in text.split("\n") if line.strip()]
        for document in map(json.loads, whole if options.get("lines", True) else [text]):
            for near in contexts({"": document}, "", options.get("rows", "")):
                for name, path in options["columns"].items():
                    columns[name].append(column(near, name, path, options))
    return columns


def contexts(near: dict[str, Any], done: str, path: str) -> Iterator[dict[str, Any]]:
    """Yield the enclosing values of each row (the document and list items), by path."""
    if not path:
        yield near
        return
    upto, _, rest = path.partition("[]")
    for item in value(near[done], upto.strip(".")):
        here = f"{done}{upto}[]"
        yield from contexts(near | {here: item}, here, rest)


def column(near: dict[str, Any], name: str, path: str, options: dict[str, Any]) -> Any:
    """The value of a row in a column."""
    found = nearest(near, path)
    if name in options.get("spans", {}):
        text = nearest(near, options["spans"][name])
        found = [text[span["start"] : span["end"] + 1] for span in found]
    return sorted(set(found)) if name in options.get("distinct", ()) else found


def nearest(near: dict[str, Any], path: str) -> Any:
    """The value at a path, from the innermost list item that it begins with."""
    begin = max((known for known in near if path.startswith(known)), key=len)
    return value(near[begin], path[len(begin) :].strip("."))


def value(node: Any, path: str) -> Any:
    """The value at a path that begins at a node."""
    if "[]" in path:
        before, after = path.split("[]", 1)
        return [value(item, after.strip(".")) for item in value(node, before)]
    for key in path.split("."):
        node = node[key] if key else node
    return node
