"""Command `dshub fetch`: download datasets, verify them, and prepare their tables."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dshub.cache.paths import BLOBS
from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.cli._answer import Answer, answering, plain_file
from dshub.display import Address, flat, shown_url
from dshub.download.fetcher import Fetched
from dshub.download.session import host
from dshub.download.sources import Job, check_source
from dshub.errors import LockError
from dshub.hub.hub import Hub
from dshub.hub.lockfile import drift, names_in, read
from dshub.hub.output import Output, output_paths, write_output
from dshub.hub.plan import Plan
from dshub.hub.request import Request
from dshub.hub.run import Outcome
from dshub.hub.terms import accept
from dshub.progress import size
from dshub.settings import Settings


@click.command()
@click.argument("names", nargs=-1, type=_screen.DatasetName())
@click.option(
    "--from",
    "source",
    metavar="DIR-or-URL",
    help="Use only this mirror, or this folder of files.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be downloaded; download nothing.")
@click.option("--jobs", type=int, metavar="N", help="Number of connections (default 16).")
@click.option("--locked", is_flag=True, help="Fail if dshub.lock is out of date.")
@click.option("--no-prepare", is_flag=True, help="Do not prepare tables.")
@click.option(
    "--output-dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the upstream files into this folder, under their own names.",
)
@click.option("--force", is_flag=True, help="Replace files in --output-dir.")
@answering
def command(
    names: tuple[str, ...],
    source: str | None,
    dry_run: bool,
    jobs: int | None,
    locked: bool,
    no_prepare: bool,
    folder: Path | None,
    force: bool,
) -> Answer:
    """Download datasets.

    \b
      dshub fetch fashion-mnist
      dshub fetch mnist emnist --dry-run
      dshub fetch mnist --from /media/drive        a mirror, or a folder of files
      dshub fetch mnist --from https://mirror.example
      dshub fetch mnist --output-dir data --no-prepare
      dshub fetch --locked                         all datasets in dshub.lock

    All files of NAMES (datasets or families) are downloaded and verified, and tables are prepared
    for loading. Run the command again to resume an interrupted download. With --output-dir, the
    upstream files share disk space with the cache if the file system allows it; hard links are
    read-only. Files of several datasets get a subfolder each.
    """
    if source is not None:
        check_source("--from", source)
    if force and folder is None:
        raise click.UsageError("--force needs --output-dir")
    hub = Hub(settings=Settings.read(jobs=jobs))
    request = _locked(hub, names) if locked else hub.resolve(names)
    if not request.choices:
        raise click.UsageError("name datasets or families, or use --locked")
    plan = hub.plan(request, tables=not no_prepare)
    paths = output_paths(plan.files, folder, hub.store, force=force) if folder else {}
    _announce(hub, plan)
    if dry_run:
        return _planned(plan, hub.settings, source)
    _ask(hub, plan)
    outcome = hub.run(plan, source=source)
    files = [item for item in outcome.fetched if item.job in paths]
    return _fetched(plan, outcome, write_output(files, paths, hub.store))


def _planned(plan: Plan, settings: Settings, source: str | None) -> Answer:
    missing, cached = (list(map(plain_file, part)) for part in (plan.missing, plan.cached))
    data = {"missing": missing, "cached": cached, "resumable": plan.resumable, "size": plan.size}
    return Answer(data, _files(plan, settings, source))


def _fetched(plan: Plan, outcome: Outcome, outputs: Sequence[Output]) -> Answer:
    fetched = outcome.fetched
    data = {
        "files": [_plain(item) for item in fetched],
        "fetched": [str(item.job.resource.digest) for item in fetched if item.source != "cache"],
        "tables": [str(path) for path in outcome.tables.values()],
        "outputs": [{"path": str(item.path), "how": item.how} for item in outputs],
        "seconds": round(outcome.seconds, 3),
    }
    return Answer(data, _done(plan, outcome, outputs))


def _locked(hub: Hub, names: tuple[str, ...]) -> Request:
    """Resolve the named datasets, or all locked ones.

    Raises:
        LockError: a dataset differs from its entry in the lock file.
    """
    lock = hub.settings.lock
    if lock is None:
        raise click.UsageError("--locked needs a lock file, but DSHUB_LOCK is off")
    names = tuple(hub.registry.expand(names)) or tuple(names_in(read(lock), lock))
    changes = drift(names, hub.registry, lock)
    if changes:
        raise LockError(lock=str(lock), names=names, changes=changes)
    return hub.resolve(names)


def _ask(hub: Hub, plan: Plan) -> None:
    """Ask users on a terminal to accept terms, and record accepted terms in the cache."""
    if not (plan.terms and sys.stdin.isatty() and sys.stderr.isatty()):
        return  # `Hub.run` raises TermsError if terms are not accepted
    for manifest in plan.terms:
        terms = _screen.lines(manifest.license.terms or "", indent="  ")
        _screen.echo(f"\n{_screen.bold(manifest.identifier)}:\n{terms}", err=True)
        if manifest.license.source:
            _screen.echo(flat(f"see {manifest.license.source}"), err=True)
        if click.confirm("Do you accept these terms?", err=True):
            accept(manifest, hub.store)


def _announce(hub: Hub, plan: Plan) -> None:
    """Print download sizes and free space before the download."""
    manifests = plan.request.manifests
    cached = f", {len(plan.cached)} cached" if plan.cached else ""
    resumed = f", {size(plan.resumable)} already on disk" if plan.resumable else ""
    count = len(plan.missing)
    unknown = " and some of unknown size" if None in [j.resource.size for j in plan.missing] else ""
    prepared = sum(build.origin.manifest.prepared_size(build.splits) for build in plan.builds)
    tables = f"tables take {size(prepared)}; " if plan.builds else ""
    free = size(plan.free)
    summary = (
        f"{counted(count, 'file')} to fetch, {size(plan.size)}{unknown}{resumed}"
        if count
        else "nothing to fetch"
    )
    _screen.note(f"{', '.join(item.identifier for item in manifests)}: {summary}{cached}")
    _screen.note(f"{tables}{free} are free in {_screen.short_path(hub.store.root)}")


def _files(plan: Plan, settings: Settings, only: str | None) -> str:
    """Format a line for each missing file, with the source to try first."""
    rows = [
        [f"  {job.dataset}", job.name, size(job.resource.size), _first_source(job, settings, only)]
        for job in plan.missing
    ]
    if not rows:
        return ""
    used = sum(max(map(len, cells)) + 2 for cells in list(zip(*rows, strict=True))[:3])
    width = max(_screen.terminal_width() - used, 20)
    rows = [[*cells, _screen.fitted(source, width)] for *cells, source in rows]
    return _screen.columns(rows, right=(2,))


def _first_source(job: Job, settings: Settings, only: str | None) -> str:
    """Return the first usable mirror or URL of a file, or an empty string."""
    places = [*settings.mirrors, *job.resource.urls] if only is None else [only]
    usable = (place for place in places if not settings.offline or Address(place).is_local)
    return shown_url(next(usable, ""))


def _plain(item: Fetched) -> dict[str, Any]:
    return {
        **plain_file(item.job),
        "path": str(item.path),
        "source": shown_url(item.source),
        "attempts": [str(error) for error in item.attempts],
    }


def _done(plan: Plan, outcome: Outcome, outputs: Sequence[Output]) -> str:
    """Format the outcome, and code to load the first dataset."""
    new = [item for item in outcome.fetched if item.source != "cache"]
    ready, request = bool(outcome.tables), plan.request
    lines = [_speed(new, outcome.seconds, plan.resumable)] if new else []
    lines += _failures(new)
    lines += _written(outputs)
    for manifest in request.manifests:
        splits = ", ".join(f"{key} {split.rows:,}" for key, split in manifest.splits.items())
        state = f"ready: {splits} rows" if ready else "all files are in the cache"
        lines.append(f"{_screen.bold(manifest.name)} {manifest.version}  {state}")
    if ready:
        manifest = request.manifests[0]
        split = next(iter(manifest.splits))
        lines.append(
            _screen.dim(f'from dshub import load; load("{manifest.name}", split="{split}")')
        )
    return "\n".join(lines)


def _speed(new: Sequence[Fetched], seconds: float, resumed: int) -> str:
    """Format the size and rate of a download, without the bytes of an earlier run."""
    total = sum({item.job.resource.digest: item.job.resource.size or 0 for item in new}.values())
    received = max(total - resumed, 0)
    hosts = dict.fromkeys(_origin(item.source) for item in new)
    rate = f", {size(int(received / seconds))}/s" if seconds > 0.05 else ""
    earlier = f" ({size(resumed)} were on disk)" if resumed else ""
    speed = f"{size(received)} in {seconds:.1f} s{rate}{earlier}"
    files = counted(len(new), "file")
    return f"fetched and verified {files} from {', '.join(hosts)}: {speed}"


def _written(outputs: Sequence[Output]) -> list[str]:
    """Format the files in the output folder."""
    rows = [[f"  {item.path}", _screen.dim(item.how)] for item in outputs]
    return ["upstream files:", _screen.columns(rows)] if rows else []


def _failures(items: Sequence[Fetched]) -> list[str]:
    """Return a line for each source that failed before another source worked."""
    reasons: dict[str, list[str]] = {}
    for item in items:
        for error in item.attempts:
            address, _, reason = str(error).partition(": ")
            reasons.setdefault(_origin(address), []).append(reason)
    return [
        f"  {flat(origin)} failed: {first}" + (f" ({1 + len(more)} files)" if more else "")
        for origin, (first, *more) in reasons.items()
    ]


def _origin(source: str) -> str:
    """Return the host of a URL, or the mirror or folder that contains a local file."""
    if not Address(source).is_local:
        return host(source)
    path = Address(source).path
    blobs = next((parent for parent in path.parents if parent.name == BLOBS), path)
    return str(blobs.parent)
