"""Read lines of text by splitting at line ends."""

from typing import Any


def read(
    files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]
) -> dict[str, list[Any]]:
    """Return one column, named after the part."""
    ((name, contents),) = files.items()
    rows = []
    for _, data in contents:
        text = data.decode(options.get("encoding", "utf-8"))
        if options.get("row") == "file":
            rows.append(text)
            continue
        split = text.split("\n")
        rows += split if split[-1] else split[:-1]
    if options.get("row") == "file":
        return {name: rows}
    rows = [row.removesuffix("\r") for row in rows]
    if options.get("blank") == "drop":
        rows = [row for row in rows if row.replace(" ", "").replace("\t", "")]
    return {name: rows}
