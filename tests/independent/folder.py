"""Files in folders, read by splitting names at the text between columns, from the right."""

import fnmatch
from string import Formatter
from typing import Any


def columns_of(path: str, member: str) -> dict[str, str | int]:
    """Parse a name from its end, because text fields match greedily."""
    found: dict[str, str | int] = {}
    rest = member
    pieces = list(Formatter().parse(path))
    for i in reversed(range(len(pieces))):
        literal, name, spec, _ = pieces[i]
        if name is None:
            assert rest.endswith(literal), (path, member)
            rest = rest.removesuffix(literal)
            continue
        if i == 0:
            assert rest.startswith(literal), (path, member)
            before, value = "", rest.removeprefix(literal)
        elif (spec or "").endswith("d"):
            digits = len(rest) - len(rest.rstrip("0123456789"))
            before, value = rest[: len(rest) - digits], rest[len(rest) - digits :]
            assert before.endswith(literal), (path, member)
            before = before.removesuffix(literal)
        else:
            before, between, value = rest.rpartition(literal)
            assert between, (path, member)
        assert value, (path, member)
        assert spec == "path" or "/" not in value, (path, member)
        found[name], rest = int(value) if (spec or "").endswith("d") else value, before
    assert not rest, (path, member)
    return found


def read(files: dict[str, list[tuple[str, bytes]]], options: dict[str, Any]) -> dict[str, list]:
    """The content of each file, what its name says, and its name."""
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
