"""Commands for cached data: `dshub cache dir`, `ls`, `du`, `verify`, `pin` and `unpin`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click

from dshub.cache.eviction import Share
from dshub.cache.usage import Item
from dshub.cli import _cache_remove, _screen
from dshub.cli._amounts import ago, counted
from dshub.cli._answer import Answer, answering
from dshub.cli._cache_remove import plain
from dshub.hub.hub import Hub
from dshub.progress import size

DAMAGED = 5  # exit code
_HOLDERS = {  # labels for the state of the process that owns an unfinished file
    "alive": "in use",
    "dead": "left over",
    "unknown": "perhaps in use",
    "none": "",
}


@click.group()
def command() -> None:
    """Show, check, pin and remove cached data.

    \b
      dshub cache du                           disk usage by dataset
      dshub cache prune --max-size 50GB        remove the least recently used datasets
      dshub cache rm mnist
    """


@command.command("dir")
@answering
def folder() -> Answer:
    """Print the cache folder.

    \b
      dshub cache dir
      cd "$(dshub cache dir)"
    """
    root = str(Hub().store.root)
    return Answer({"dir": root}, root)


@command.command("ls")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@answering
def listing(names: tuple[str, ...]) -> Answer:
    """List cached items, largest first.

    \b
      dshub cache ls
      dshub cache ls fashion-mnist
      dshub cache ls --json | jq '[.items[].size] | add'

    Items are files, tables, derived datasets and unfinished downloads. With NAMES (datasets,
    families or derived datasets), only their items are listed.
    """
    hub = Hub()
    items = hub.cache.items(*names)
    total = sum(item.size for item in items)
    data = {"dir": str(hub.store.root), "size": total, "items": [plain(item) for item in items]}
    note = f"{counted(len(items), 'item')}, {size(total)} in {_screen.short_path(hub.store.root)}"
    return Answer(data, _list(items), [note])


@command.command("du")
@answering
def usage() -> Answer:
    """Show disk usage by dataset.

    \b
      dshub cache du
      dshub cache du --json | jq '.rows[] | select(.pinned)'

    Files that several datasets share are counted once, on a separate line.
    """
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
    place = f"in {_screen.short_path(hub.store.root)}; {size(hub.store.free())} are free"
    return Answer(data, _table(rows) if rows else "", [place if rows else f"nothing {place}"])


@command.command("verify")
@answering
def verify() -> Answer:
    """Verify every cached file and table.

    \b
      dshub cache verify

    Damaged files and tables are set aside, and `dshub fetch` replaces them. The exit code is 5 if
    anything is damaged. `dshub verify NAME` verifies one dataset, including its published figures.
    """
    findings = list(Hub().cache.verify())
    damaged = [finding for finding in findings if finding.state == "damaged"]
    rows = [[_screen.colored("damaged", "red"), item.thing, item.detail] for item in damaged]
    files, tables = (
        sum(finding.state == "ok" and finding.thing.startswith(kind) for finding in findings)
        for kind in ("file ", "table ")
    )
    notes = [f"intact: {counted(files, 'file')} and {counted(tables, 'table')}"]
    notes += ["hint: run `dshub fetch NAME` to replace damaged files and tables"] if damaged else []
    data = {"findings": [asdict(finding) for finding in findings]}
    return Answer(data, _screen.columns(rows), notes, DAMAGED if damaged else 0)


for part in _cache_remove.COMMANDS:
    command.add_command(part)

_names = click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())


@command.command("pin")
@_names
@answering
def pin(names: tuple[str, ...]) -> Answer:
    """Keep datasets in the cache.

    \b
      dshub cache pin fashion-mnist
      dshub cache pin emnist

    Pinned datasets are never removed. NAMES (datasets or families) can be pinned before they are
    cached. `dshub cache ls` and `dshub cache du` show pins.
    """
    pinned = Hub().cache.pin(*names)
    return Answer({"pinned": pinned}, f"pinned {', '.join(pinned)}")


@command.command("unpin")
@_names
@answering
def unpin(names: tuple[str, ...]) -> Answer:
    """Allow pinned datasets to be removed.

    \b
      dshub cache unpin fashion-mnist
    """
    unpinned = Hub().cache.unpin(*names)
    return Answer({"unpinned": unpinned}, f"unpinned {', '.join(unpinned)}")


def _list(items: list[Item]) -> str:
    if not items:
        return ""
    head = [*map(_screen.dim, ("SIZE", "KIND", "ITEM", "LAST USED")), ""]
    rows = [head] + [
        [size(item.size), item.kind, item.name, ago(item.used), _mark(item)] for item in items
    ]
    used = sum(max(_screen.visible_width(row[i]) for row in rows) + 2 for i in (0, 1, 3, 4))
    name_width = max(_screen.terminal_width() - used, 20)
    for row in rows[1:]:
        row[2] = _screen.fitted(row[2], name_width)
    return _screen.columns(rows, right=(0,))


def _mark(item: Item) -> str:
    if item.pinned:
        return _pinned()
    if item.irreplaceable:
        return _screen.dim("last copy")
    held = _HOLDERS[item.leftover.holder] if item.leftover else ""
    return held and _screen.dim(held)


def _pinned() -> str:
    return _screen.colored("pinned", "cyan")


def _sums(rows: list[Share]) -> dict[str, int]:
    sums = sum((row.sizes for row in rows), Counter[str]())
    parts = {part: sums[part] for part in ("raw", "prepared", "derived", "partial", "other")}
    return parts | {"total": sums.total()}


def _table(rows: list[Share]) -> str:
    total = _sums(rows)
    parts = [part for part in total if part not in {"derived", "other"} or total[part]]
    head = ("DATASET", *map(str.upper, parts), "LAST USED")
    lines = [[*map(_screen.dim, head), ""]]
    for row in rows:
        mark = _pinned() if row.pinned else ""
        lines.append([_title(row), *_cells(_sums([row]), parts), ago(row.used), mark])
    lines.append([_screen.bold("total"), *_cells(total, parts), "", ""])
    if not any(row.pinned for row in rows):
        lines = [line[:-1] for line in lines]
    lines = _screen.narrowed(lines, width=_screen.terminal_width())
    return _screen.columns(lines, right=range(1, 1 + len(parts)))


def _title(row: Share) -> str:
    if not row.datasets:
        return _screen.dim("no dataset")
    first, *more = row.datasets
    if not more:
        return first
    sharing = more[0] if len(more) == 1 else f"{len(more)} others"
    return _screen.dim(f"shared by {first} and {sharing}")


def _cells(sums: dict[str, int], parts: Sequence[str]) -> list[str]:
    return [size(sums[part]) if sums[part] else _screen.dim("-") for part in parts]
