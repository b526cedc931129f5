"""Read files in folders, parsing each name from its end."""

import fnmatch
from string import Formatter
from typing import Any


def columns_of(path: str, member: str) -> dict[str, str | int]:
    """Parse a file name from its end, because text fields match greedily."""
    columns: dict[str, str | int] = {}
    remainder = member
    pieces = list(Formatter().parse(path))
    for i in reversed(range(len(pieces))):
        literal, name, spec, _ = pieces[i]
        if name is None:
            assert remainder.endswith(literal), (path, member)
            remainder = remainder.removesuffix(literal)
            continue
        if i == 0:
            assert remainder.startswith(literal), (path, member)
            before, value = "", remainder.removeprefix(literal)
        elif (spec or "").endswith("d"):
            digits = len(remainder) - len(remainder.rstrip("0123456789"))
            value = remainder[len(remainder) - digits :]
            before = remainder[: len(remainder) - digits]
            assert before.endswith(literal), (path, member)
            before = before.removesuffix(literal)
        else:
            before, between, value = remainder.rpartition(literal)
            assert between, (path, member)
        assert value, (path, member)
        assert spec == "path" or "/" not in value, (path, member)
        columns[name], remainder = int(value) if (spec or "").endswith("d") else value, before
    assert not remainder, (path, member)
    return columns


def read(files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]) -> dict[str, list]:
    """Return the content of each file, the fields of its name, its path and its stem."""
    ((part, members),) = files.items()
    fixed = ""
    for literal, name, _, _ in Formatter().parse(options["path"]):
        fixed += literal
        if name:
            break
    fixed = fixed[: max(fixed.rfind("/"), fixed.rfind(":")) + 1]
    columns: dict[str, list] = {}
    for member, data in members:
        if any(fnmatch.fnmatchcase(member, pattern) for pattern in options.get("skip", ())):
            continue
        row: dict[str, Any] = {part: data.decode() if options.get("text") else data}
        row |= columns_of(options["path"], member)
        row["file"] = member.removeprefix(fixed)
        folder, slash, base = row["file"].rpartition("/")
        row["stem"] = folder + slash + (base[: base.rfind(".")] if "." in base[1:] else base)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns
