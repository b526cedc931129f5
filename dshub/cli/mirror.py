"""`dshub mirror`: write, update or verify a mirror."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dshub.catalog.registry import Registry
from dshub.cli import _amounts, _removing, _screen
from dshub.cli._amounts import counted
from dshub.cli._answer import Answer, answering, plain_file
from dshub.display import shown_url
from dshub.errors import ManifestError, ManualStepError, MissingExtraError, UnknownNameError
from dshub.hub.hub import Hub
from dshub.mirrors.checking import Pruning, read_index, verify
from dshub.mirrors.destinations import Destination
from dshub.mirrors.folder import FolderDestination, open_destination
from dshub.mirrors.signing import Signer
from dshub.mirrors.writing import LeftOut, Mirroring, Options, Plan, Report, choose
from dshub.progress import Task, size
from dshub.progress import choose as choose_progress
from dshub.settings import Settings

DAMAGED = 5  # exit code: bytes changed, or are missing


class Rate(_amounts.Size):
    """Bytes a second: `5MB/s`, or `5MB`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes a second; at 0 a mirror would never be complete."""
        rate: int = super().convert(str(value).strip().removesuffix("/s"), param, ctx)
        if rate < 1:
            self.fail(
                f"{value!r} is not a rate such as 5MB/s; without the option there is no limit"
            )
        return rate


@click.command()
@click.argument("dest")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--all", "everything", is_flag=True, help="Include every dataset of the registry.")
@click.option("--prepared", is_flag=True, help="Include prepared tables.")
@click.option(
    "--deny-license",
    "deny",
    multiple=True,
    metavar="WORD",
    help="Leave out licenses with this word: nc, nd, unknown, an SPDX identifier. Repeatable.",
)
@click.option(
    "--restricted",
    is_flag=True,
    help="Include datasets whose license forbids redistribution.",
)
@click.option("--limit-rate", type=Rate(), metavar="RATE", help="Limit downloads to, say, 5MB/s.")
@click.option(
    "--sign",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign the index with this private key (Ed25519, PEM).",
)
@click.option("--no-pages", is_flag=True, help="Do not write web pages.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; do nothing.")
@click.option("--verify", "verifying", is_flag=True, help="Verify the mirror, without a network.")
@click.option("--prune", is_flag=True, help="Remove files that the selection does not need.")
@_removing.yes_option
@answering
def command(
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
    verifying: bool,
    prune: bool,
    yes: bool,
) -> Answer:
    """Write, update or verify a mirror.

    \b
      dshub mirror /media/stick mnist emnist
      dshub mirror s3://our-bucket/dshub --all --deny-license nc --limit-rate 20MB/s
      dshub mirror /srv/dshub --verify             exit code 5 if something is damaged

    NAMES (datasets or families) are written to DEST, a folder or a bucket (s3://, gs://). Other
    content stays, unless --prune is given. An interrupted update resumes when run again. Pruning
    everything, more than 10 GB, or files that cannot be downloaded again needs a yes on the
    terminal, or --yes. Clients name the mirror in DSHUB_MIRROR; see docs/mirrors.md.
    """
    _check(dest, names, everything=everything, verifying=verifying)
    if verifying:
        return _verify(dest)
    hub, place = Hub(), open_destination(dest)
    signer = Signer(sign) if sign else None
    options = Options(prepared=prepared, limit=limit_rate, signer=signer, prune=prune)
    request = hub.resolve(hub.names() if everything else names, as_published=True)
    chosen, left = choose(request.named, hub.registry, deny=deny, restricted=restricted)
    mirroring = Mirroring(place, hub, options)
    plan = mirroring.plan(chosen)
    _announce(place, plan, left)
    if dry_run:
        return Answer(_planned(plan, left), _pieces(plan))
    _confirm(plan.pruning, yes=yes)
    report = mirroring.run(plan)
    pages = None if no_pages else _write_pages(hub, place)
    data = {**_planned(plan, left), **_reported(report), "pages": pages}
    manual = [error for error in report.errors if everything and isinstance(error, ManualStepError)]
    error = next((error for error in report.errors if error not in manual), None)
    notes = [f"left out: {error}" for error in manual]
    return Answer(data, _done(place, hub, report), notes, error=error)


def _check(dest: str, names: Sequence[str], *, everything: bool, verifying: bool) -> None:
    if not dest.strip():  # an unset variable of a script
        raise click.UsageError("DEST is empty: name a folder or a bucket")
    if verifying and (names or everything):
        raise click.UsageError("--verify reads the whole mirror: give it no names")
    if everything and names:
        raise click.UsageError("give names or --all, not both")
    if not (verifying or names or everything):
        raise click.UsageError("name datasets or families, or give --all")


def _verify(dest: str) -> Answer:
    settings, place = Settings.read(), open_destination(dest)
    with Task(choose_progress(settings.progress), f"reading {place.title}", None) as task:
        files = list(verify(place, keys=settings.mirror_keys, advance=task.advance))
    wrong = [item for item in files if item.state in {"missing", "damaged"}]
    others = sum(item.state == "other" for item in files)
    rows = [[_screen.colored(item.state, "red"), item.name, item.of, item.detail] for item in wrong]
    notes = [f"{len(files) - len(wrong) - others} files intact, {len(wrong)} not"]
    notes += [f"ignored {counted(others, 'file')} not made by dshub"] if others else []
    names = dict.fromkeys(item.of.partition("@")[0] for item in wrong if item.of)
    if names:
        repair = f"dshub mirror {shlex.quote(shown_url(dest))} {' '.join(names)}"
        notes.append(f"hint: `{repair}` restores them")
    data = {"files": [asdict(item) for item in files], "wrong": len(wrong)}
    return Answer(data, _screen.columns(rows) if rows else "", notes, DAMAGED if wrong else 0)


def _announce(place: Destination, plan: Plan, left: Sequence[LeftOut]) -> None:
    """Sizes and free space, before the first byte."""
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


def _confirm(pruning: Pruning, *, yes: bool) -> None:
    _removing.confirm(
        _pruned(pruning) if pruning.sizes else "",
        bytes_=pruning.size,
        everything=pruning.everything,
        irreplaceable=pruning.irreplaceable,
        yes=yes,
    )


def _planned(plan: Plan, left: Sequence[LeftOut]) -> dict[str, Any]:
    def plain(pieces: Sequence[Any]) -> list[dict[str, Any]]:
        return [{**plain_file(piece.job), "path": piece.name} for piece in pieces]

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


def _pieces(plan: Plan) -> str:
    states = [("fetch", plan.missing), ("from the cache", plan.kept), ("there", plan.there)]
    rows = [
        [state, piece.job.dataset, piece.job.name, size(piece.job.resource.size)]
        for state, pieces in states
        for piece in pieces
    ]
    lines = [_screen.columns(rows, right=(3,))] if rows else []
    return "\n".join([*lines, *([_pruned(plan.pruning)] if plan.pruning.sizes else [])])


def _pruned(pruning: Pruning) -> str:
    rows = [["remove", name, size(count)] for name, count in pruning.sizes.items()]
    return _screen.columns(rows, right=(2,))


def _reported(report: Report) -> dict[str, Any]:
    return {
        "listed": report.listed,
        "taken": report.taken,
        "fetched": report.fetched,
        "changed": report.changed,
        "removed": report.removed,
        "errors": [str(error) for error in report.errors],
    }


def _done(place: Destination, hub: Hub, report: Report) -> str:
    """The outcome, and how to use the mirror."""
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


def _write_pages(hub: Hub, place: Destination) -> str | None:
    """Write web pages of a mirror that is a folder; returns the first page.

    They show the mirror's own manifests: others may have published from another registry. Pages
    are written again if another update changed the list meanwhile.

    Raises:
        StoreError: the folder cannot be written, or holds another `index.html`.
        ReadError, ChecksumError: the index is damaged.
    """
    if not isinstance(place, FolderDestination):
        return None
    registry = Registry([place.root / "registry"], built_in=False)
    first, shown = None, list[str]()
    while (names := _listed(place, registry)) and names != shown:
        first, shown = _built(hub, registry, place.root, names), names
    return first


def _listed(place: Destination, registry: Registry) -> list[str]:
    """Datasets in the index whose manifests can be shown."""
    index = read_index(place)
    names = [entry.identifier for entry in index.datasets] if index is not None else []
    return [name for name in names if _is_known(registry, name)]


def _built(hub: Hub, registry: Registry, root: Path, names: list[str]) -> str | None:
    """Write the pages; returns the first one, or None without Jinja2."""
    try:
        from dshub.publishing.site.build import build  # heavy, and needs an extra

        built = build(registry, hub.store, root, names=names, progress=hub.progress)
    except MissingExtraError as error:
        _screen.note(f"no pages were written: {error.hint}")
        return None
    for line in built.notes:
        _screen.note(f"note: {line}")
    return str(built.first)


def _is_known(registry: Registry, name: str) -> bool:
    try:
        registry.manifest(name)
    except (UnknownNameError, ManifestError):
        return False
    return True
