"""Commands that free disk space: `dshub cache gc`, `prune` and `rm`."""

from typing import Any

import click

from dshub.cache.eviction import Keep
from dshub.cache.usage import Item, Kind, Removal, Removals
from dshub.cli import _amounts, _removing, _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.cache import KINDS, Cache
from dshub.hub.hub import Hub
from dshub.progress import size

_dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what would be removed; remove nothing."
)


@click.command("gc")
@click.option("--partial", is_flag=True, help="Also remove unfinished downloads.")
@_dry_run
@_removing.yes_option
@answering
def collect(partial: bool, dry_run: bool, yes: bool) -> Answer:
    """Remove leftovers.

    \b
      dshub cache gc --dry-run
      dshub cache gc

    Leftovers are temporary files and unfinished derived datasets of dead processes, rejected
    downloads, damaged files, outdated tables, partial downloads of files that are in the cache, and
    manifests of synthetic data without files. Other unfinished downloads stay, as do files that a
    running process or another machine may be using. dshub asks before it removes more than 10 GB,
    unless --yes is given.
    """
    cache = Hub().cache
    return _carry_out(cache, cache.gc(partial=partial, dry_run=True), dry_run=dry_run, yes=yes)


@click.command("prune")
@click.option(
    "--max-size",
    type=_amounts.Size(),
    metavar="SIZE",
    help="Shrink the cache to this size, such as 500MB or 2TiB.",
)
@click.option(
    "--older-than",
    type=_amounts.Span(),
    metavar="DURATION",
    help="Remove datasets that were not used for this long, such as 12h or 30d.",
)
@click.option(
    "--keep",
    type=click.Choice(["raw", "prepared", "both"]),
    default="both",
    show_default=True,
    help="Content to keep. raw: remove only tables. prepared: remove only upstream files of "
    "prepared splits.",
)
@_dry_run
@_removing.yes_option
@answering
def prune(
    max_size: int | None, older_than: float | None, keep: Keep, dry_run: bool, yes: bool
) -> Answer:
    """Remove the least recently used datasets.

    \b
      dshub cache prune --max-size 50GB
      dshub cache prune --older-than 30d --dry-run
      dshub cache prune --keep prepared            prepared splits need no raw files
      dshub cache prune --keep raw --max-size 1TB  tables can be rebuilt

    All limits are enforced. Datasets are removed as a whole, and a shared file is removed with the
    last dataset that needs it. Leftovers are removed first (see `dshub cache gc`), then derived
    datasets. Pinned datasets stay, and so do last copies of files that cannot be downloaded again.
    If these are larger than --max-size, nothing is removed and the exit code is 1. dshub asks
    before it removes everything or more than 10 GB, unless --yes is given.
    """
    if max_size is None and older_than is None and keep == "both":
        raise click.UsageError("use --max-size, --older-than or --keep")
    cache = Hub().cache
    planned = cache.prune(max_size=max_size, older_than=older_than, keep=keep, dry_run=True)
    return _carry_out(cache, planned, dry_run=dry_run, yes=yes)


@click.command("rm")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--raw", is_flag=True, help="Remove only upstream files.")
@click.option("--prepared", is_flag=True, help="Remove only tables, which can be rebuilt.")
@click.option(
    "--partial",
    is_flag=True,
    help="Remove only unfinished downloads, of all datasets if NAMES is empty.",
)
@click.option("--all", "everything", is_flag=True, help="Remove all datasets.")
@_dry_run
@_removing.yes_option
@answering
def remove(
    names: tuple[str, ...],
    raw: bool,
    prepared: bool,
    partial: bool,
    everything: bool,
    dry_run: bool,
    yes: bool,
) -> Answer:
    """Remove datasets.

    \b
      dshub cache rm mnist
      dshub cache rm --prepared emnist
      dshub cache rm --partial

    Files stay if another cached dataset needs them or a running process uses them. Removing a
    pinned dataset by name is an error, while --all and --partial skip pinned datasets. dshub asks
    before it removes everything with --all, more than 10 GB, or the last copy of a file that cannot
    be downloaded again, unless --yes is given.
    """
    if not (names or partial or everything):
        raise click.UsageError("name a dataset, or use --partial or --all")
    if names and everything:
        raise click.UsageError("use NAMES or --all, not both")
    if not names and not everything and (raw or prepared):
        raise click.UsageError("name a dataset, or use --all")
    kinds: set[Kind] = set()
    kinds |= {"raw", "synthetic"} if raw else set()
    kinds |= {"prepared", "derived"} if prepared else set()
    kinds |= {"partial"} if partial else set()
    cache = Hub().cache
    planned = cache.rm(names or None, kinds=kinds or KINDS, dry_run=True)
    return _carry_out(cache, planned, dry_run=dry_run, yes=yes)


COMMANDS = (collect, prune, remove)


def plain(item: Item) -> dict[str, Any]:
    """Return a cached item as a JSON object."""
    leftover = item.leftover
    return {
        "kind": item.kind,
        "name": item.name,
        "datasets": list(item.datasets),
        "path": str(item.path),
        "size": item.size,
        "used": int(item.used),
        "pinned": item.pinned,
        "irreplaceable": item.irreplaceable,
        "leftover": leftover.sort if leftover else None,
        "process": leftover.holder if leftover else None,
    }


def _carry_out(cache: Cache, planned: Removals, *, dry_run: bool, yes: bool) -> Answer:
    """Remove the planned items, after confirmation if necessary, and report them."""
    if not dry_run:
        _removing.confirm(_text(planned, dry_run=True), planned, yes=yes)
        planned = cache.carry_out(planned)
    data = {
        "removed": [_plain(removal) for removal in planned.removed],
        "left": [_plain(removal) for removal in planned.left],
        "size": planned.size,
        "dry_run": dry_run,
    }
    reasons = dict.fromkeys(removal.reason for removal in planned.left)
    return Answer(data, _text(planned, dry_run), [_left(planned, reason) for reason in reasons])


def _left(removals: Removals, reason: str) -> str:
    """Return a note with the number and size of items that were left for a reason."""
    items = [removal.item for removal in removals.left if removal.reason == reason]
    total = size(sum(item.size for item in items))
    return f"left {_amounts.counted(len(items), 'item')}, {total}: {reason}"


def _plain(removal: Removal) -> dict[str, Any]:
    return {**plain(removal.item), "reason": removal.reason}


def _text(removals: Removals, dry_run: bool) -> str:
    rows = [
        [size(removal.item.size), removal.item.name, removal.reason and _screen.dim(removal.reason)]
        for removal in removals.removed
    ]
    if not rows:
        return "nothing to remove"
    verb = "would remove" if dry_run else "removed"
    total = f"{verb} {_amounts.counted(len(rows), 'item')}, {size(removals.size)}"
    return f"{_screen.columns(rows, right=(0,))}\n{total}"
