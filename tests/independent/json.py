"""Read JSON with the standard library, resolving paths as strings."""

import json
from collections.abc import Iterator
from typing import Any


def read(
    files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]
) -> dict[str, list[Any]]:
    """Return the columns in `options["columns"]`."""
    columns: dict[str, list[Any]] = {name: [] for name in options["columns"]}
    ((_, contents),) = files.items()
    for _, data in contents:
        text = data.decode("utf-8-sig")
        lines = [line for line in text.split("\n") if line.strip()]
        for document in map(json.loads, lines if options.get("lines", True) else [text]):
            for enclosing in contexts({"": document}, "", options.get("rows", "")):
                for name, path in options["columns"].items():
                    columns[name].append(column(enclosing, name, path, options))
    return columns


def contexts(enclosing: dict[str, Any], done: str, path: str) -> Iterator[dict[str, Any]]:
    """Yield the enclosing values of each row (the document and list items), by path."""
    if not path:
        yield enclosing
        return
    upto, _, rest = path.partition("[]")
    for item in value(enclosing[done], upto.strip(".")):
        here = f"{done}{upto}[]"
        yield from contexts(enclosing | {here: item}, here, rest)


def column(enclosing: dict[str, Any], name: str, path: str, options: dict[str, Any]) -> Any:
    """Return the value of one column in a row."""
    found = nearest(enclosing, path)
    if name in options.get("spans", {}):
        text = nearest(enclosing, options["spans"][name])
        found = [text[span["start"] : span["end"] + 1] for span in found]
    return sorted(set(found)) if name in options.get("distinct", ()) else found


def nearest(enclosing: dict[str, Any], path: str) -> Any:
    """Return the value at a path, starting from the innermost enclosing list item."""
    begin = max((prefix for prefix in enclosing if path.startswith(prefix)), key=len)
    return value(enclosing[begin], path[len(begin) :].strip("."))


def value(node: Any, path: str) -> Any:
    """Return the value at a path relative to a node."""
    if "[]" in path:
        before, after = path.split("[]", 1)
        return [value(item, after.strip(".")) for item in value(node, before)]
    for key in path.split("."):
        node = node[key] if key else node
    return node
