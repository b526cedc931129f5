"""`dshub cache gc`, `prune` and `rm`: free disk space."""

from typing import Any

import click

from dshub.cache.eviction import Keep
from dshub.cache.usage import Item, Kind, Removal, Removals
from dshub.cli import _amounts, _removing, _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.cache import KINDS, Cache
from dshub.hub.hub import Hub
from dshub.progress import size

_dry_run = click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")


@click.command("gc")
@click.option("--partial", is_flag=True, help="Also remove downloads that could resume.")
@_dry_run
@_removing.yes_option
@answering
def collect(partial: bool, dry_run: bool, yes: bool) -> Answer:
    """Remove leftovers.

    \b
      dshub cache gc --dry-run
      dshub cache gc

    Leftovers are temporary files of dead processes, rejected and damaged bytes, downloads of files
    that are complete by now, outdated tables, and manifests of synthetic data without files.
    Unfinished downloads stay, as does everything that a live process, or one on another machine,
    may be using. Removing more than 10 GB needs a yes on the terminal, or --yes.
    """
    cache = Hub().cache
    return _carry_out(cache, cache.gc(partial=partial, dry_run=True), dry_run=dry_run, yes=yes)


@click.command("prune")
@click.option("--max-size", type=_amounts.Size(), metavar="SIZE", help="Total: 500MB, 2TiB.")
@click.option("--older-than", type=_amounts.Span(), metavar="SPAN", help="Unused for: 12h, 30d.")
@click.option(
    "--keep",
    type=click.Choice(["raw", "prepared", "both"]),
    default="both",
    show_default=True,
    help="raw: remove tables only. prepared: remove only files whose splits are all prepared.",
)
@_dry_run
@_removing.yes_option
@answering
def prune(
    max_size: int | None, older_than: float | None, keep: Keep, dry_run: bool, yes: bool
) -> Answer:
    """Remove least recently used datasets.

    \b
      dshub cache prune --max-size 50GB
      dshub cache prune --older-than 30d --dry-run
      dshub cache prune --keep prepared            prepared splits need no raw files
      dshub cache prune --keep raw --max-size 1TB  tables can be made again

    Each limit is enforced. A dataset is removed as a whole, a shared file with its last dataset.
    Leftovers (see `dshub cache gc`) go first. Pinned datasets stay, and so does the last copy of a
    file that cannot be downloaded again. If these are larger than --max-size, nothing is removed
    and the exit code is 1. Removing everything, or more than 10 GB, needs a yes on the terminal,
    or --yes.
    """
    if max_size is None and older_than is None and keep == "both":
        raise click.UsageError("say how much to keep: --max-size, --older-than or --keep")
    cache = Hub().cache
    planned = cache.prune(max_size=max_size, older_than=older_than, keep=keep, dry_run=True)
    return _carry_out(cache, planned, dry_run=dry_run, yes=yes)


@click.command("rm")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--raw", is_flag=True, help="Remove upstream files only.")
@click.option("--prepared", is_flag=True, help="Remove tables only; they can be made again.")
@click.option(
    "--partial", is_flag=True, help="Remove unfinished downloads only; all without NAMES."
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

    Files that another cached dataset needs stay, as does everything that a live process is using.
    Naming a pinned dataset is an error; --all and --partial skip pinned ones. Removing everything
    with --all, more than 10 GB, or the last copy of a file that cannot be downloaded again needs a
    yes on the terminal, or --yes.
    """
    if not (names or partial or everything):
        raise click.UsageError("name a dataset, or use --partial or --all")
    if names and everything:
        raise click.UsageError("either names or --all")
    if not names and not everything and (raw or prepared):
        raise click.UsageError("name a dataset, or use --all")
    kinds: set[Kind] = set()
    kinds |= {"raw", "synthetic"} if raw else set()
    kinds |= {"prepared"} if prepared else set()
    kinds |= {"partial"} if partial else set()
    cache = Hub().cache
    planned = cache.rm(names or None, kinds=kinds or KINDS, dry_run=True)
    return _carry_out(cache, planned, dry_run=dry_run, yes=yes)


COMMANDS = (collect, prune, remove)


def plain(item: Item) -> dict[str, Any]:
    """A cached item for JSON."""
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


def _carry_out(cache: Cache, planned: Removals, *, dry_run: bool, yes: bool) -> Answer:
    """Remove planned items, after a question if they are many, and report them."""
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
    """Items that stay for one reason."""
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
