"""`dshub cache dir`, `ls` and `du`: what is kept, and how much of it."""

from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _amounts, _screen
from dshub.progress import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dshub.hub.upkeep.eviction import Share
    from dshub.hub.upkeep.inventory import Item

_HOLDERS = {  # what became of the process that a partial thing belongs to
    "alive": "in use",
    "dead": "left over",
    "unknown": "perhaps in use",  # of another machine
    "nobody": "",
}


@click.command("dir")
@_screen.json_option
def folder(as_json: bool) -> None:
    """The folder of the cache.

    \b
      dshub cache dir
      cd "$(dshub cache dir)"
    """
    from dshub.hub.hub import Hub

    root = str(Hub().store.root)
    _screen.answer(as_json, {"dir": root}, lambda: root)


@click.command("ls", short_help="Everything there is, largest first.")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@_screen.json_option
def listing(names: tuple[str, ...], as_json: bool) -> None:
    """Everything in the cache, or what NAMES need: files, tables, unfinished downloads.

    \b
      dshub cache ls
      dshub cache ls fashion-mnist
      dshub cache ls --json | jq '[.items[].size] | add'

    The largest comes first.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    items = hub.cache.items(*names)
    total = sum(item.size for item in items)
    data = {"dir": str(hub.store.root), "size": total, "items": [plain(item) for item in items]}
    _screen.answer(as_json, data, lambda: _list(items))
    if not as_json:
        count = _amounts.things(len(items))
        _screen.note(f"{count}, {size(total)} in {_screen.short_path(hub.store.root)}")


@click.command("du")
@_screen.json_option
def usage(as_json: bool) -> None:
    """How much of the disk each dataset takes.

    \b
      dshub cache du
      dshub cache du --json | jq '.rows[] | select(.pinned)'

    What several datasets share stands on a line of its own and is counted once.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    rows = hub.cache.usage()
    data = {
        "dir": str(hub.store.root),
        "rows": [
            {"datasets": list(row.datasets), **_sums([row])}
            | {"used": int(row.used), "pinned": row.pinned}
            for row in rows
        ],
        "total": _sums(rows),
    }
    _screen.answer(as_json, data, lambda: _table(rows) if rows else "")
    if not as_json:
        _screen.note(f"in {_screen.short_path(hub.store.root)}; {size(hub.store.free())} are free")


COMMANDS = (folder, listing, usage)


def plain(item: "Item") -> dict[str, Any]:
    """A thing in the cache as JSON."""
    left = item.leftover
    return {
        "kind": item.kind,
        "name": item.name,
        "datasets": list(item.datasets),
        "path": str(item.path),
        "size": item.size,
        "used": int(item.used),
        "pinned": item.pinned,
        "irreplaceable": item.irreplaceable,
        "leftover": left.sort if left else None,
        "process": left.holder if left else None,
    }


def _list(items: "list[Item]") -> str:
    if not items:
        return ""
    head = [*map(_screen.dim, ("SIZE", "KIND", "WHAT IT IS", "LAST USED")), ""]
    rows = [head] + [
        [size(item.size), item.kind, item.name, _amounts.ago(item.used), _mark(item)]
        for item in items
    ]
    others = (max(_screen.width(row[i]) for row in rows) + 2 for i in (0, 1, 3, 4))
    left = max(_screen.terminal_width() - sum(others), 20)
    for row in rows[1:]:
        row[2] = _screen.fitted(row[2], left)
    return _screen.columns(rows, right=(0,))


def _mark(item: "Item") -> str:
    if item.pinned:
        return _pinned()
    if item.irreplaceable:
        return _screen.dim("last copy")
    held = _HOLDERS[item.leftover.holder] if item.leftover else ""
    return held and _screen.dim(held)


def _pinned() -> str:
    return _screen.colored("pinned", "cyan")


def _sums(rows: "list[Share]") -> dict[str, int]:
    return {
        part: sum(getattr(row, part) for row in rows)
        for part in ("raw", "prepared", "partial", "other", "total")
    }


def _table(rows: "list[Share]") -> str:
    total = _sums(rows)
    parts = [part for part in total if part != "other" or total[part]]
    head = ("DATASET", *map(str.upper, parts), "LAST USED")
    lines = [[*map(_screen.dim, head), ""]]
    for row in rows:
        mark = _pinned() if row.pinned else ""
        lines.append([_title(row), *_cells(_sums([row]), parts), _amounts.ago(row.used), mark])
    lines.append([_screen.bold("total"), *_cells(total, parts), "", ""])
    return _screen.columns(lines, right=range(1, 1 + len(parts)))


def _title(row: "Share") -> str:
    if not row.datasets:
        return _screen.dim("of no dataset")
    first, *others = row.datasets
    if not others:
        return first
    told = others[0] if len(others) == 1 else f"{len(others)} others"
    return _screen.dim(f"shared by {first} and {told}")


def _cells(sums: dict[str, int], parts: "Sequence[str]") -> list[str]:
    return [size(sums[part]) if sums[part] else _screen.dim("-") for part in parts]
