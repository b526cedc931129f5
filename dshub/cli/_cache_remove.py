"""`dshub cache gc`, `prune` and `rm`: making space."""

from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _amounts, _removing, _screen
from dshub.cli._cache_show import plain
from dshub.progress import size

if TYPE_CHECKING:
    from dshub.cache.usage import Kind
    from dshub.hub.upkeep.cache import Cache
    from dshub.hub.upkeep.eviction import Keep
    from dshub.hub.upkeep.garbage import Removal, Removals

_dry_run = click.option("--dry-run", is_flag=True, help="Show what would go; remove nothing.")


@click.command("gc")
@click.option("--partial", is_flag=True, help="Downloads that could be gone on with, too.")
@_dry_run
@_removing.yes_option
@_screen.json_option
def collect(partial: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove what cannot be of use any more.

    \b
      dshub cache gc --dry-run
      dshub cache gc

    That is: what dead processes left, rejected and damaged bytes, downloads of files that are
    here by now, tables that no manifest gives any more, and manifests of stand-ins without their
    files. Unfinished downloads stay, and so does whatever a living process, or one of another
    machine, may be at work on. Removing more than 10 GB needs a yes on the terminal, or --yes.
    """
    from dshub.hub.hub import Hub

    cache = Hub().cache
    planned = cache.gc(partial=partial, dry_run=True)
    _carry_out(cache, planned, dry_run=dry_run, yes=yes, as_json=as_json)


@click.command("prune", short_help="Remove what was not used for long.")
@click.option("--max-size", type=_amounts.Size(), metavar="SIZE", help="Of all: 500MB, 2TiB.")
@click.option("--older-than", type=_amounts.Span(), metavar="SPAN", help="Unused: 12h, 30d, 4w.")
@click.option(
    "--keep",
    type=click.Choice(["raw", "prepared", "both"]),
    default="both",
    show_default=True,
    help="raw: only tables go. prepared: only raw files go, where every split is prepared.",
)
@_dry_run
@_removing.yes_option
@_screen.json_option
def prune(
    max_size: int | None,
    older_than: float | None,
    keep: "Keep",
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove datasets that were not used for long, the least recently used first.

    \b
      dshub cache prune --max-size 50GB
      dshub cache prune --older-than 30d --dry-run
      dshub cache prune --keep prepared            what is prepared needs no raw files
      dshub cache prune --keep raw --max-size 1TB  tables can be made again

    Each limit is enforced. A dataset goes as a whole, a file that several share with the last of
    them. What `dshub cache gc` removes goes before any dataset. Pinned datasets never go, nor does
    the last copy of a file that cannot be downloaded again; where what has to stay is larger than
    --max-size, nothing goes, and the exit code is 1. Removing everything, or more than 10 GB,
    needs a yes on the terminal, or --yes.
    """
    from dshub.hub.hub import Hub

    if max_size is None and older_than is None and keep == "both":
        raise click.UsageError("say how much to keep: --max-size, --older-than or --keep")
    cache = Hub().cache
    planned = cache.prune(max_size=max_size, older_than=older_than, keep=keep, dry_run=True)
    _carry_out(cache, planned, dry_run=dry_run, yes=yes, as_json=as_json)


@click.command("rm", short_help="Remove what is kept of some datasets.")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--raw", is_flag=True, help="Only the files as upstream publishes them.")
@click.option("--prepared", is_flag=True, help="Only the tables; they can be made again.")
@click.option("--partial", is_flag=True, help="Only what is unfinished; of all without NAMES.")
@click.option("--all", "everything", is_flag=True, help="Of everything in the cache.")
@_dry_run
@_removing.yes_option
@_screen.json_option
def remove(
    names: tuple[str, ...],
    raw: bool,
    prepared: bool,
    partial: bool,
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove what is kept of NAMES; files that another dataset here needs too stay.

    \b
      dshub cache rm mnist
      dshub cache rm --prepared emnist
      dshub cache rm --partial

    What a living process is at work on stays. A pinned dataset that is named is an error; --all
    and --partial leave it. Removing everything without naming it, more than 10 GB, or the last
    copy of a file that cannot be downloaded again needs a yes on the terminal, or --yes.
    """
    from dshub.hub.hub import Hub
    from dshub.hub.upkeep.cache import KINDS

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
    _carry_out(cache, planned, dry_run=dry_run, yes=yes, as_json=as_json)


COMMANDS = (collect, prune, remove)


def _carry_out(
    cache: "Cache", planned: "Removals", *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Remove what is planned, after a question where it is much, and tell what went."""
    if not dry_run:
        _removing.confirm(
            lambda: _text(planned, dry_run=True),
            bytes_=planned.size,
            everything=planned.everything,
            irreplaceable=[r.item.name for r in planned.removed if r.item.irreplaceable],
            yes=yes,
        )
        planned = cache.carry_out(planned)
    _tell(planned, dry_run, as_json)


def _tell(removals: "Removals", dry_run: bool, as_json: bool) -> None:
    """What went and why, and what stays."""
    data = {
        "removed": [_plain(removal) for removal in removals.removed],
        "left": [_plain(removal) for removal in removals.left],
        "size": removals.size,
        "dry_run": dry_run,
    }
    _screen.answer(as_json, data, lambda: _text(removals, dry_run))
    if not as_json:
        reasons = dict.fromkeys(removal.reason for removal in removals.left)
        for reason in reasons:
            stays = [removal.item for removal in removals.left if removal.reason == reason]
            total = size(sum(item.size for item in stays))
            _screen.note(f"left {_amounts.things(len(stays))}, {total}: {reason}")


def _plain(removal: "Removal") -> dict[str, Any]:
    return {**plain(removal.item), "reason": removal.reason}


def _text(removals: "Removals", dry_run: bool) -> str:
    rows = [
        [size(removal.item.size), removal.item.name, removal.reason and _screen.dim(removal.reason)]
        for removal in removals.removed
    ]
    if not rows:
        return "nothing to remove"
    verb = "would remove" if dry_run else "removed"
    total = f"{verb} {_amounts.things(len(rows))}, {size(removals.size)}"
    return f"{_screen.columns(rows, right=(0,))}\n{total}"
