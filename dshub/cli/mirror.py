"""Command `dshub mirror`: write, update or verify a mirror."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from dshub.mirrors.checking import read_index, verify
from dshub.mirrors.destinations import Destination, FolderDestination, open_destination
from dshub.mirrors.signing import Signer
from dshub.mirrors.writing import Mirroring, Piece, Plan, Report, choose
from dshub.progress import Task, size
from dshub.progress import choose as choose_progress
from dshub.settings import Settings

DAMAGED = 5  # exit code, also for missing files


class Rate(_amounts.Size):
    """Parameter type for a number of bytes per second, such as `5MB/s`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse a rate above 0."""
        rate: int = super().convert(str(value).strip().removesuffix("/s"), param, ctx)
        return rate or self.fail(
            f"{value!r} is not a rate above 0; omit the option for unlimited downloads"
        )


@click.command()
@click.argument("dest")
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option("--all", "everything", is_flag=True, help="Include all datasets in the registry.")
@click.option("--prepared", is_flag=True, help="Include prepared tables.")
@click.option(
    "--deny-license",
    "deny",
    multiple=True,
    metavar="WORD",
    help="Leave out licenses with this word: nc, nd, unknown, or an SPDX identifier. Repeatable.",
)
@click.option(
    "--restricted", is_flag=True, help="Include datasets whose license forbids redistribution."
)
@click.option(
    "--limit-rate",
    type=Rate(),
    metavar="RATE",
    help="Limit the download speed, for example to 5MB/s.",
)
@click.option(
    "--sign",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="KEY",
    help="Sign the index with this private key (Ed25519, PEM).",
)
@click.option("--no-pages", is_flag=True, help="Do not write web pages.")
@click.option(
    "--dry-run", is_flag=True, help="Show what would be written and removed; change nothing."
)
@click.option("--verify", "verifying", is_flag=True, help="Verify the files of the mirror.")
@click.option("--prune", is_flag=True, help="Remove files that the datasets do not need.")
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
      dshub mirror /media/drive mnist emnist
      dshub mirror s3://our-bucket/dshub --all --deny-license nc --limit-rate 20MB/s
      dshub mirror /srv/dshub --verify             exit code 5 if something is damaged

    NAMES (datasets or families) are written to DEST, a folder or a bucket (s3://, gs://). Other
    datasets on the mirror stay, unless --prune is given. dshub asks before it removes everything,
    more than 10 GB, or files that cannot be downloaded again, unless --yes is given. Run the
    command again to resume an interrupted update. To use a mirror, set DSHUB_MIRROR (see
    https://dshub.github.io/dshub/mirrors.html).
    """
    _check(dest, names, everything=everything, verifying=verifying)
    if verifying:
        return _verify(dest)
    hub, mirror = Hub(), open_destination(dest)
    request = hub.resolve(hub.names() if everything else names, as_published=True)
    chosen, left_out = choose(request.named, hub.registry, deny=deny, restricted=restricted)
    signer = Signer(sign) if sign else None
    mirroring = Mirroring(mirror, hub, prepared, limit_rate, signer, prune)
    plan = mirroring.plan(chosen)
    _announce(mirror, plan, left_out)
    data = _plan_data(plan, left_out)
    if dry_run:
        return Answer(data, _plan_text(plan))
    _removing.confirm(_removals(plan), plan.pruning, yes=yes)
    report = mirroring.run(plan)
    data["pages"] = None if no_pages else _write_pages(hub, mirror)
    data |= {**vars(report), "errors": list(map(str, report.errors))}
    manual = [error for error in report.errors if everything and isinstance(error, ManualStepError)]
    error = next((error for error in report.errors if error not in manual), None)
    notes = [f"left out: {error}" for error in manual]
    return Answer(data, _report_text(mirror, hub, report), notes, error=error)


def _check(dest: str, names: Sequence[str], *, everything: bool, verifying: bool) -> None:
    if not dest.strip():  # for example, an unset variable in a script
        raise click.UsageError("DEST is empty; name a folder or a bucket")
    if verifying and (names or everything):
        raise click.UsageError("--verify checks the whole mirror; omit NAMES and --all")
    if everything and names:
        raise click.UsageError("use NAMES or --all, not both")
    if not (verifying or names or everything):
        raise click.UsageError("name datasets or families, or use --all")


def _verify(dest: str) -> Answer:
    settings, mirror = Settings.read(), open_destination(dest)
    with Task(choose_progress(settings.progress), f"reading {mirror.title}", None) as task:
        files = list(verify(mirror, keys=settings.mirror_keys, advance=task.advance))
    wrong = [item for item in files if item.state in {"missing", "damaged"}]
    foreign = sum(item.state == "other" for item in files)
    rows = [[_screen.colored(item.state, "red"), item.name, item.of, item.detail] for item in wrong]
    notes = [f"intact: {counted(len(files) - len(wrong) - foreign, 'file')}"]
    notes += [f"damaged or missing: {counted(len(wrong), 'file')}"] if wrong else []
    notes += [f"ignored {counted(foreign, 'file')} not written by dshub"] if foreign else []
    names = dict.fromkeys(item.of.partition("@")[0] for item in wrong if item.of)
    if names:
        repair = f"dshub mirror {shlex.quote(shown_url(dest))} {' '.join(names)}"
        notes.append(f"hint: run `{repair}` to restore the files")
    data = {"files": [vars(item) for item in files], "wrong": len(wrong)}
    return Answer(data, _screen.columns(rows) if rows else "", notes, DAMAGED if wrong else 0)


def _announce(mirror: Destination, plan: Plan, left_out: Mapping[str, str]) -> None:
    """Print sizes and free space before the download."""
    for name, reason in left_out.items():
        _screen.note(f"left out: {name}, because {reason}")
    unknown = sum(piece.job.resource.size is None for piece in plan.missing)
    _screen.note(
        f"{counted(len(plan.chosen), 'dataset')}: "
        f"{counted(len(plan.missing), 'file')} to fetch, {size(plan.to_fetch)}"
        f"{f' and {unknown} of unknown size' if unknown else ''}, "
        f"{len(plan.cached)} from the cache, {len(plan.there)} already on the mirror"
    )
    tables = f", tables {size(plan.tables)}" if plan.tables else ""
    free = f"; {size(plan.free)} are free in {mirror.title}" if plan.free is not None else ""
    _screen.note(f"to write: {size(plan.writes)}{tables}{free}")
    if plan.pruning.sizes:
        files = counted(len(plan.pruning.sizes), "file")
        _screen.note(f"to remove: {files}, {size(plan.pruning.size)}")


def _plan_data(plan: Plan, left_out: Mapping[str, str]) -> dict[str, Any]:
    def files(pieces: Sequence[Piece]) -> list[dict[str, Any]]:
        return [{**plain_file(piece.job), "path": piece.name} for piece in pieces]

    return {
        "datasets": [item.manifest.identifier for item in plan.chosen],
        "left_out": [{"name": name, "reason": reason} for name, reason in left_out.items()],
        "missing": files(plan.missing),
        "cached": files(plan.cached),
        "there": files(plan.there),
        "size": plan.to_fetch,
        "writes": plan.writes,
        "tables": plan.tables,
        "free": plan.free,
        "to_remove": [{"path": path, "size": n} for path, n in plan.pruning.sizes.items()],
    }


def _plan_text(plan: Plan) -> str:
    states = [("fetch", plan.missing), ("from the cache", plan.cached), ("exists", plan.there)]
    rows = [
        [state, piece.job.dataset, piece.job.name, size(piece.job.resource.size)]
        for state, pieces in states
        for piece in pieces
    ]
    return "\n".join(filter(None, [_screen.columns(rows, right=(3,)), _removals(plan)]))


def _removals(plan: Plan) -> str:
    rows = [["remove", name, size(count)] for name, count in plan.pruning.sizes.items()]
    return _screen.columns(rows, right=(2,))


def _report_text(mirror: Destination, hub: Hub, report: Report) -> str:
    """Describe the outcome, with a command that uses the mirror."""
    files = [f"{count} by {how}" for how, count in report.taken.items()]
    if report.fetched:
        files.append(f"{report.fetched} fetched")
    none_written = "no files could be fetched" if report.errors else "no files were missing"
    lines = [f"files: {', '.join(files)}" if files else none_written]
    if report.removed:
        lines.append(f"removed {counted(len(report.removed), 'unneeded file')}")
    state = "lists" if report.changed else "already lists"
    datasets = counted(len(report.listed), "dataset")
    lines.append(f"index.json {state} {datasets}: {', '.join(report.listed) or 'none'}")
    if report.listed and mirror.address not in hub.settings.mirrors:
        setting = f"DSHUB_MIRROR={shlex.quote(shown_url(mirror.address))}"
        lines.append(_screen.dim(f"{setting} dshub list"))
    return "\n".join(lines)


def _write_pages(hub: Hub, mirror: Destination) -> str | None:
    """Write web pages for a mirror in a folder, and return the path of the first page.

    The pages show the manifests on the mirror, which can come from several registries. Buckets get
    no pages, and neither do folders if Jinja2 is not installed. In these cases, return None.

    Raises:
        StoreError: the folder cannot be written, or contains an `index.html` not written by dshub.
        ReadError, ChecksumError: the index is damaged.
    """
    if not isinstance(mirror, FolderDestination):
        return None
    registry = Registry([mirror.root / "registry"], built_in=False)
    index, names = read_index(mirror), []
    for entry in index.datasets if index is not None else ():
        with suppress(UnknownNameError, ManifestError):  # the manifest is missing or damaged
            names.append(registry.manifest(entry.identifier).identifier)
    if not names:
        return None
    try:
        from dshub.publishing.site.build import build  # imported lazily, because it needs Jinja2

        site = build(registry, hub.store, mirror.root, names=names, progress=hub.progress)
    except MissingExtraError as error:
        _screen.note(f"no pages were written, because {error}; {error.hint}")
        return None
    for line in site.notes:
        _screen.note(f"note: {line}")
    return str(site.first)
