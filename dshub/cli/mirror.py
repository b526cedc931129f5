"""`dshub mirror`: write a mirror, bring it up to date, or read it again."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _amounts, _mirror_pages, _mirror_verify, _removing, _screen
from dshub.cli._amounts import counted
from dshub.display import shown_url
from dshub.errors import ManualStepError
from dshub.progress import size

if TYPE_CHECKING:
    from dshub.hub.hub import Hub
    from dshub.mirrors.signing import Signer
    from dshub.publishing.mirror.checking import Pruning
    from dshub.publishing.mirror.destinations import Destination
    from dshub.publishing.mirror.writing import LeftOut, Plan, Report


class Rate(_amounts.Size):
    """Bytes a second: `5MB/s`, or `5MB`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes a second; none at all would never end."""
        rate = super().convert(str(value).strip().removesuffix("/s"), param, ctx)
        if rate < 1:
            self.fail(f"{value!r} is no rate, such as 5MB/s; without the option there is no limit")
        return rate


@click.command(short_help="Write a mirror, bring it up to date, or read it again.")
@click.argument("dest")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--all", "everything", is_flag=True, help="Every dataset of the registry.")
@click.option("--prepared", is_flag=True, help="Put prepared tables there, too.")
@click.option(
    "--deny-license",
    "deny",
    multiple=True,
    metavar="WORD",
    help="Leave out licences with that word: nc, nd, unknown, an SPDX identifier. Repeatable.",
)
@click.option("--restricted", is_flag=True, help="Take in what must not be passed on, too.")
@click.option("--limit-rate", type=Rate(), metavar="RATE", help="Fetch no faster, such as 5MB/s.")
@click.option(
    "--sign",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign the index with this private key (Ed25519, PEM).",
)
@click.option("--no-pages", is_flag=True, help="Write no pages that show what is in it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--verify", is_flag=True, help="Read every byte of it again; no network.")
@click.option("--prune", is_flag=True, help="Remove what the selection does not need.")
@_removing.yes_option
@_screen.json_option
@click.pass_context
def command(
    ctx: click.Context,
    dest: str,
    names: tuple[str, ...],
    everything: bool,
    prepared: bool,
    deny: tuple[str, ...],
    restricted: bool,
    limit_rate: int | None,
    sign: Path | None,
    no_pages: bool,
    dry_run: bool,
    verify: bool,
    prune: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put datasets NAMES (or families) into the mirror DEST, a folder or a bucket (s3://, gs://).

    \b
      dshub mirror /media/stick mnist emnist
      dshub mirror s3://our-bucket/dshub --all --deny-license nc --limit-rate 20MB/s
      dshub mirror /srv/dshub --verify             exit code 5 where something is damaged

    What is there stays, unless --prune is given; run it again to go on where it stopped. Pruning
    everything, more than 10 GB, or files that cannot be downloaded again needs a yes on the
    terminal, or --yes. Clients name the mirror in DSHUB_MIRROR; see docs/mirrors.md.
    """
    _check(ctx, dest, names, everything=everything, verify=verify)
    if verify:
        ctx.exit(_mirror_verify.run(dest, as_json=as_json))
    from dshub.hub.hub import Hub
    from dshub.publishing.mirror.folder import open_destination
    from dshub.publishing.mirror.writing import Mirroring, Options, choose

    hub, place = Hub(), open_destination(dest)
    options = Options(prepared=prepared, limit=limit_rate, signer=_signer(sign), prune=prune)
    wanted = hub.registry.names() if everything else names
    chosen, left = choose(hub.registry, wanted, deny=deny, restricted=restricted)
    plan = (mirroring := Mirroring(place, hub, options)).plan(chosen)
    _announce(place, plan, left, quiet=as_json)
    if dry_run:
        _screen.answer(as_json, _planned(plan, left), lambda: _pieces(plan))
        return
    _confirm(plan.pruning, yes=yes)
    report = mirroring.run(plan)
    pages = None if no_pages else _mirror_pages.write(hub, place)
    data = {**_planned(plan, left), **_reported(report), "pages": pages}
    _screen.answer(as_json, data, lambda: _done(place, hub, report))
    _raise_first(report, everything=everything)


def _check(
    ctx: click.Context, dest: str, names: Sequence[str], *, everything: bool, verify: bool
) -> None:
    if not dest.strip():  # of a script's variable that is not set
        ctx.fail("DEST is empty: name a folder or a bucket")
    if verify and (names or everything):
        ctx.fail("--verify reads the whole mirror: give it no names")
    if everything and names:
        ctx.fail("give names or --all, not both")
    if not (verify or names or everything):
        ctx.fail("name datasets or families, or give --all")


def _signer(key: Path | None) -> "Signer | None":
    from dshub.mirrors.signing import Signer

    return Signer(key) if key else None


def _announce(
    place: "Destination", plan: "Plan", left: "Sequence[LeftOut]", *, quiet: bool
) -> None:
    """What will be done and how large it is, before anything is."""
    if quiet:
        return
    for item in left:
        _screen.note(f"left out: {item.name}, for {item.reason}")
    parts = [
        f"{counted(len(plan.missing), 'file')} to fetch, {size(plan.to_fetch)}",
        f"{len(plan.kept)} from the cache",
        f"{len(plan.there)} there already",
    ]
    unknown = sum(piece.job.resource.size is None for piece in plan.missing)
    if unknown:
        parts[0] += f" and {unknown} of unknown size"
    datasets = counted(len(plan.chosen), "dataset")
    _screen.note(f"{datasets}: {', '.join(parts)}")
    tables = f", tables {size(plan.tables)}" if plan.tables else ""
    free = f"; {size(plan.free)} are free in {place.title}" if plan.free is not None else ""
    _screen.note(f"to be written: {size(plan.writes)}{tables}{free}")
    if plan.pruning.sizes:
        files = counted(len(plan.pruning.sizes), "file")
        _screen.note(f"to be removed: {files}, {size(plan.pruning.size)}")


def _confirm(pruning: "Pruning", *, yes: bool) -> None:
    _removing.confirm(
        lambda: _pruned(pruning),
        bytes_=pruning.size,
        everything=pruning.everything,
        irreplaceable=pruning.irreplaceable,
        yes=yes,
    )


def _planned(plan: "Plan", left: "Sequence[LeftOut]") -> dict[str, Any]:
    def plain(pieces: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "dataset": piece.job.dataset,
                "name": piece.job.name,
                "path": piece.name,
                "size": piece.job.resource.size,
            }
            for piece in pieces
        ]

    return {
        "datasets": [item.manifest.identifier for item in plan.chosen],
        "left_out": [{"name": item.name, "reason": item.reason} for item in left],
        "missing": plain(plan.missing),
        "cached": plain(plan.kept),
        "there": plain(plan.there),
        "size": plan.to_fetch,
        "writes": plan.writes,
        "tables": plan.tables,
        "free": plan.free,
        "to_remove": [{"path": path, "size": n} for path, n in plan.pruning.sizes.items()],
    }


def _pieces(plan: "Plan") -> str:
    found = [("fetch", plan.missing), ("from the cache", plan.kept), ("there", plan.there)]
    rows = [
        [state, piece.job.dataset, piece.job.name, size(piece.job.resource.size)]
        for state, pieces in found
        for piece in pieces
    ]
    lines = [_screen.columns(rows, right=(3,))] if rows else []
    return "\n".join([*lines, *([_pruned(plan.pruning)] if plan.pruning.sizes else [])])


def _pruned(pruning: "Pruning") -> str:
    rows = [["remove", name, size(count)] for name, count in pruning.sizes.items()]
    return _screen.columns(rows, right=(2,))


def _reported(report: "Report") -> dict[str, Any]:
    return {
        "listed": report.listed,
        "taken": report.taken,
        "fetched": report.fetched,
        "changed": report.changed,
        "removed": report.removed,
        "errors": [str(error) for error in report.errors],
    }


def _done(place: "Destination", hub: "Hub", report: "Report") -> str:
    """What happened, and how to use it."""
    ways = [f"{count} by {how}" for how, count in report.taken.items()]
    if report.fetched:
        ways.append(f"{report.fetched} fetched")
    none = "no file could be had" if report.errors else "no file was missing"
    lines = [f"files: {', '.join(ways)}" if ways else none]
    if report.removed:
        removed = counted(len(report.removed), "file")
        lines.append(f"removed {removed} that nothing needs any more")
    state = "lists" if report.changed else "listed already"
    datasets = counted(len(report.listed), "dataset")
    lines.append(f"index.json {state} {datasets}: {', '.join(report.listed) or 'none'}")
    if place.address in hub.settings.mirrors or not report.listed:
        return "\n".join(lines)
    setting = f"DSHUB_MIRROR={shlex.quote(shown_url(place.address))}"
    return "\n".join([*lines, _screen.dim(f"{setting} dshub list")])


def _raise_first(report: "Report", *, everything: bool) -> None:
    """Fail for what could not be fetched; of everything, what persons must obtain is only told."""
    for error in report.errors:
        if not (everything and isinstance(error, ManualStepError)):
            raise error
        _screen.note(f"left out: {error}")
